/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pages: which of ruby's pages new objects go to after a collection.
 *
 * What it is: the collector frees slots here and there in pages that exist, and ruby takes such pages up some at a
 * time, the last one first, as many as have 2048 free slots. One slot more, and these lots are others, and with them
 * all that comes later. So pages are taken in their order, whatever the lots are. Pages with few free slots are left
 * until the next collection: some objects in each of very many pages would make all of them differ. At a boundary
 * (boundaries.h) pages are left out up to one whose address says so: what was a page behind is not any longer.
 *
 * What it is not: a place for new memory. No object is moved, and nothing is freed. What is left out is there again
 * after the next collection.
 *
 * Where it looks: into ruby's own records of its pages, which it finds by the first word of a page. Of ruby 3.1 only,
 * and only if all in them is as it is there, and agrees with what ruby tells of that page.
 *
 * Locking: all is called with ruby's lock, and without ractors. Failure: none; pages are taken as ruby takes them.
 */
#ifndef KRB_PAGES_H
#define KRB_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "value.h"

#define KRB_PAGE_BYTES ((uintptr_t)16384) /* HEAP_PAGE_SIZE, and the alignment of a page */

/* The page that an object lies in. */
static inline uintptr_t krb_page_of(value object)
{
	return object & ~(KRB_PAGE_BYTES - 1);
}

/*
 * To be called once, with the slots of any page, as ruby tells of them. False where pages are not as they
 * are known: none of the others may be called then.
 */
bool krb_pages_start(const void *begin, const void *end, size_t slot_bytes);

/* How many there are. */
size_t krb_pages_count(void);

/*
 * To be called when ruby may have swept some pages, in its so many-th collection, before objects are put there. Returns
 * how many of them are taken next.
 */
unsigned int krb_pages_swept(size_t collections);

/* To be called at a boundary, when no collection runs. */
void krb_pages_skip(void);

#endif
