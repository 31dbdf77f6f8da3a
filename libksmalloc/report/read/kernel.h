/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel: the state of KSM on this machine.
 *
 * What it is: the files of /sys/kernel/mm/ksm, as one structure, and a change of one of them.
 * What it is not: a judge of them.
 * Invariants: a value that the kernel does not offer is KSR_NONE, or an empty word.
 * Locking and owner: the result is the caller's, and owns nothing.
 * Failure: of reading none; `present` is false where there is no KSM.
 */
#ifndef KSR_READ_KERNEL_H
#define KSR_READ_KERNEL_H

#include "read/number.h"

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

void ksr_kernel_read(const struct ksr_fs *fs, struct ksr_kernel *kernel);

/* Changes one of the numbers, by its name. 0 or -errno of open(2) and write(2). */
int ksr_kernel_set(const struct ksr_fs *fs, const char *name, uint64_t value);

#endif
