/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placed: the blocks that live in slots.
 *
 * What it is: which blocks are placed and where: the way of a site from
 * tracked (its blocks lie in a nursery) to placed (in its own slot), and the
 * calls that allocate, resize and free blocks of the lower half of the span.
 * What it is not: jemalloc's blocks. A call that cannot or should not place a
 * block says so, and heap takes it to jemalloc.
 *
 * Rules: a placed block starts on a page and its last page ends in zeros.
 * Nothing but the program's bytes and zeros is ever written to it. Bytes of
 * freed blocks are seen only by later blocks of the same pool.
 *
 * A site is tracked until it has held site_bytes at once, and placed from then
 * on for ever. A nursery is one unadvised slot that many sites share: a site
 * whose blocks live shortly never leaves it, so that small sites cost no slot
 * of their own, and their blocks are counted exactly all the same. (A pair of
 * malloc and free of 64 KiB takes half the time there that jemalloc takes.)
 *
 * Locking: a site's lock or a nursery's lock, never both at once.
 * Failure: NULL; the caller falls back on jemalloc. Misuse ends the program.
 */
#ifndef KSM_PLACED_H
#define KSM_PLACED_H

#include "base.h"
#include "site/site.h"

enum ksm_placed_kind {
	KSM_PLACED_USUAL,
	KSM_PLACED_GROWN,	/* it was shorter elsewhere: it is likely to grow again */
	KSM_PLACED_MERGEABLE,	/* the program asked for it: the site is placed at once */
};

/* Makes the nurseries and the private pool. 0 or -ENOMEM. */
int ksm_placed_init(void);

/*
 * Allocates size bytes for the site, aligned to align (a power of two; at
 * least a page is given). zero: the whole block is zero, not only its tail.
 * Returns NULL if the block is to come from jemalloc.
 */
void *ksm_placed_alloc(struct ksm_site *site, size_t size, size_t align, bool zero,
		       enum ksm_placed_kind kind);

/* Allocates size bytes that are never advised, counted for the site. */
void *ksm_placed_alloc_private(struct ksm_site *site, size_t size);

/* Frees a block that ksm_span_holds(). */
void ksm_placed_free(void *block);

/*
 * Makes the block size bytes long in its place. Returns true if it did; false
 * if the block has to move. size is at least 1.
 */
bool ksm_placed_resize(void *block, size_t size);

/* Counts a block that moved. */
void ksm_placed_count_move(struct ksm_site *site);

#endif
