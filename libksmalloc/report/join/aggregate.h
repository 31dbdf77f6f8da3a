/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * aggregate: segments joined with kernel counters, summed over processes.
 *
 * What it is: collects the processes of a selection, joins each slot with the
 * VMAs that cover it, and adds up sites of equal id.
 *
 * What it is not: an explanation or a picture. It names nothing; the frames of
 * a site are reached through its sample.
 *
 * How "saved" is found on a stock kernel. For a VMA, smaps gives R = Rss,
 * P = Pss, S = Shared_Clean + Shared_Dirty and K = KSM. R - P is what sharing
 * of any kind saves: each page mapped m times adds page * (1 - 1/m). It has two
 * sources, KSM and fork, and only the first counts:
 *   K = 0        all of R - P is fork's.
 *   S <= K       every shared page is KSM's: all of R - P is saved.
 *   0 < K < S    both. Shared pages that are not KSM's are F = S - K. With
 *                privilege the pages are counted one by one (pagemap,
 *                kpagecount, kpageflags). Without, R - P is divided in the
 *                proportion K : F, and the error is bounded, because a page
 *                mapped m >= 2 times adds between half and all of itself:
 *                max(K/2, R - P - F) <= saved <= min(K, R - P - F/2).
 * Two things no counter of a stock kernel tells. A KSM page whose partners have
 * exited is mapped once and counts in K, not in S; where K < S then F is taken
 * too small by as much. And a page that fork had shared before KSM merged it
 * becomes a KSM page in all relatives at once; it counts as saved, though part
 * of that is fork's. Zero pages placed by KSM are in no field of smaps; they
 * are one line of the reconciliation.
 *
 * How it is found where the kernel counts (/proc/PID/ksm_sites). The row of a site tells how many
 * of its pages are merged, and how many of these are saved: of all that share a page of KSM exactly
 * one pays for it, so that the rows of all processes add up to the kernel's pages_sharing, whoever
 * shares with whom, fork or not. A child of a fork counts when ksmd has visited its pages; what it
 * shares until then is fork's. Memory without a hint is one row: it is divided among all that
 * has no row of its own in the proportion of K. The rows tell of ksmd's last visit: pages that were
 * freed or written since are merged in the row and not in smaps. They are `stale`, and not called
 * saved. Which of them paid, and whether all that shared a page are gone, nobody knows: their part
 * of what a site saves is taken in proportion, with a bound of the error.
 *
 * What the library shares without KSM is told apart by the mapping: it is one of the store's file, and all of it that
 * was not copied by a write is shared, whether it was read since, and so is resident, or not. `shared` is exact, and
 * what such pages save is neither KSM's nor fork's.
 *
 * Freed memory that the allocator still keeps is mapped, may merge, and is of no
 * use to anybody: its share of what a site's memory saves goes to saved_freed. No
 * counter tells which pages these are: they are at most kept_bytes, many of which
 * were never written, and at most what is resident beyond live blocks.
 *
 * Invariants: the figures of the sites, of the nursery and of what lies outside
 * add up to those of all VMAs that were read, but for the rounding of VMAs that
 * only partly belong to a slot (these are divided by address range).
 *
 * Locking and owner: a report owns all that it points to.
 *
 * Failure: a process that cannot be read is one line in `rejected`, and the
 * others are read. -errno only when nothing can be done at all.
 */
#ifndef KSR_JOIN_AGGREGATE_H
#define KSR_JOIN_AGGREGATE_H

#include "read/snapshot.h"
#include "read/sources.h"

struct ksr_memory {
	uint64_t resident;
	uint64_t merged;      /* mapped pages that are KSM's */
	uint64_t saved;	      /* by KSM */
	uint64_t saved_error; /* saved is right to this many bytes more or less */
	uint64_t stale;	      /* merged by the kernel's counters, and not mapped any more */
	uint64_t saved_freed; /* the share of freed memory that the allocator keeps: not saved */
	uint64_t fork_shared; /* saved by fork, not by KSM */
	uint64_t shared;      /* pages of the group's store that are mapped, resident or not, and not copied */
	uint64_t swapped;
	uint64_t mergeable; /* resident bytes of VMAs marked mg */
	uint64_t not_asked; /* resident bytes of VMAs without it */
};

struct ksr_process {
	struct ksr_snapshot snapshot;
	struct ksr_status status;
	struct ksr_ksm_stat ksm;
	struct ksr_smaps smaps;
	struct ksr_counter_table counters; /* empty unless the kernel counts by site */
	int counters_error;		   /* why they could not be read */
	/*
	 * false: a forked child that still maps its parent's file, or shares its parent's
	 * memory (vfork). Its memory counts, the parent's counters do not count a second
	 * time.
	 */
	bool owner;
};

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

/* Memory outside of sites, by what it is: X(name, key, what it is called). */
#define KSR_PARTS(X)                                                                               \
	X(HEAP, "heap", "small blocks, in jemalloc's memory")                                      \
	X(MAPPINGS, "mappings", "mappings of the program")                                         \
	X(BRK, "brk", "brk")                                                                       \
	X(STACKS, "stack", "stack of the first thread")                                            \
	X(FILES, "files", "data segments and other written pages of files")                        \
	X(OTHERS, "other", "stacks of threads, bss and other anonymous memory")

enum ksr_part_id {
#define KSR_PART_ID(name, key, text) KSR_PART_##name,
	KSR_PARTS(KSR_PART_ID)
#undef KSR_PART_ID
		KSR_PART_COUNT,
};

struct ksr_part {
	struct ksr_memory memory;
	uint64_t live; /* bytes that the program holds there; only with has_live */
	bool has_live;
	uint32_t processes; /* that have memory there */
};

/* The processes of one group and one layout. */
struct ksr_group {
	const char *name; /* of a snapshot; empty when they were given none */
	uint32_t layout;  /* enum ksmalloc_layout */
	uint32_t processes;
	uint32_t failed; /* that should have had the layout of their group */
	int failure;	 /* errno of one of these */
	uint64_t placed; /* mappings that got a place of the shared layout */
	uint64_t taken;	 /* places where something else lay */
	/* By the group's store. */
	uint32_t asked;	      /* processes that are to share */
	uint32_t aside;	      /* of these, those that do not */
	uint32_t reasons[KSMALLOC_ASIDE_COUNT]; /* processes for each, also those that share in part only */
	uint32_t store_files;
	uint64_t store;	 /* bytes that the files take */
	uint64_t shared; /* bytes of the processes, as in struct ksr_memory */
	struct ksmalloc_share_stats share; /* sums */
};

/* What one process has, before it is added to the sums. */
struct ksr_own_memory {
	struct ksr_memory *sites; /* by index in the segment */
	const struct ksr_counters **rows; /* the kernel's counters of each, or NULL */
	uint32_t site_count;
	struct ksr_memory nursery;
	struct ksr_memory outside;
	struct ksr_memory parts[KSR_PART_COUNT];
	bool has_part[KSR_PART_COUNT];
};

/* Sums of the kernel's counters by site, in bytes, of the processes that have them. */
struct ksr_exact {
	uint32_t processes;
	uint64_t merged; /* their ksm_merging_pages */
	uint64_t saved;	 /* their part of pages_sharing */
	/* Of these: pages that were freed or written since ksmd visited them. */
	uint64_t stale_merged;
	uint64_t stale_saved;
};

struct ksr_totals {
	struct ksr_memory sites;
	struct ksr_memory nursery;
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
	uint64_t pss;		/* of all mappings */
	uint64_t store_pss;	/* of it, the stores' pages */
	uint32_t sharing_asked; /* processes that are to share by a store */
	struct ksr_exact exact;
};

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
	struct ksr_group *groups;
	size_t group_count;
	uint64_t page_bytes;
	size_t unreadable; /* segments that could not be read while groups were asked for */
	bool exact;	   /* page counts could be read wherever smaps alone does not decide */
};

struct ksr_selection {
	const pid_t *pids; /* empty: all processes that can be found */
	size_t pid_count;
	const char *const *groups; /* empty: any group */
	size_t group_count;
	bool everyone; /* also processes of other users; root that names groups looks at all */
};

/* Reads all processes of the selection and builds the sites. */
int ksr_report_create(const struct ksr_fs *fs, const struct ksr_selection *selection,
		      struct ksr_report *report);
void ksr_report_destroy(struct ksr_report *report);

/* Pure parts, exposed for tests. */

/* The figures of one VMA by smaps alone; true when they may be wrong by saved_error. */
bool ksr_memory_from_vma(const struct ksr_vma *vma, struct ksr_memory *memory);
void ksr_memory_add(struct ksr_memory *sum, const struct ksr_memory *part);
/* value * part / whole, 0 if whole is; no product is too large. */
static inline uint64_t ksr_scale(uint64_t value, uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)((unsigned __int128)value * part / whole) : 0;
}

/* from - amount, at least 0. */
static inline uint64_t ksr_less(uint64_t from, uint64_t amount)
{
	return from > amount ? from - amount : 0;
}

/* part / whole of it. */
struct ksr_memory ksr_memory_share(const struct ksr_memory *memory, uint64_t part, uint64_t whole);
/* join/parts.c: adds the memory of a mapping outside of slots; memory is measured. */
void ksr_part_add(const struct ksr_snapshot *snapshot, const struct ksr_vma *vma,
		  const struct ksr_memory *memory, struct ksr_own_memory *own);
/*
 * join/exact.c: puts the counters of a process, which must have some, in the place of what
 * smaps told, and finds the rows of its sites. sum grows by what was taken. 0 or -ENOMEM.
 */
int ksr_exact_take(const struct ksr_process *process, uint64_t page_bytes,
		   struct ksr_own_memory *own, struct ksr_exact *sum);
/* When all processes were added: takes what is stale out of what sites save. */
void ksr_exact_finish(struct ksr_report *report);
/* join/parts.c: what the processes count as live in parts; and their groups. */
int ksr_parts_finish(struct ksr_report *report);
/* join/parts.c: the group of this name and layout, which is added unless it is there; NULL without memory. */
struct ksr_group *ksr_group_find(struct ksr_report *report, const char *name, uint32_t layout);
/* join/store.c: what groups share by their stores. */
int ksr_store_finish(struct ksr_report *report);
/* Is the process to share by a store, and does it stand aside? */
bool ksr_store_is_asked(const struct ksmalloc_segment_header *header);
bool ksr_store_is_aside(const struct ksmalloc_segment_header *header);
/* Of any number, which may come from a later version: one that is not known is `failed`. */
const char *ksr_aside_key(uint32_t reason);
const char *ksr_aside_words(uint32_t reason);
const char *ksr_aside_remedy(uint32_t reason);
const char *ksr_part_key(enum ksr_part_id part);
const char *ksr_part_name(enum ksr_part_id part);
/* join/parts.c: which part a mapping outside of slots is of; KSR_PART_COUNT: none of KSM's. */
enum ksr_part_id ksr_part_of(const struct ksr_snapshot *snapshot, const struct ksr_vma *vma);

/* join/collect.c: reads the processes of a selection. */
int ksr_report_collect(const struct ksr_fs *fs, const struct ksr_selection *selection,
		       struct ksr_report *report);
void ksr_process_free(struct ksr_process *process);

/* Sums sites, slots and totals of processes that were collected before. */
int ksr_report_aggregate(const struct ksr_fs *fs, struct ksr_report *report);

#endif
