/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run_tree: what is free in the chunks of a slot, summed up so that the lowest free run is found by going down.
 *
 * What it is: a binary tree in an array over a power of two of leaves, one for each chunk: the root is [1],
 * the children of [i] are [2 i] and [2 i + 1], the leaves are the upper half.
 * What it is not: the chunks, or a search in them.
 *
 * Invariant (ksm_run_tree_check()): each node is what its two children come to. Locking: the caller's. Failure: none.
 */
#ifndef KSM_RUN_TREE_H
#define KSM_RUN_TREE_H

#include "base.h"

/* Pages are kept track of in chunks of 2 MiB. */
#define KSM_CHUNK_PAGES 512u

/* What is free in a chunk, or in a power of two of them side by side, in pages. */
struct ksm_run_free {
	uint32_t first;		/* of its first pages; exact */
	uint32_t last;		/* of its last pages; exact */
	uint32_t longest;	/* no free run is longer */
};

/* All of the chunks are free. */
void ksm_run_tree_clear(struct ksm_run_free *tree, uint32_t leaves);

/* What is free in a chunk is this now: puts its leaf right, and what lies above it. */
void ksm_run_tree_set(struct ksm_run_free *tree, uint32_t leaves, uint32_t leaf, struct ksm_run_free value);

bool ksm_run_tree_check(const struct ksm_run_free *tree, uint32_t leaves);

#endif
