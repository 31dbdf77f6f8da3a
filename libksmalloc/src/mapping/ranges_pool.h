/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ranges_pool: memory for the nodes of a set of ranges.
 *
 * What it is: nodes of one size, in pieces of 64 KiB that come from mmap(2) and go back with
 * munmap(2) when no node of them is in use and others have as many left.
 * What it is not: malloc: the set is used inside of mmap, also in a signal handler that
 * interrupted malloc.
 *
 * Invariants: a piece is aligned to its size, so that a node's is known by its address; a page
 * of it that has no node yet is never touched.
 * Locking: the caller's. Failure: only ksm_ranges_pool_reserve() can fail.
 */
#ifndef KSM_RANGES_POOL_H
#define KSM_RANGES_POOL_H

#include "base.h"

#define KSM_RANGES_NODE_BYTES UINT64_C(1024)

struct ksm_ranges_piece;

struct ksm_ranges_pool {
	struct ksm_ranges_piece *open; /* pieces that have nodes left */
	uint32_t pieces;
	uint32_t left; /* nodes that are not in use, of all pieces */
	uint32_t used;
};

/* Sees to it that so many nodes can be taken. False if the system has no memory. */
bool ksm_ranges_pool_reserve(struct ksm_ranges_pool *pool, uint32_t nodes);

/* A node, of any content. There is one left: it was reserved. */
void *ksm_ranges_pool_take(struct ksm_ranges_pool *pool);

void ksm_ranges_pool_give(struct ksm_ranges_pool *pool, void *node);

#endif
