/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rate: how fast shall KSM look for equal pages?
 *
 * What it is: the next number of pages a batch, from free memory, from what looking has brought, and from what it costs.
 * What it is not: a reader or writer of settings.
 * Invariants: the result is within the bounds, and at most twice and at least half of the last one.
 * Locking and owner: pure.
 * Failure: none.
 */
#ifndef KSR_TUNE_RATE_H
#define KSR_TUNE_RATE_H

#include "base.h"

struct ksr_rate_bounds {
	uint64_t least; /* pages a batch */
	uint64_t most;
	double cost; /* of one processor, that ksmd may take */
};

struct ksr_rate_look {
	double available; /* of the machine's memory */
	double cost;	  /* ksmd's share of a processor since the last look; below 0: not known */
	uint64_t scanned; /* pages since the last look */
	int64_t gained;	  /* pages saved, more than at the last look */
};

uint64_t ksr_rate_next(const struct ksr_rate_bounds *bounds, const struct ksr_rate_look *look, uint64_t now);

#endif
