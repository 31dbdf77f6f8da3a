/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rollup: the memory of a process as a whole.
 *
 * What it is: /proc/PID/smaps_rollup, which the kernel makes in a fraction of the time that smaps takes, since it writes
 * one entry; for those that look at processes again and again.
 * What it is not: a figure of a mapping (smaps.h).
 * Invariants: sizes are bytes; KSR_NONE stands for what the kernel does not tell.
 * Locking and owner: the result is the caller's, and owns nothing.
 * Failure: -errno; -EINVAL where the text has not the expected form. Labels that are not known are ignored, since kernels
 * add some.
 */
#ifndef KSR_READ_ROLLUP_H
#define KSR_READ_ROLLUP_H

#include "read/number.h"

/* X(member, label) */
#define KSR_ROLLUP_FIELDS(X)                                                                                           \
	X(rss, "Rss")                                                                                                  \
	X(pss, "Pss")                                                                                                  \
	X(pss_anonymous, "Pss_Anon")                                                                                   \
	X(pss_shmem, "Pss_Shmem")                                                                                      \
	X(private_clean, "Private_Clean")                                                                              \
	X(private_dirty, "Private_Dirty")                                                                              \
	X(anonymous, "Anonymous")                                                                                      \
	X(ksm, "KSM")                                                                                                  \
	X(swap, "Swap")                                                                                                \
	X(swap_pss, "SwapPss")

struct ksr_rollup {
#define KSR_ROLLUP_MEMBER(member, label) uint64_t member;
	KSR_ROLLUP_FIELDS(KSR_ROLLUP_MEMBER)
#undef KSR_ROLLUP_MEMBER
};

int ksr_rollup_parse(const struct ksr_text *text, struct ksr_rollup *rollup);
int ksr_rollup_read(const struct ksr_fs *fs, pid_t pid, struct ksr_rollup *rollup);

#endif
