/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turnover: whose small blocks have come and gone between two looks at a process.
 *
 * What it is: for each origin, by the samples of its small blocks: what was held at the first look, what of that was not there
 * any more at the second, and all that was freed meanwhile. A mark that is still there is told from another one that has its
 * place by its turn (ksmalloc/segment.h).
 *
 * What it is not: a figure of pages, or anything of segments before version 9, which do not count samples.
 *
 * How long blocks live: what has gone is as long there as it takes to free as much. What was freed just once meanwhile may
 * have been there for any time before: nothing is said of it, nor of what one sample alone tells.
 *
 * Locking and owner: one thread; it owns its list.
 *
 * Failure: -ENOMEM.
 */
#ifndef KSR_JUDGE_TURNOVER_H
#define KSR_JUDGE_TURNOVER_H

#include "join/marks.h"

/* Bytes, in the weights of samples. */
struct ksr_turnover_of {
	uint64_t held;
	uint64_t gone;
	uint64_t gone_samples;
	uint64_t freed;
};

struct ksr_turnover {
	struct ksr_turnover_of *origins; /* by index in the first look */
	uint32_t count;
	uint64_t held; /* of all */
};

int ksr_turnover_create(const struct ksr_snapshot *first, const struct ksr_snapshot *second, struct ksr_turnover *turnover);
void ksr_turnover_destroy(struct ksr_turnover *turnover);

/* Milliseconds, of so many between the two looks; KSR_NONE: nothing tells. */
uint64_t ksr_turnover_lifetime(const struct ksr_turnover_of *origin, uint64_t between_ms);

#endif
