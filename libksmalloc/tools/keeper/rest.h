/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rest: a write that a stop has cut off goes on, as if it had not been stopped.
 *
 * What it is: before a thread goes on that stands behind a write(2) to a pipe or a terminal which has moved a part of its
 * bytes, the thread is led to the same call for the rest of them
 * (room.h), and from there to where it stood, with what was moved in all. A stop in that call makes it go on again.
 * Programs without handlers of signals rely on it that a write which waits is whole.
 * What it is not: for other calls (writev), or for sockets, where a second call is not the rest of the first one: it takes
 * an error that the program's next call is to see. midst.h is for all of them, and not certain.
 *
 * Invariants: a thread that has a signal to handle is left alone: that signal may have ended the call. One that comes
 * between this look and the thread's going on is handled before the rest is called for. So is one whose
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
