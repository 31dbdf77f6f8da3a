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

/* The word of version 1 of the interface: site, priority, stability (0: unknown). */
static uint64_t hint_word(uint64_t site)
{
	return (site & ((UINT64_C(1) << 48) - 1)) | ksm_options.hint_priority << 48;
}

/*
 * A kernel that takes hints. One that is refused changes nothing about the advice: the
 * memory is scanned like any other.
 */
static int advise_prctl(void *addr, size_t length, uint64_t site)
{
	int error = ksm_os_madvise(addr, length, MADV_MERGEABLE);

	if (!error && site && ksm_os_hint(addr, length, hint_word(site)) != 0 && ksm_stat)
		ksm_stat_add(&ksm_stat->header.stats.hint_failed_total, 1);
	return error;
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

static int advise_first(void *addr, size_t length, uint64_t site);

/* What every process begins with: most never advise anything and need not ask the kernel. */
static const struct ksm_hint_ops hint_unknown = { "unknown", advise_first };
static const struct ksm_hint_ops hint_prctl = { "prctl", advise_prctl };
static const struct ksm_hint_ops hint_madvise = { "madvise", advise_madvise };
static const struct ksm_hint_ops hint_process = { "process", advise_process };
static const struct ksm_hint_ops hint_none = { "none", advise_none };

static _Atomic(const struct ksm_hint_ops *) backend = &hint_unknown;
static atomic_bool can_name = true;

/* Asks the kernel what it can. */
static const struct ksm_hint_ops *choose(void)
{
	const struct ksm_hint_ops *chosen = ksm_os_hint(NULL, 0, 0) == 0 ? &hint_prctl : &hint_madvise;

	atomic_store(&backend, chosen);
	return chosen;
}

static int advise_first(void *addr, size_t length, uint64_t site)
{
	return choose()->advise(addr, length, site);
}

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
	const struct ksm_hint_ops *current = atomic_load(&backend);

	return (current == &hint_unknown ? choose() : current)->name;
}
