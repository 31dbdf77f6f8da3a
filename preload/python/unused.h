/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unused: gives back the pages of slabs that no object lies in.
 *
 * What it is: what is done while a process has nothing to do. A slab that holds one object keeps all that ever lay in
 * it, and so does each of those that are kept empty. Nobody reads that again, and it is seldom equal in two workers:
 * their last requests were not the same.
 * What it is not: a change of any place. Which slab and place an object gets follows from what lives, as before; only
 * the memory behind free places reads as zeros then. So it may be done at any time, in one worker and not in another.
 *
 * Synchronization: the caller's lock, as in slabs.h.
 */
#ifndef KSP_UNUSED_H
#define KSP_UNUSED_H

#include "heap.h"

/* Goes through all slabs of all streams that have room. give_back() is called for whole pages. */
void ksp_unused_give_back(void (*give_back)(void *pages, size_t bytes));

#endif
