/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * marked: which blocks in slots have marks?
 *
 * What it is: the choice, of new blocks that took the slow path, by the bytes that a thread has allocated there at a site
 * (steps.h), and of those that a magazine sends there as the site grows by what it had at hand; and the bit of a block's entry (run.h) by which its free finds that there is a mark to clear. Blocks without
 * it, and those that come from a magazine, pay nothing.
 * What it is not: an origin.
 *
 * Locking: none of its own: the entry of a block is its owner's.
 * Failure: the block has no mark.
 */
#ifndef KSM_MARKED_H
#define KSM_MARKED_H

#include "base.h"
#include "block/block.h"

/*
 * What a new block of the site, of size bytes, stands for if it is to be marked; else 0. One that was asked for is: it
 * stands for what came from the magazine since one was.
 */
uint64_t ksm_marked_weight(const struct ksm_site *site, size_t size, bool is_asked);

/* Marks the block at an address. */
void ksm_marked_set(void *address, uint32_t origin, uint64_t weight);

/* Takes the mark off a block that has one. Its entry is the usual one then. */
KSM_COLD void ksm_marked_clear(const void *address, const struct ksm_block *block);

/* The same for the entry alone, while the block changes its size; and what it comes to: pages as before if it failed. */
void ksm_marked_lift(const struct ksm_block *block);
void ksm_marked_put_back(const void *address, const struct ksm_block *block, uint32_t pages);

#endif
