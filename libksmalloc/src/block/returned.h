/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * returned: freed runs on the way from one thread to another.
 *
 * What it is: for each pool the runs that threads have given away which free what others allocate, by
 * their lengths. A thread that misses a run in its magazine looks here before it takes the pool's lock, and
 * gets a few at once: each time it waits for what is in the other's processor's cache.
 * What it is not: a queue for a certain thread. Who asks first gets them.
 *
 * Locking: a flag for each pool that is tried for a moment: who does not get it goes the long way. A
 * fork does not wait for it; a child that finds it taken does without these runs.
 * Failure: false; the runs stay where they are.
 */
#ifndef KSM_RETURNED_H
#define KSM_RETURNED_H

#include "base.h"
#include "slot/slot.h"
#include "block/stock.h"

#define KSM_RETURNED_FEW   4u	/* runs that go to another thread at once, if they have one length */
#define KSM_RETURNED_PAGES 256u /* of the longest run */

/* Runs of one length, and what their entries were when they were blocks. The newest stands first. */
struct ksm_returned_few {
	uint32_t count;
	uint32_t values[KSM_RETURNED_FEW];
	struct ksm_stock_run runs[KSM_RETURNED_FEW];
};

/*
 * Takes over the oldest runs of the stock, which are left in it for the caller to drop, unless all pools
 * together would have more pages than most. None is longer than KSM_RETURNED_PAGES.
 */
bool ksm_returned_give(struct ksm_pool *pool, const struct ksm_stock *stock, uint32_t count,
		       int64_t most);

/* True if there seems to be a run of as many pages as size bytes take; others may be faster. */
bool ksm_returned_has(const struct ksm_pool *pool, size_t size);

/*
 * Up to most such runs, KSM_RETURNED_FEW at the most; false if there is none. The first one is, of a few, that which
 * needs the least clearing.
 */
bool ksm_returned_take(struct ksm_pool *pool, size_t size, uint32_t most, struct ksm_returned_few *few);

/* Takes out some of the runs; false if there are none. */
bool ksm_returned_drain(struct ksm_pool *pool, struct ksm_stock *stock);

/* Gives up what a thread that is not in the child was just at. */
void ksm_returned_postfork_child(struct ksm_pool *pool);

#endif
