/* SPDX-License-Identifier: BSD-2-Clause */
#include "segment/hint.h"

#include "system/option.h"
#include "os/os.h"
#include "segment/stat.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

static int advise_madvise(void *addr, size_t length)
{
	return ksm_os_madvise(addr, length, MADV_MERGEABLE);
}

static int advise_none(void *addr, size_t length)
{
	(void)addr;
	(void)length;
	return -EINVAL;
}

/* All memory of the process is mergeable already. */
static int advise_process(void *addr, size_t length)
{
	(void)addr;
	(void)length;
	return 0;
}

static const struct ksm_hint_ops hint_prctl = { "prctl", advise_madvise, ksm_os_hint };
static const struct ksm_hint_ops hint_madvise = { "madvise", advise_madvise, NULL };
static const struct ksm_hint_ops hint_process_prctl = { "process+prctl", advise_process, ksm_os_hint };
static const struct ksm_hint_ops hint_process = { "process", advise_process, NULL };
static const struct ksm_hint_ops hint_none = { "none", advise_none, NULL };

static _Atomic(const struct ksm_hint_ops *) backend = &hint_madvise;
static bool covers_process; /* Synchronization: written before there are threads. */
static atomic_bool can_name; /* and is asked to */

static const struct ksm_hint_ops *chosen(void)
{
	return atomic_load_explicit(&backend, memory_order_relaxed);
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

/*
 * True if the whole process is mergeable: it may have been when the program was executed, by its
 * service manager's wish. Where the option says "none" that ends here, also for its children.
 */
static bool cover_process(void)
{
	bool is_covered = ksm_os_process_merges();

	if (is_covered && ksm_options.advise == KSM_ADVISE_NONE)
		return ksm_os_merge_process(false) != 0;
	/* Where the kernel cannot do that, slots are advised one by one. */
	if (!is_covered && ksm_options.advise == KSM_ADVISE_PROCESS)
		return ksm_os_merge_process(true) == 0;
	return is_covered;
}

void ksm_hint_init(void)
{
	covers_process = cover_process();
	/* The one call by which the kernel is asked: later a sandbox may forbid it. */
	if (ksm_os_hint(NULL, 0, 0) == 0)
		atomic_store(&backend, covers_process ? &hint_process_prctl : &hint_prctl);
	else
		atomic_store(&backend, covers_process ? &hint_process : &hint_madvise);
	atomic_store(&can_name, ksm_options.names);
}

bool ksm_hint_covers_process(void)
{
	return covers_process;
}

uint64_t ksm_hint_word(uint64_t site, uint64_t priority, enum ksmalloc_stability stability, bool peers)
{
	return (site & KSMALLOC_HINT_SITE_MASK) | priority << KSMALLOC_HINT_PRIORITY_SHIFT |
	       (uint64_t)stability << KSMALLOC_HINT_STABILITY_SHIFT |
	       (peers ? KSMALLOC_HINT_PEERS : 0);
}

bool ksm_hint_is_taken(void)
{
	return chosen()->hint != NULL;
}

int ksm_hint_set(void *addr, size_t length, uint64_t word)
{
	const struct ksm_hint_ops *ops = chosen();
	int error;

	if (!ops->hint)
		return -EOPNOTSUPP;
	error = ops->hint(addr, length, word);
	if (!ksm_stat)
		return error;
	if (!error) {
		ksm_stat_add(&ksm_stat->header.stats.hints_total, 1);
	} else {
		ksm_stat_add(&ksm_stat->header.stats.hint_failed_total, 1);
		ksm_stat_set(&ksm_stat->header.stats.hint_errno, (uint64_t)-error);
	}
	return error;
}

bool ksm_hint_advise(void *addr, size_t length)
{
	int error = chosen()->advise(addr, length);

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
	return chosen()->name;
}
