/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * anchor: what brings heaps together again that a small difference has shifted against each other.
 *
 * What it is: events that equal processes pass alike, whatever came before: a file is opened that was not open
 * before, a library is loaded, the program says so, a fork. At each of them the thread's small blocks
 * go on in another stream, which the event's name chooses. One object more in one process shifts those that
 * follow it in the same stream, and no others. A fork leads to streams, slots and stretches that no
 * ancestor has used: what was inherited stays as it was, and what is new does not depend on it.
 * What it is not: for the private layout, or for any thread but the first of its depth of forks; others have
 * one stream each.
 *
 * When: an event may come from a signal handler that has interrupted malloc, so it is only noted, and the gate
 * is closed; the thread's next call that allocates goes to the new stream. Where it makes none while others do many, the
 * gate is opened again, and it goes when it takes the slow path next. Names are hashed
 * with a number of the group's: addresses tell nothing about names that could be guessed.
 * Bounds: a name counts once, and only the first few thousand of them do.
 *
 * Locking: none of its own. What is noted is the thread's; the set of names is atomic.
 * Failure: none; blocks come from the old stream.
 */
#ifndef KSM_ANCHOR_H
#define KSM_ANCHOR_H

#include "base.h"

/*
 * Notes that the current thread passes an event of this name. May be called from a signal handler. A rare one leads to any
 * stream, others to as many as the memory in use is worth.
 */
void ksm_anchor_pass(const void *name, size_t length, bool is_rare);

/*
 * The first thread of a process that was not forked is over its start, of which the least difference, in the environment
 * and arguments, is not to go on: where no anchor leads elsewhere blocks come from another arena from now on. Once.
 */
void ksm_anchor_leave_start(void);

/* What ksm_anchor_pass() does, for the child of a fork, by its only thread. True if it is to go anywhere. */
bool ksm_anchor_pass_fork(void);

/*
 * Goes where the events lead, at the beginning of a call that allocates. False if it is no time to: the call comes
 * out of a capture.
 */
KSM_COLD bool ksm_anchor_go(void);

/* To be called by threads that take the slow path of small blocks and are not due: now and then one opens the gate. */
KSM_COLD void ksm_anchor_pass_by(void);

/* The hash of the last anchor that the current thread has gone to, not 0; 0: there was none at its depth. */
uint64_t ksm_anchor_last(void);

/* Calls moved() in a thread each time that it is to go to another stream: 0, -ENOTSUP, -EBUSY (ksmalloc/stream.h). */
int ksm_anchor_follow(void (*moved)(void));

#endif
