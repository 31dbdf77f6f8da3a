/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keep: how much freed memory slots keep, and giving back the rest.
 *
 * What it is: the rule that all pools together keep at most
 * max(keep_bytes, keep_percent of what is live), and the calls of
 * MADV_DONTNEED that follow from it.
 * What it is not: a choice of runs for allocation, which never depends on time.
 *
 * Cycles: a program that frees and allocates the same memory again and again
 * would pay a page fault for each page of each round. A pool that took memory
 * back within 50 ms of giving it away is therefore allowed to go beyond
 * the rule, up to cycle_bytes in all, for as long as that memory is taken up
 * again within 50 ms. Memory beyond the rule is counted (kept_bytes), and is
 * given back with the next call that frees or allocates after that time.
 *
 * Locking: the pool's lock is held. Other pools are only tried.
 * Failure: memory that the kernel does not take back (mlock) stays kept.
 */
#ifndef KSM_KEEP_H
#define KSM_KEEP_H

#include "slot.h"

/* Makes a pool known, once, when it gets its first slot. */
void ksm_keep_add_pool(struct ksm_pool *pool);

/* pages of the pool became live; kept of them had been kept. */
void ksm_keep_taken(struct ksm_pool *pool, uint32_t pages, uint32_t kept);

/* pages of the pool were freed and are kept now; gives back what is too much. */
void ksm_keep_freed(struct ksm_pool *pool, uint32_t pages);

/* Gives back all that is kept, of all pools that are not in use at this moment. */
bool ksm_keep_trim(void);

#endif
