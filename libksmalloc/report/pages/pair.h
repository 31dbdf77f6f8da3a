/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair: the two processes that are compared, and what belongs to what in them.
 *
 * What it is: data, for those that compare words and pages.
 * What it is not: an owner of what it points to.
 * Locking and owner: one thread, because of the cache of ranges.
 * Failure: none.
 */
#ifndef KSR_PAGES_PAIR_H
#define KSR_PAGES_PAIR_H

#include "read/space.h"

#define KSR_FEW_WORDS 16

/* The two processes, and what of them is compared. */
struct ksr_pair {
	const struct ksr_space *spaces[2];
	const uint32_t *match; /* ksr_space_match() */
	uint64_t few;	       /* words */
	/* Two pages of the cache below are enough for most words. Synchronization: one thread. */
	const struct ksr_range *recent[2];
};

#endif
