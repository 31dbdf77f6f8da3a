/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lists: Perl's lists of free heads and bodies, and what of them is set aside.
 *
 * What it is: Perl cuts heads of values and, by type, their bodies from arenas of 4 KiB that it gets from malloc, and
 * keeps free ones in a list for each. Where a list is empty it makes a new arena: all that comes then lies as it does
 * in any other worker that has emptied the list at the same value.
 * What it is not: for several threads, or in the middle of an op. No arena is made or given back here.
 *
 * Bounds: a list that is longer than a few arenas is left as it is, so that what a program has freed is used again.
 * What was set aside comes back by ksp_lists_return(): there is never more of it than so much a list.
 * Failure: none.
 */
#ifndef KSP_LISTS_H
#define KSP_LISTS_H

struct interpreter; /* Perl's */

/* Sets free heads and bodies aside. */
void ksp_lists_empty(struct interpreter *perl);

/* What was set aside is free again. */
void ksp_lists_return(struct interpreter *perl);

/* What was set aside is not used again: it lies in memory that the child of a fork shares. */
void ksp_lists_forget(void);

#endif
