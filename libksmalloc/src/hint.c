/* SPDX-License-Identifier: BSD-2-Clause */
#include "hint.h"

#include "option.h"
#include "os.h"
#include "stat.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

static int advise_madvise(void *addr, size_t length, uint64_t site)
{
	(void)site;
	return ksm_os_madvise(addr, length, MADV_MERGEABLE);
}

static int advise_none(void *addr, size_t length, uint64_t site)
{
	(void)addr;
	(void)length;
	(void)site;
	return -EINVAL;
}

/* All memory of the process is mergeable already. */
static int advise_process(void *addr, size_t length, uint64_t site)
{
	(void)addr;
	(void)length;
	(void)site;
	return 0;
}

static const struct ksm_hint_ops hint_madvise = { "madvise", advise_madvise };
static const struct ksm_hint_ops hint_process = { "process", advise_process };
static const struct ksm_hint_ops hint_none = { "none", advise_none };

static _Atomic(const struct ksm_hint_ops *) backend = &hint_madvise;
static atomic_bool can_name = true;

/* The first pieces of the region heap are mapped before there is a segment to count in. */
static void count_failure(int error)
{
	struct ksmalloc_process_stats *stats;

	if (!ksm_stat)
		return;
	stats = &ksm_stat->header.stats;
	ksm_stat_add(&stats->advise_failed_total, 1);
	ksm_stat_set(&stats->advise_errno, (uint64_t)-error);
}

void ksm_hint_init(void)
{
	/* Where the kernel cannot do that, slots are advised one by one. */
	if (ksm_options.advise == KSM_ADVISE_PROCESS && ksm_os_merge_process() == 0)
		atomic_store(&backend, &hint_process);
}

bool ksm_hint_covers_process(void)
{
	return atomic_load(&backend) == &hint_process;
}

bool ksm_hint_advise(void *addr, size_t length, uint64_t site)
{
	int error = atomic_load(&backend)->advise(addr, length, site);

	if (error) {
		/* EINVAL is how a kernel without KSM answers (madvise(2)): it will not change. */
		if (error == -EINVAL)
			atomic_store(&backend, &hint_none);
		count_failure(error);
		return false;
	}
	/*
	 * A huge page is split before its parts merge, and one that is put together
	 * again undoes merges, so both together only cost.
	 */
	if (ksm_options.huge_pages == KSM_HUGE_PAGES_NEVER)
		ksm_hint_small_pages(addr, length);
	return true;
}

void ksm_hint_small_pages(void *addr, size_t length)
{
	int error = ksm_os_madvise(addr, length, MADV_NOHUGEPAGE);

	/* EINVAL: a kernel without huge pages needs no such advice. */
	if (error && error != -EINVAL)
		count_failure(error);
}

void ksm_hint_exempt(void *addr, size_t length)
{
	int error = ksm_os_madvise(addr, length, MADV_UNMERGEABLE);

	/* EINVAL: without KSM nothing merges. */
	if (error && error != -EINVAL)
		count_failure(error);
}

void ksm_hint_name(void *addr, size_t length, const char *name)
{
	if (!atomic_load_explicit(&can_name, memory_order_relaxed))
		return;
	if (ksm_os_name(addr, length, name) == 0)
		return;
	/* Kernels without CONFIG_ANON_VMA_NAME, Debian's among them: asking once is enough. */
	atomic_store(&can_name, false);
	if (ksm_stat)
		ksm_stat_add(&ksm_stat->header.stats.name_failed_total, 1);
}

const char *ksm_hint_backend(void)
{
	return atomic_load(&backend)->name;
}
