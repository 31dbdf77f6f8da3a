/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * history: what has decided where the memory of this process lies (layout: ksmalloc/history.h).
 *
 * What it is: a list of anchors and of what was taken of the region heap after each, for those who
 * look for where two processes went apart. What it is not: needed for anything that the library
 * does; and not for the private layout.
 *
 * Memory: a mapping of its own, which never merges, since names are in it. Pages that no event has
 * reached cost nothing. Locking: none; events take their places by an atomic. May be called from a
 * signal handler. Failure: without memory, or when all places are taken, nothing is kept.
 */
#ifndef KSM_HISTORY_H
#define KSM_HISTORY_H

#include "base.h"

#include <ksmalloc/history.h>

/* Before memory of the region heap is taken, if the layout is shared. */
KSM_COLD void ksm_history_init(void);

/* Where it lies; NULL: there is none. */
const struct ksmalloc_history *ksm_history(void);

/* The current thread, the first of its depth, passes an anchor that leads to the stream. */
void ksm_history_add_anchor(uint64_t hash, uint32_t stream, const char *name, size_t length);

/* This process is a child that has not entered its depth yet. */
void ksm_history_add_fork(void);

/*
 * Memory was taken; kind is KSMALLOC_EVENT_BLOCKS with an arena's number, or KSMALLOC_EVENT_OBJECTS
 * with a stream's.
 */
void ksm_history_add_memory(enum ksmalloc_event_kind kind, uint32_t number, uintptr_t begin,
			    size_t length);

#endif
