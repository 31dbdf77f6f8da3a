/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * start: the beginning and the end of the library in a process.
 *
 * What it is: the order in which the parts are set up, in two steps. The first one opens the gate:
 * ksm_start_init(), at load, or at the first call that comes before. Until then each malloc and free takes the
 * slow path, which calls it. The second one sets up what large blocks need, when the first one is
 * allocated: ksm_start_slots(). If that fails, all blocks are jemalloc's.
 * What it is not: the parts themselves, or the constructor (preload/start.c).
 *
 * Locking: none; one thread gets through to each step, and others do not wait for it: until it is done their
 * blocks are jemalloc's.
 * Failure: without memory for more the jemalloc part alone is a complete malloc.
 */
#ifndef KSM_START_H
#define KSM_START_H

#include "base.h"

#include <stdatomic.h>

enum ksm_start {
	KSM_START_NONE,
	KSM_START_RUNNING,	/* one thread is at it; its own large blocks are jemalloc's */
	KSM_START_DONE,
	KSM_START_FAILED,
};

/* How far the two steps are. Synchronization: atomic. */
extern atomic_int ksm_start_of_calls __attribute__((visibility("hidden"))); /* the gate */
extern atomic_int ksm_start_of_slots __attribute__((visibility("hidden"))); /* what large blocks need */

/* Reads the options and opens the gate. environment may be NULL when it is not known yet. */
KSM_COLD void ksm_start_init(char *const *environment);

/* True if nobody has begun with that. */
KSM_INLINE bool ksm_start_is_due(void)
{
	return atomic_load_explicit(&ksm_start_of_calls, memory_order_relaxed) == KSM_START_NONE;
}

/* Makes the segment a file where the user asked for one: when it is clear that the process stays. */
void ksm_start_publish(void);

/*
 * Sets up what large blocks need, unless that is done. Returns true if blocks
 * can be placed; false if that failed or another thread is just at it.
 */
KSM_COLD bool ksm_start_slots(void);

/* The same, but waits a while for another thread that is just at it. For explicit calls. */
bool ksm_start_slots_wait(void);

/* True if blocks can be placed. */
KSM_INLINE bool ksm_start_has_slots(void)
{
	return atomic_load_explicit(&ksm_start_of_slots, memory_order_acquire) == KSM_START_DONE;
}

/* Removes what must not outlive the process. */
void ksm_start_fini(void);

#endif
