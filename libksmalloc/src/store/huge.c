/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether the kernel has given a huge page is seen by the memory that the file takes after its first page was asked for.
 * Then nothing more is taken while the rest is written.
 */
#include "store/huge.h"

#include "system/option.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define ALLOWED		"/sys/kernel/mm/transparent_hugepage/shmem_enabled"
/*
 * Since 6.11, for this size alone; "inherit" for what the other says. Kernels without it do not say in pagemap which pages
 * of a huge page are a file's, so that they would all look like copies.
 */
#define ALLOWED_OF_SIZE "/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/shmem_enabled"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Is this the word in brackets, among all that there are? */
static bool is_chosen(const char *words, const char *word)
{
	const char *chosen = strchr(words, '[');
	size_t length = strlen(word);

	return chosen && strncmp(chosen + 1, word, length) == 0 && chosen[1 + length] == ']';
}

static bool gives_unasked(const char *words)
{
	return is_chosen(words, "always") || is_chosen(words, "within_size") || is_chosen(words, "force");
}

void ksm_huge_look(struct ksm_huge *huge)
{
	char all[128];
	char size[128];
	bool gives;

	*huge = (struct ksm_huge){ .window = huge->window };
	if (ksm_os_read_file(ALLOWED, all, sizeof(all)) <= 0)
		return;
	huge->is_unasked = gives_unasked(all);
	if (ksm_os_read_file(ALLOWED_OF_SIZE, size, sizeof(size)) <= 0)
		return;
	gives = huge->is_unasked || is_chosen(all, "advise");
	if (!is_chosen(size, "inherit") && !is_chosen(all, "deny") && !is_chosen(all, "force"))
		gives = gives_unasked(size) || is_chosen(size, "advise");
	huge->is_wanted = gives && ksm_options.share_huge == KSM_SHARE_HUGE_AUTO;
}

static uint64_t memory_of(int file)
{
	struct ksm_os_file facts;

	return ksm_os_describe_file(file, &facts) == 0 ? facts.memory : 0;
}

/* Has the kernel find memory now, which it would send a signal for the want of. Not before 5.14. */
static int populate(uintptr_t address, size_t length)
{
	return ksm_os_madvise((void *)address, length, MADV_POPULATE_WRITE);
}

static int64_t write_whole(const struct ksm_huge *huge, int file, uintptr_t address)
{
	uint64_t before = memory_of(file);
	int error = ksm_os_madvise((void *)huge->window, KSM_SHARE_SLICE, MADV_HUGEPAGE);

	if (!error)
		error = populate(huge->window, KSM_PAGE);
	if (!error && memory_of(file) - before < KSM_SHARE_SLICE)
		error = -ENOMEM;
	if (error)
		return error;
	memcpy((void *)huge->window, (const void *)address, KSM_SHARE_SLICE);
	return (int64_t)KSM_SHARE_SLICE;
}

static int64_t write_part(const struct ksm_huge *huge, uintptr_t address, const struct ksm_share_set *pages)
{
	struct ksm_share_run run = { 0, 0 };
	int error = ksm_os_madvise((void *)huge->window, KSM_SHARE_SLICE, MADV_NOHUGEPAGE);

	while (!error && ksm_share_next_run(pages, &run)) {
		uintptr_t at = (uintptr_t)run.begin << KSM_PAGE_SHIFT;
		size_t length = (size_t)(run.end - run.begin) << KSM_PAGE_SHIFT;

		error = populate(huge->window + at, length);
		if (!error)
			memcpy((void *)(huge->window + at), (const void *)(address + at), length);
	}
	return error;
}

/* -errno also if there is no reason to write it so. */
static int64_t write_through_window(const struct ksm_huge *huge, int file, uint64_t offset, uintptr_t address,
				    const struct ksm_share_set *pages)
{
	bool is_whole = huge->is_wanted && ksm_share_count(pages) == KSM_SHARE_PAGES && offset % KSM_SHARE_SLICE == 0;
	int64_t result;

	if (!huge->window || (!is_whole && !huge->is_unasked))
		return -EOPNOTSUPP;
	result = ksm_os_map_window((void *)huge->window, KSM_SHARE_SLICE, file, offset);
	if (result)
		return result;
	result = is_whole ? write_whole(huge, file, address) : write_part(huge, address, pages);
	ksm_os_unmap((void *)huge->window, KSM_SHARE_SLICE);
	return result;
}

/* The usual way. */
static int write_runs(int file, uint64_t offset, uintptr_t address, const struct ksm_share_set *pages)
{
	struct ksm_share_run run = { 0, 0 };
	int error = 0;

	while (!error && ksm_share_next_run(pages, &run)) {
		uintptr_t at = (uintptr_t)run.begin << KSM_PAGE_SHIFT;

		error = ksm_os_write(file, (const void *)(address + at), (size_t)(run.end - run.begin) << KSM_PAGE_SHIFT,
				     (off_t)(offset + at));
	}
	return error;
}

int64_t ksm_huge_write(const struct ksm_huge *huge, int file, uint64_t offset, uintptr_t address,
		       const struct ksm_share_set *pages)
{
	int64_t result = write_through_window(huge, file, offset, address, pages);

	/* What was written of it is written anew. */
	return result < 0 ? write_runs(file, offset, address, pages) : result;
}
