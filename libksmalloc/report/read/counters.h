/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counters: what a patched kernel counts by site.
 *
 * What it is: /proc/PID/ksm_sites, parsed.
 * What it is not: a join: nothing here knows of sites but their numbers.
 * Invariants: by ascending site, no site twice. Values are pages, or how often something happened.
 * Locking and owner: the table is the caller's, to be freed by ksr_counters_free().
 * Failure: -errno; -EINVAL where the text has not the expected form.
 */
#ifndef KSR_READ_COUNTERS_H
#define KSR_READ_COUNTERS_H

#include "ksmalloc/segment.h"
#include "read/number.h"

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

/*
 * /proc/PID/ksm_sites. -ENOENT where the kernel has no such file, -ENODATA if
 * it is empty, as that of a process that ends. Columns are found by name; others are ignored.
 */
int ksr_counters_parse(const struct ksr_text *text, struct ksr_counter_table *table);
int ksr_counters_read(const struct ksr_fs *fs, pid_t pid, struct ksr_counter_table *table);
void ksr_counters_free(struct ksr_counter_table *table);
/* NULL when the site has no row. */
const struct ksr_counters *ksr_counters_find(const struct ksr_counter_table *table, uint64_t site);

#endif
