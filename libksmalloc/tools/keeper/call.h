/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call: runs one function of a process that stands, in one of its threads.
 *
 * What it is: the thread is led to the function, on a stack of the room
 * (room.h), and afterwards back to where it stood, with all its registers, its
 * mask of signals, and the system call that it was in, whose restart sees
 * nothing of what was between (a sleep does not grow longer). The function runs
 * while all others stand.
 *
 * What it is not: a call of any function. It must not use memory of the thread
 * itself (stack protector, errno and other thread-local variables), must not
 * take locks, wait, or return by other ways; arguments are integers. README.md
 * has what the code around it asks of the kernel.
 *
 * Invariants: signals are kept away from the thread, in the kernel's own queues,
 * and delivered afterwards in their order. SIGSTOP takes effect after the call.
 * If the tracer dies, at any moment, the function is run whole with all others
 * still waiting, or not at all, and then every thread goes on as it was.
 *
 * How the end is seen: the thread sends itself a signal that the program
 * ignores, which the tracer takes away; should there be no tracer any more,
 * nothing has happened.
 *
 * Locking and owner: the hand that made the stop.
 *
 * Failure: -errno, and the process is as before, but for -EFAULT: the function
 * was ended by a fault of its own (its memory is as it had left it).
 * -ETIMEDOUT: the function has not returned in time; all others go on once it
 * has, by themselves. The process cannot be called any more in this stop: end
 * it. -EAGAIN: not now (the process is stopped by a signal as well, or each of
 * its threads is where it must not be disturbed). -EACCES: filters of system
 * calls were added to any thread since the room was offered, or all but a few
 * are forbidden. -EOPNOTSUPP, -ENOSYS: see registers.h. -ENOSPC: the room is too
 * small. -ESRCH: the process ended, or had begun another program.
 */
#ifndef KSR_KEEPER_CALL_H
#define KSR_KEEPER_CALL_H

#include <stdint.h>

#include "ksmalloc/room.h"
#include "keeper/stop.h"

struct ksr_request {
	uint64_t function; /* address in the process */
	uint64_t arguments[KSR_ROOM_ARGUMENTS];
	uint64_t limit_ns;
	pid_t thread; /* asked first whether it can be called; 0: the main thread */
};

int ksr_call(struct ksr_stop *stop, const struct ksr_room *room, const struct ksr_request *request,
	     int64_t *result);

#endif
