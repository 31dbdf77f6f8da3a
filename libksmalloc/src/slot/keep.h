/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keep: how much freed memory slots keep, and giving back the rest.
 *
 * What it is: the rule how much all pools together keep, and the calls of MADV_DONTNEED that
 * follow from it.
 * What it is not: a choice of runs for allocation. In the shared layout that never depends on it; in the private one
 * newest asks whether memory is kept at all.
 *
 * The rule: a base, max(keep_bytes, keep_percent of what is live) less what threads may have in magazines, and
 * an allowance that the program earns by what it does. Pages that it takes again after they were given back
 * add to the allowance, since keeping them would have spared a page fault each. Pages that lay unused for a
 * whole epoch, the least that was kept at any time in it, take away from it: half of what is
 * beyond the base. An epoch ends when 32 times what is live was taken, and 512 MiB at least. Where 16 MiB are freed
 * without a page being taken meanwhile, the program lets go of its data: all that lay unused until then is taken away. If
 * half of that is earned again it was a request that ended, and the next 7, 63, 511 such rows take nothing away. The
 * allowance is at most cycle_bytes, or cycle_percent of what is live if that is more, and counts from 4 MiB on. It
 * depends on nothing but the program's own calls; in the private layout it is also halved for
 * each second without such evidence, so that what a burst has earned does not stay for ever.
 *
 * Patience, in the private layout only, since it is a matter of time: pages beyond that are kept for a
 * moment if as many, and 16 MiB at least, were taken from the kernel in the last one or two tenths of a
 * second, for blocks of up to a MiB. They are earned when the program takes them again, and are given back
 * when it takes an eighth of them anew elsewhere or when the moment is over. They have the
 * allowance's limit, together with it.
 *
 * Giving back takes long runs first, from the highest addresses down, and somewhat more than needed, so
 * that calls are few. The pool's lock is let go meanwhile: other threads go on.
 *
 * Locking: the pool's lock is held by the caller. Other pools are only tried.
 * Failure: what the kernel does not take back stays kept, and what lies beside it is tried.
 */
#ifndef KSM_KEEP_H
#define KSM_KEEP_H

#include "slot/slot.h"

/* Makes a pool known, once, when it gets its first slot. */
void ksm_keep_add_pool(struct ksm_pool *pool);

/* Pages of the slot became live, as all or the rest of a block of block_pages; kept of them had been kept. */
void ksm_keep_taken(struct ksm_slot *slot, uint32_t page, uint32_t pages, uint32_t kept, uint32_t block_pages);

/* pages of the pool were freed and are kept now; gives back what is too much. */
void ksm_keep_freed(struct ksm_pool *pool, uint32_t pages);

/* True if more is kept than the rule allows, since it may be wanted again in a moment. */
bool ksm_keep_waits(void);

/* Gives that back if the moment is over. For calls that do not take the shortest way; no lock is held. */
void ksm_keep_settle(void);

/* pages of the pool were freed and replaced by new ones. */
void ksm_keep_renewed(struct ksm_pool *pool, uint32_t pages);

/* Pages that may be kept without evidence, in pools and magazines together. */
int64_t ksm_keep_base(void);

/* Pages that may be kept beyond that, because as many were taken again that had been given back. */
int64_t ksm_keep_earned(void);

/* More pages may be at hand in magazines, or fewer: they are taken off what may be kept. */
void ksm_keep_at_hand(int64_t pages);

/* Calls visit for each pool that is not in use at this moment, with its lock held. */
void ksm_keep_each_pool(void (*visit)(struct ksm_pool *pool));

/* Gives back all that is kept, of all pools that are not in use at this moment. */
bool ksm_keep_trim(void);

/* What a thread that is not in the child was giving back stays set aside there. */
void ksm_keep_postfork_child(void);

#endif
