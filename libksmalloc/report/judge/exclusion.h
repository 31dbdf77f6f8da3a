/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exclusion: what a process denies to KSM, and whether it is kept out.
 *
 * What it is: a comparison of what the segment says is denied or private with what the kernel
 * has marked as mergeable, and the sum of the other memory that merges beside it, which the
 * filters do not reach.
 * What it is not: proof for single blocks: those below the threshold are not in the segment.
 * Locking and owner: pure; the process belongs to the caller.
 * Failure: -ENOMEM.
 */
#ifndef KSR_JUDGE_EXCLUSION_H
#define KSR_JUDGE_EXCLUSION_H

#include "join/process.h"

struct ksr_exclusion {
	bool is_asked;		/* there are denied sites or private blocks */
	bool is_whole;		/* the process is mergeable as a whole, its stack too */
	uint64_t leaking;	/* resident bytes of denied or private blocks that may merge all the same */
	uint64_t beside;	/* resident bytes of stacks, data segments and its own mappings that may merge */
};

/* Looks at the slots and mappings of one process. */
int ksr_exclusion_find(const struct ksr_process *process, struct ksr_exclusion *exclusion);

#endif
