/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * labelled: arenas of runtimes that have a heap of their own, each under a label.
 *
 * What it is: a stretch of address space in the span (a row of slots), of which the runtime has the first bytes as memory:
 * it grows and shrinks at its end. The label's site counts what it holds, and the policy of the label decides whether it
 * merges; one that is private never does.
 * What it is not: an allocator. Nothing here knows what lies in an arena; free() of an address in it is a misuse.
 * jemalloc's arenas (arena.h) are something else.
 *
 * Place: in the shared layout it follows from the label, from how many arenas of this label there are, and from how many
 * slots it takes: not from what else was allocated before. Where two labels choose the same slots, the first one has them.
 * Invariants: what was reserved and is not memory is mapped without rights, so that nothing else comes to lie there. The
 * slots of an arena are all of one pool, side by side, and behind each arena there is at least a page of nobody's.
 * Locking: one lock for all arenas. It is taken before any site's.
 * Failure: -ENOMEM and what mmap(2) says; what was there stays. An address that is no arena's ends the program.
 */
#ifndef KSM_LABELLED_H
#define KSM_LABELLED_H

#include "base.h"

struct ksm_site;

/* Reserves bytes, more than 0, rounded up to pages; none of them is memory yet. *base is what the others know it by. */
int ksm_labelled_reserve(struct ksm_site *site, size_t bytes, bool is_private, void **base);

/*
 * Makes the first bytes memory, and gives back the rest. -ENOSPC if they are more than was reserved. *before: how much was
 * memory. *after: how much is, also after a failure.
 */
int ksm_labelled_resize(void *base, size_t bytes, size_t *before, size_t *after);

/* How much of it is in use, for reports; it counts as a whole before the first call. */
void ksm_labelled_set_live(void *base, size_t bytes);

/* Gives all of it back, address space too. */
int ksm_labelled_release(void *base);

void ksm_labelled_prefork(void);
void ksm_labelled_postfork_parent(void);
void ksm_labelled_postfork_child(void);

#endif
