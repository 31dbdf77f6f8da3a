/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ranges: a set of address ranges.
 *
 * What it is: ranges that are added and taken out by address, in pieces or as a whole, each with
 * a mark (reserved or not), the bytes of either kind, and the search for the lowest free place.
 * Pure bookkeeping; each call takes time in the logarithm of the number of ranges, and more for
 * each range that is taken out.
 * What it is not: memory that ranges describe; nothing there is read, mapped or unmapped.
 *
 * Invariants (ksm_ranges_check()): ranges do not overlap, and those that touch and have the same
 * mark are one. Begin and end are multiples of the page size.
 * Locking: the caller's. A set that is all zeros is empty.
 * Failure: without memory for the set, a range (or the upper part of one that was cut in two) is
 * forgotten, and the call returns false; the set is in order all the same.
 */
#ifndef KSM_RANGES_H
#define KSM_RANGES_H

#include "base.h"
#include "mapping/ranges_pool.h"

/* What ksm_ranges_place() can align to other than pages. */
#define KSM_RANGES_ALIGNMENT (2 * KSM_MIB)

struct ksm_range {
	uintptr_t begin;
	uintptr_t end;
	bool reserved;
};

struct ksm_ranges_node;

struct ksm_ranges {
	struct ksm_ranges_node *root; /* NULL if the set is empty */
	struct ksm_ranges_pool pool;
	size_t count;
	bool keeps_gaps;   /* since the first search for a place */
	uint64_t bytes[2]; /* of ranges that are not reserved, and of those that are */
};

/* Makes [begin, end) a range, or a part of one, in the place of what was there. */
bool ksm_ranges_add(struct ksm_ranges *set, struct ksm_range range);

/* Takes [begin, end) out; cuts ranges that reach beyond it. */
bool ksm_ranges_remove(struct ksm_ranges *set, uintptr_t begin, uintptr_t end);

/* The first range that ends after address. False if there is none. */
bool ksm_ranges_find(const struct ksm_ranges *set, uintptr_t address, struct ksm_range *range);

/*
 * The lowest address from at on, a multiple of alignment (a page, or KSM_RANGES_ALIGNMENT), where
 * length bytes are in no range and below end. 0 if there is none.
 */
uintptr_t ksm_ranges_place(struct ksm_ranges *set, uintptr_t at, uintptr_t end, size_t length,
			   size_t alignment);

/* Checks the invariants by looking at all of it; for tests. True if they hold. */
bool ksm_ranges_check(const struct ksm_ranges *set);

#endif
