/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * masked: what is in a page besides addresses.
 *
 * What it is: a hash of a page in which each address of the process stands for the kind of memory that it points into. Pages
 * that are equal but for addresses have equal hashes, wherever they and what they point to lie.
 *
 * What it is not: a promise: what pages point to may differ, and a number that happens to be an address is taken for one.
 *
 * Invariants: 0 for a page without addresses, and for one that has hardly anything else: those are alike by themselves.
 *
 * Locking and owner: one thread, because of the cache of ranges.
 *
 * Failure: none.
 */
#ifndef KSR_PAGES_MASKED_H
#define KSR_PAGES_MASKED_H

#include "pages/pair.h"

struct ksr_masker {
	const struct ksr_space *space;
	const struct ksr_range *recent;
};

uint64_t ksr_masked_hash(struct ksr_masker *masker, const unsigned char *page);

#endif
