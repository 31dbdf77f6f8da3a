/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample: finding out which sites are not written to any more, and telling the kernel.
 *
 * What it is: hashes of a few pages of a site's live blocks, compared with those of
 * the sample before, and the change of the hint when stability says so. Only where
 * the kernel takes hints and the option stability is "sample".
 * What it is not: a thread or a timer. A pool has a credit that each placed block takes
 * from (its pages, and something for the call); when it is used up, the site gets its
 * turn, and one other site, so that data which is loaded and then only read gets one too
 * while the program goes on elsewhere. At least sample_ms lie between two
 * samples of a site. A program that places no block any more says ksmalloc_settled().
 *
 * Cost, counted by callgrind: 3 instructions a placed block, and some 225 each BUDGET of credit (16 MiB
 * of blocks, or some hundred calls) for a look at the clock and at other sites. A sample is 66,000:
 * 16 pages, each with mincore(2), process_vm_readv(2) and XXH3; at most two each time, and none of a
 * site within sample_ms. Small blocks pay nothing.
 *
 * What it must not do: pages that are not resident stay so (mincore is asked first),
 * nothing is written, and memory that the program has unmapped or made
 * unreadable is left out instead of ending the program. No address depends on it.
 *
 * Locking: a site's lock, which is only tried; the caller holds none.
 * Failure: where process_vm_readv is refused, sampling ends. A hint that is refused is
 * counted and tried again after the next sample.
 */
#ifndef KSM_SAMPLE_H
#define KSM_SAMPLE_H

#include "base.h"
#include "site/site.h"
#include "slot/slot.h"

/* Prepares a new pool of the site: its hint and its credit. The site's lock is held. */
void ksm_sample_adopt_locked(struct ksm_site *site, struct ksm_pool *pool);

/* The credit is used up: renews it. True if ksm_sample_turn() is to be called after unlocking. */
KSM_COLD bool ksm_sample_renew_locked(struct ksm_pool *pool);

/* Takes credit for a new block. True as above. The pool's lock is held. */
KSM_INLINE bool ksm_sample_charge_locked(struct ksm_pool *pool, uint32_t pages)
{
	enum { CALL = 8 }; /* pages that a call is worth */

	pool->credit -= (int64_t)pages + CALL;
	return ksm_unlikely(pool->credit < 0) && ksm_sample_renew_locked(pool);
}

/* Samples the site and another one, if it is time. */
KSM_COLD void ksm_sample_turn(struct ksm_site *site);

/*
 * The program says that the site is settled. 0, -EOPNOTSUPP where the kernel takes no hints or
 * the site is not advised, -ENOMEM, or the error of a hint. Takes the site's lock.
 */
int ksm_sample_settle(struct ksm_site *site);

#endif
