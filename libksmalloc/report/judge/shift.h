/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shift: what share of equality two siblings have lost because content moved.
 *
 * What it is: a bounded sample of the memory of the two processes of a group that doctor compares, too.
 * What it is not: a reason; doctor and diff tell those. Nor what the whole group has lost: siblings differ alike more
 * often than not.
 * Locking and owner: one thread.
 * Failure: -errno; -ESRCH where there are no two processes of a kind.
 */
#ifndef KSR_JUDGE_SHIFT_H
#define KSR_JUDGE_SHIFT_H

#include "read/fs.h"

struct ksr_shift {
	pid_t pids[2];
	uint64_t pages; /* that both have, of what was looked at */
	uint64_t equal; /* of these, equal or equal to one at another place */
	/* The same content a distance or some places away, or nothing but pointers that differ. */
	uint64_t shifted;
	bool is_sampled;
};

int ksr_shift_measure(const struct ksr_fs *fs, const pid_t *pids, size_t count,
		      struct ksr_shift *shift);

#endif
