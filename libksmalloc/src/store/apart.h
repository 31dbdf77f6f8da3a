/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apart: memory of the span of which the program has said what sharing would lose.
 *
 * What it is: ranges that are not shared from now on, and those that are not shared on huge pages.
 * What it is not: what is said of the program's own mappings outside of the span; mapping.h knows that.
 *
 * Invariants: what was set apart stays so for the life of the process.
 * Locking: none; atomic words. madvise(2) may be called from signal handlers.
 * Failure: where there is no room left for another range, all counts as set apart.
 */
#ifndef KSM_APART_H
#define KSM_APART_H

#include "base.h"

/*
 * The program has said of these pages what a new mapping would lose. A few ranges are told apart; with more of them
 * nothing is shared any more.
 */
void ksm_apart_keep_out(const void *addr, size_t length);
bool ksm_apart_is_kept_out(const void *addr, size_t length);

/* The program has asked for no huge pages there: all between such ranges counts as one of them, and all outside of the span. */
void ksm_apart_keep_small(const void *addr, size_t length);
bool ksm_apart_is_kept_small(const void *addr, size_t length);

#endif
