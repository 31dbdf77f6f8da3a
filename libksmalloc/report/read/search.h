/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * search: where a number is among what is sorted by numbers: addresses, ids, keys.
 *
 * What it is: the search by halves, once for all stages. Header only, so that a caller's function is part of its loop.
 * What it is not: bsearch(3), which does not tell where something that is missing belongs, or which is the first of equals.
 * Locking and owner: pure.
 * Failure: none.
 */
#ifndef KSR_READ_SEARCH_H
#define KSR_READ_SEARCH_H

#include "base.h"

/* The number that an element is sorted by; it never falls from one element to the next. */
typedef uint64_t ksr_search_number(const void *element);

/* The index of the first of count elements of stride bytes whose number is wanted or more; count if there is none. */
KSM_INLINE size_t ksr_search_from(const void *elements, size_t count, size_t stride, ksr_search_number *number_of,
				  uint64_t wanted)
{
	size_t low = 0;
	size_t high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (number_of((const char *)elements + middle * stride) < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The same for the first whose number is more than that. */
KSM_INLINE size_t ksr_search_above(const void *elements, size_t count, size_t stride, ksr_search_number *number_of,
				   uint64_t number)
{
	return number == UINT64_MAX ? count : ksr_search_from(elements, count, stride, number_of, number + 1);
}

#endif
