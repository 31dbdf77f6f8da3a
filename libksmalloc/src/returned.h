/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * returned: freed runs on the way from one thread to another.
 *
 * What it is: for each pool the runs that threads have given away which free what others allocate. A
 * thread that misses a run in its magazine looks here before it takes the pool's lock.
 * What it is not: a queue for a certain thread. Who asks first gets them.
 *
 * Locking: a flag for each pool that is tried and never waited for: who does not get it goes the long way. A
 * fork does not wait for it either; a child that finds it taken does without these runs.
 * Failure: false; the runs stay where they are.
 */
#ifndef KSM_RETURNED_H
#define KSM_RETURNED_H

#include "base.h"
#include "slot.h"
#include "stock.h"

/*
 * Takes over the oldest runs of the stock, which are left in it for the caller to drop, unless all pools
 * together would have more pages than most.
 */
bool ksm_returned_give(struct ksm_pool *pool, const struct ksm_stock *stock, uint32_t count,
		       int64_t most);

/* A run of as many pages as size bytes take. */
bool ksm_returned_take(struct ksm_pool *pool, size_t size, struct ksm_stock_run *run, uint32_t *value);

/* Takes out some of the runs; false if there are none. */
bool ksm_returned_drain(struct ksm_pool *pool, struct ksm_stock *stock);

#endif
