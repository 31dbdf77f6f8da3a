/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grow: room for one element more.
 *
 * What it is: lists that become twice as long each time that they are full, so that a million elements are copied
 * some twenty times: with their room beside them, or where only the number of elements is kept.
 * What it is not: a list; elements are put in by whoever has it.
 * Invariants: what there is keeps its place in the order.
 * Locking and owner: the list stays its owner's.
 * Failure: NULL without memory; then all stays as it was.
 */
#ifndef KSR_READ_GROW_H
#define KSR_READ_GROW_H

#include <stdlib.h>

#include "base.h"

#define KSR_GROW_FIRST 64u /* elements */

/* The list, with room for one more than count elements of so many bytes. */
KSM_INLINE void *ksr_grow(void *list, size_t count, size_t *room, size_t bytes)
{
	size_t wanted = *room ? 2 * *room : KSR_GROW_FIRST;
	void *larger = list;

	if (count < *room)
		return list;
	larger = reallocarray(list, wanted, bytes);
	if (larger)
		*room = wanted;
	return larger;
}

/* The same for lists without a room of their own, which have that of the next power of two. */
KSM_INLINE void *ksr_grow_by_count(void *list, size_t count, size_t bytes)
{
	if (count && !ksm_is_power_of_two(count))
		return list;
	return reallocarray(list, count ? 2 * count : 1, bytes);
}

#endif
