/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sources: what the kernel says, parsed.
 *
 * What it is: one parser for each file of /proc and /sys that the reports use,
 * and the readers that fetch them through fs.
 *
 * What it is not: a join. Nothing here knows about segments or sites.
 *
 * Invariants: a value that a kernel does not offer is told apart from zero,
 * either by KSR_NONE or by a has_ flag. All sizes are bytes. VMAs are in
 * ascending order and do not overlap.
 *
 * Locking and owner: arrays belong to the caller and are freed by the _free
 * function of their kind.
 *
 * Failure: -errno; text that has not the expected form is -EINVAL for smaps and
 * ksm_sites, and ignored line by line elsewhere, since kernels add lines.
 */
#ifndef KSR_READ_SOURCES_H
#define KSR_READ_SOURCES_H

#include "read/fs.h"

#include <ksmalloc/segment.h>

#define KSR_NONE UINT64_MAX

/* The fields of one entry of smaps: X(member, label), in bytes. */
#define KSR_SMAPS_FIELDS(X)                                                                        \
	X(rss, "Rss")                                                                              \
	X(pss, "Pss")                                                                              \
	X(shared_clean, "Shared_Clean")                                                            \
	X(shared_dirty, "Shared_Dirty")                                                            \
	X(private_clean, "Private_Clean")                                                          \
	X(private_dirty, "Private_Dirty")                                                          \
	X(anonymous, "Anonymous")                                                                  \
	X(ksm, "KSM")                                                                              \
	X(swap, "Swap")                                                                            \
	X(huge, "AnonHugePages")

#define KSR_VMA_MERGEABLE (1u << 0)  /* VmFlags has mg */
#define KSR_VMA_NO_HUGE (1u << 1)    /* VmFlags has nh */
#define KSR_VMA_FILE (1u << 2)	     /* maps a file */
#define KSR_VMA_HAS_KSM (1u << 3)    /* the kernel has a line KSM: at all, since 6.6 */
#define KSR_VMA_SPECIAL (1u << 4)    /* [stack], [vdso] and such: a name of the kernel's */
#define KSR_VMA_SHARED (1u << 5)     /* a shared mapping: never merged by KSM */
#define KSR_VMA_ASKED_HUGE (1u << 6) /* VmFlags has hg: madvise(MADV_HUGEPAGE) */
#define KSR_VMA_STORE (1u << 7)	     /* maps a file of a group's store */

struct ksr_vma {
	uint64_t begin;
	uint64_t end;
	uint32_t flags;
	char name[52]; /* what follows [anon: or the kernel's name; files have none here */
#define KSR_SMAPS_MEMBER(member, label) uint64_t member;
	KSR_SMAPS_FIELDS(KSR_SMAPS_MEMBER)
#undef KSR_SMAPS_MEMBER
};

struct ksr_smaps {
	struct ksr_vma *vmas;
	size_t count;
};

/* /proc/PID/ksm_stat, since 6.1 in parts; KSR_NONE where there is no such line. */
struct ksr_ksm_stat {
	uint64_t rmap_items;
	uint64_t zero_pages;
	uint64_t merging_pages;
	int64_t process_profit; /* bytes; 0 when unknown */
};

struct ksr_status {
	char command[64];
	pid_t parent;
	uint64_t start_time_ticks;
	uint64_t page_tables; /* VmPTE */
	uint64_t uid;	      /* real */
	pid_t inner_pid; /* in the process's own pid namespace, 0 if the kernel does not tell */
};

/* The numbers of /sys/kernel/mm/ksm: X(name). */
#define KSR_KERNEL_FIELDS(X)                                                                       \
	X(run)                                                                                     \
	X(pages_to_scan)                                                                           \
	X(sleep_millisecs)                                                                         \
	X(pages_shared)                                                                            \
	X(pages_sharing)                                                                           \
	X(pages_unshared)                                                                          \
	X(pages_volatile)                                                                          \
	X(pages_scanned)                                                                           \
	X(full_scans)                                                                              \
	X(max_page_sharing)                                                                        \
	X(use_zero_pages)                                                                          \
	X(smart_scan)                                                                              \
	X(merge_across_nodes)                                                                      \
	X(ksm_zero_pages)                                                                          \
	X(hints)                                                                                   \
	X(hint_share)                                                                              \
	X(hint_version)

struct ksr_kernel {
	bool present; /* the folder exists: CONFIG_KSM */
#define KSR_KERNEL_MEMBER(name) uint64_t name;
	KSR_KERNEL_FIELDS(KSR_KERNEL_MEMBER)
#undef KSR_KERNEL_MEMBER
	char advisor_mode[32];	  /* the chosen word, empty when there is no advisor */
	char merge_now_scope[32]; /* the same; empty when nothing merges on request */
};

/*
 * The columns of /proc/PID/ksm_sites, which kernels with the patches of kernel/ have: X(member,
 * name). Pages, but for those that say how often something happened.
 */
#define KSR_COUNTER_COLUMNS(X)                                                                     \
	X(site, "site")                                                                            \
	X(priority, "priority")                                                                    \
	X(stability, "stability")                                                                  \
	X(mapped, "vm_pages")                                                                      \
	X(merged, "merged")                                                                        \
	X(unshared, "unshared")                                                                    \
	X(changing, "volatile")                                                                    \
	X(saved, "saved_pages")                                                                    \
	X(scanned, "scanned") /* visits */                                                         \
	X(zero, "zero")	      /* merges with the zero page */                                      \
	X(broken, "cow_broken")                                                                    \
	X(skipped, "skipped") /* visits left out */                                                \
	X(cpu_us, "cpu_us")   /* processor time, microseconds */

/* Of one site in one process; site 0 is all memory without a hint. KSR_NONE: no such column. */
struct ksr_counters {
#define KSR_COUNTER_MEMBER(member, name) uint64_t member;
	KSR_COUNTER_COLUMNS(KSR_COUNTER_MEMBER)
#undef KSR_COUNTER_MEMBER
};

/* By ascending site, no site twice. */
struct ksr_counter_table {
	struct ksr_counters *rows;
	size_t count;
};

/* Is this a file of a store, by its name? */
bool ksr_is_store(const struct ksr_map_line *map);

/*
 * Times that a text is read that is -EINVAL to parse: the kernel writes it in pieces, and a mapping that grew in between
 * has been told of twice, with an overlap.
 */
#define KSR_SMAPS_TRIES 5

int ksr_smaps_parse(const struct ksr_text *text, struct ksr_smaps *smaps);
int ksr_smaps_read(const struct ksr_fs *fs, pid_t pid, struct ksr_smaps *smaps);
void ksr_smaps_free(struct ksr_smaps *smaps);
/* The one entry of /proc/PID/smaps_rollup. */
int ksr_smaps_rollup_read(const struct ksr_fs *fs, pid_t pid, struct ksr_vma *total);

void ksr_ksm_stat_parse(const struct ksr_text *text, struct ksr_ksm_stat *stat);
/* Falls back to ksm_merging_pages where there is no ksm_stat. */
int ksr_ksm_stat_read(const struct ksr_fs *fs, pid_t pid, struct ksr_ksm_stat *stat);

/* false when the text is not that of /proc/PID/stat. */
bool ksr_status_parse_stat(const struct ksr_text *text, struct ksr_status *status);
int ksr_status_read(const struct ksr_fs *fs, pid_t pid, struct ksr_status *status);

/*
 * read/counters.c: /proc/PID/ksm_sites. -ENOENT where the kernel has no such file, -ENODATA if
 * it is empty, as that of a process that ends. Columns are found by name; others are ignored.
 */
int ksr_counters_parse(const struct ksr_text *text, struct ksr_counter_table *table);
int ksr_counters_read(const struct ksr_fs *fs, pid_t pid, struct ksr_counter_table *table);
void ksr_counters_free(struct ksr_counter_table *table);
/* NULL when the site has no row. */
const struct ksr_counters *ksr_counters_find(const struct ksr_counter_table *table, uint64_t site);

void ksr_kernel_read(const struct ksr_fs *fs, struct ksr_kernel *kernel);
/* The word in brackets of a file such as "always [madvise] never"; empty when there is none. */
void ksr_chosen_word(const char *text, char *word, size_t bytes);

/* How a VMA's pages are shared, counted page by page. Needs root. */
struct ksr_sharing {
	uint64_t ksm_saved;  /* bytes: each KSM page less its share, page * (1 - 1/mapcount) */
	uint64_t fork_saved; /* the same of pages that are not KSM's */
	uint64_t ksm_mapped; /* bytes of mapped KSM pages */
};

/*
 * Opens kpageflags; -EOPNOTSUPP where the kernel's flag of KSM does not tell (Linux 6.12), which
 * is found out by a page of our own.
 */
int ksr_page_flags_open(const struct ksr_fs *fs);
/* True if that can be opened. */
bool ksr_page_flags_tell(const struct ksr_fs *fs);

/*
 * [begin, end) of a process, by pagemap, kpagecount and kpageflags, which must tell: that is for
 * the caller to ask, once. -EPERM when the kernel hides PFNs.
 */
int ksr_sharing_read(const struct ksr_fs *fs, pid_t pid, uint64_t begin, uint64_t end,
		     struct ksr_sharing *sharing);

#endif
