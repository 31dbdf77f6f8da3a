/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lists: Perl's lists of free heads and bodies, and what of them is set aside.
 *
 * What it is: Perl cuts heads of values and, by type, their bodies from arenas of 4 KiB that it gets from malloc, and
 * keeps free ones in a list for each. Where a list is empty it makes a new arena: all that comes then lies as it does
 * in any other worker that has emptied the list at the same value. What was in it is set aside, and comes back at every
 * so many boundaries, when all workers get it back, rather than when there is so much: workers that were apart
 * for a while have set aside other ones for ever, and go on alike until then.
 * What it is not: for several threads, or in the middle of an op. No arena is made or given back here.
 *
 * Bounds: what comes back is what a few boundaries have set aside, each no more than a few arenas of a list. A long
 * list goes on at another place in it: what a program has freed is used again.
 * Failure: none.
 */
#ifndef KSP_LISTS_H
#define KSP_LISTS_H

#include <stdbool.h>

struct interpreter; /* Perl's */

/* All lists go on at a place that other workers find, too; with what was set aside, or in new arenas. */
void ksp_lists_renew(struct interpreter *perl, bool with_aside);

/*
 * Free heads and bodies are not used again: they lie in memory that the child of a fork shares, or among what was made of
 * arguments and environment.
 */
void ksp_lists_leave(struct interpreter *perl);

#endif
