/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report: all processes of a selection, joined.
 *
 * What it is: the processes, their sites by id, the memory outside of sites, and the totals.
 *
 * What it is not: made here: collect.h reads the processes, aggregate.h adds them up. It names nothing; the frames of a
 * site are reached through its sample.
 *
 * Invariants: the figures of the sites, of the nursery and of what lies outside
 * add up to those of all VMAs that were read, but for the rounding of VMAs that
 * only partly belong to a slot (these are divided by address range).
 *
 * Freed memory that the allocator still keeps is mapped, may merge, and is of no
 * use to anybody: its share of what a site's memory saves goes to saved_freed. No
 * counter tells which pages these are: they are at most kept_bytes, many of which
 * were never written, and at most what is resident beyond live blocks.
 *
 * Locking and owner: a report owns all that it points to.
 *
 * Failure: a process that cannot be read is one line in `rejected`.
 */
#ifndef KSR_JOIN_REPORT_H
#define KSR_JOIN_REPORT_H

#include "join/exact.h"
#include "join/part.h"
#include "join/process.h"
#include "read/kernel.h"

/* What the kernel counts for a site, over processes. */
struct ksr_site_counters {
	uint32_t processes;   /* whose kernel does; 0: nothing here is known */
	uint32_t stabilities; /* bit n: some process gave stability n */
	uint64_t priority;    /* the highest */
	uint64_t hinted;      /* bytes of its mappings */
	uint64_t unshared;    /* bytes that were tried and are like no others */
	uint64_t changing;    /* bytes that were not tried yet, or change */
	uint64_t scanned;     /* visits of a page */
	uint64_t zero;	      /* pages that became the zero page */
	uint64_t broken;      /* merges that a write undid */
	uint64_t skipped;     /* visits left out by smart_scan */
	uint64_t cpu_us;      /* processor time of ksmd, microseconds; only with has_cpu */
	bool has_cpu;
};

struct ksr_site {
	uint64_t id;
	uint32_t flags;	 /* of all processes, or-ed */
	uint32_t states; /* bit n: some process has it in state n */
	uint32_t stabilities; /* bit n: the library of some process found stability n */
	uint32_t processes;
	uint32_t slots;
	struct ksmalloc_site_stats stats; /* sums over processes, the peak too */
	struct ksr_memory memory;
	struct ksr_site_counters counters;
	/* A process that has the site, and its index there: where the frames are. */
	size_t sample_process;
	uint32_t sample_index;
};

struct ksr_rejected {
	pid_t pid;
	int error; /* as ksr_snapshot_create() tells them apart */
	char why[KSR_WHY_BYTES];
};

struct ksr_totals {
	struct ksr_memory sites;
	struct ksr_memory nursery;
	struct ksr_memory nursery_unmarked; /* of it, what has no origin (origin.h) */
	struct ksr_memory kept; /* of the part heap, what was freed and is nobody's: jemalloc keeps it (read/bins.h) */
	struct ksr_memory outside; /* KSM pages of VMAs that are no slots */
	uint64_t merging;	   /* bytes: ksm_merging_pages of the processes read */
	uint64_t zero;		   /* bytes: zero pages placed by KSM in them */
	uint64_t kernel_saved;	   /* bytes: pages_sharing of the whole machine */
	uint64_t kernel_merging;   /* bytes: pages_sharing + pages_shared */
	uint64_t other_merging;	   /* bytes: kernel_merging less merging, at least 0 */
	uint64_t other_saved;	   /* bytes: kernel_saved less exact.saved, at least 0 */
	uint64_t page_tables;
	uint64_t shared;	/* of all mappings of stores */
	uint64_t store;		/* what the stores' files take */
	uint64_t store_huge;	/* of it, on huge pages */
	uint64_t pss;		/* of all mappings */
	uint64_t store_pss;	/* of it, the stores' pages */
	uint32_t sharing_asked; /* processes that are to share by a store */
	struct ksr_exact exact;
};

struct ksr_group; /* group.h */
struct ksr_origin; /* origin.h */
struct ksr_file; /* files.h */

struct ksr_report {
	struct ksr_process *processes;
	size_t process_count;
	struct ksr_site *sites; /* in the order in which they were met */
	size_t site_count;
	struct ksr_rejected *rejected;
	size_t rejected_count;
	struct ksr_kernel kernel;
	struct ksr_totals totals;
	/*
	 * What lies outside of sites and nurseries, in processes of the shared layout all of it, in
	 * others what is marked or merged. The merged bytes add up to totals.outside.
	 */
	struct ksr_part parts[KSR_PART_COUNT];
	struct ksr_origin *origins; /* in the order in which they were met */
	size_t origin_count;
	struct ksr_file *files; /* what holds most first; the last may stand for all others */
	size_t file_count;
	size_t file_room;
	struct ksr_group *groups;
	size_t group_count;
	uint64_t page_bytes;
	bool is_part;	   /* processes were named one by one: their groups may have others */
	size_t unreadable; /* segments that could not be read while groups were asked for */
	bool exact;	   /* page counts could be read wherever smaps alone does not decide */
};

void ksr_report_destroy(struct ksr_report *report);

#endif
