/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rest: a write that a stop has cut off goes on, as if it had not been stopped.
 *
 * What it is: before a thread goes on that stands behind a call which has moved a part of its bytes (write, send, and
 * recv with MSG_WAITALL; of pipes, sockets and terminals), the thread is led to the same call for the rest of them
 * (room.h), and from there to where it stood, with what was moved in all. A stop in that call makes it go on again.
 * Programs without handlers of signals rely on it that a write which waits is whole.
 * What it is not: for calls of other kinds (writev, sendmsg): midst.h is for all of them, and not certain.
 *
 * Invariants: a thread that has a signal to handle is left alone: that signal may have ended the call. So is one whose
 * call does not wait, or returns less for another reason, as far as can be told: its second call then ends at once, and
 * what that returns is added if it is not an error. Once a thread is led it needs nobody: the keeper may end.
 *
 * Locking and owner: the hand that made the stop, after its calls and before it ends.
 * Failure: none; the thread goes on with a part, as after SIGSTOP and SIGCONT.
 */
#ifndef KSR_KEEPER_REST_H
#define KSR_KEEPER_REST_H

#include "keeper/stop.h"
#include "ksmalloc/room.h"

/* How many threads were led. */
size_t ksr_rest_lead(const struct ksr_stop *stop, const struct ksr_room *room);

#endif
