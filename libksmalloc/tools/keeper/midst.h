/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * midst: is a thread in the midst of a system call that a stop would cut short?
 *
 * What it is: a look at all threads before a stop (/proc/PID/task/TID/syscall). A call that writes, or that waits for all that it
 * is to receive (MSG_WAITALL), returns a part of it when its thread is stopped after it has moved some; without signal handlers programs need not
 * expect that. While a thread waits in such a call the process is not to be stopped.
 * What it is not: certain. A thread may begin such a call, and wait in it, between the look and the stop.
 *
 * Locking and owner: one thread.
 * Failure: -EAGAIN if there is one, -ESRCH where the process is no more. What the kernel does not tell counts as none.
 */
#ifndef KSR_KEEPER_MIDST_H
#define KSR_KEEPER_MIDST_H

#include "keeper/image.h"

int ksr_midst_check(const struct ksr_image *image);

#endif
