/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stop: all threads of a process stand still, by ptrace, and go on as they were.
 *
 * What it is: PTRACE_SEIZE and PTRACE_INTERRUPT for each thread, until a look at
 * the process shows none that does not stand. No signal is sent and the parent
 * sees nothing. Every thread stands where signals would be delivered, so that
 * the kernel restarts what it interrupted, all but the system calls that any
 * stop ends with EINTR, SIGSTOP and SIGCONT too: epoll_wait, semop,
 * sigtimedwait, io_getevents, and sockets with a limit of time (call.h restarts
 * those of the others that have no limit of time). A read or write that moved
 * part of its bytes returns that part: midst.h is asked before, and rest.h has
 * some of them go on. tests/keeper/calls.c tries them.
 *
 * What it is not: a way to keep other processes from writing into the memory:
 * a child of vfork, and whatever was made with CLONE_VM alone, runs on. (A
 * thread that waits for a child of vfork cannot be stopped: -ETIMEDOUT.)
 *
 * Invariants: a signal that arrives is delivered where and when it would have
 * been, before the thread stands, or remains pending; a handler may begin, but
 * runs nothing of its own. No signal is taken from the kernel's queue and kept
 * here, so that the tracer's death loses none. A process that SIGSTOP had
 * stopped, or is stopped by it meanwhile, is in that state afterwards, and what
 * SIGCONT has continued runs. PTRACE_O_EXITKILL is never set. Soon after the limit of the
 * stop, or of the last call, the process stands no more: who has not ended the stop by then is killed,
 * also where it is stopped itself.
 *
 * Locking and owner: runs in a hand (hand.h), which waits for nothing but the
 * threads of one stop. Only this process may use them.
 *
 * Failure: -errno, and those that stood go on. -ETIMEDOUT where a thread did
 * not come to a stop in time (it sleeps uninterruptibly): the hand has to end,
 * which alone detaches from that thread. Where the kernel does not even answer
 * in time (an execve is going on) the hand ends itself. -EBUSY where a thread is traced by
 * somebody else already (a debugger, strace), -EPERM where the kernel forbids
 * it (another user, not dumpable, yama, a security module), -ESRCH where the
 * process, or the program in it, is no more.
 */
#ifndef KSR_KEEPER_STOP_H
#define KSR_KEEPER_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "keeper/image.h"

struct ksr_thread {
	pid_t tid;
	bool seized;
	bool stands;
	int group_stop; /* the signal by which the whole process was stopped, or 0 */
};

struct ksr_stop {
	const struct ksr_image *image;
	uint64_t deadline; /* on CLOCK_MONOTONIC, in ns; the stop ends then or has begun */
	timer_t watch; /* kills the hand soon after the deadline, whatever holds it up */
	bool watched;
	struct ksr_thread *threads; /* ended ones too: ask stands */
	size_t count;
	size_t capacity;
};

/* What a thread did that the tracer was told of. */
enum ksr_news {
	KSR_NEWS_STANDS, /* where it was asked to, or where the whole process was stopped */
	KSR_NEWS_SIGNAL, /* it is about to get one, or to lose it, as ksr_stop_continue says */
	KSR_NEWS_ENDED,
};

int ksr_stop(struct ksr_stop *stop, const struct ksr_image *image, uint64_t limit_ns);
/* The same, but where it fails those that stand do so until ksr_stop_end(). */
int ksr_stop_begin(struct ksr_stop *stop, const struct ksr_image *image, uint64_t limit_ns);
/* From now on; as a call begins. The process is not held for longer: see the invariants. */
void ksr_stop_limit(struct ksr_stop *stop, uint64_t limit_ns);
/* All go on. It may be called at any time, and again. */
void ksr_stop_end(struct ksr_stop *stop);

/* How many of its threads stand. */
size_t ksr_stop_standing(const struct ksr_stop *stop);

/* Is the process stopped by a signal as well? */
bool ksr_stop_in_group_stop(const struct ksr_stop *stop);

/*
 * For one that stands: it goes on, alone, with a signal or 0. The signal is delivered as it came
 * where it is the one that KSR_NEWS_SIGNAL told of.
 */
int ksr_stop_continue(struct ksr_thread *thread, int number);

/*
 * Waits until one of the threads stands, or ended. -ETIMEDOUT at the deadline; -EAGAIN, which a
 * tick of the hand's timer brings too, where there is nothing yet; -ESRCH where no thread is left. What
 * KSR_NEWS_SIGNAL tells of is not taken from the kernel: who dies now leaves it to the thread.
 */
int ksr_stop_wait(struct ksr_stop *stop, struct ksr_thread **thread, enum ksr_news *news, int *number);

/* Takes the news of a stop, also of a signal, which is then lost. */
void ksr_stop_take(struct ksr_thread *thread);

#endif
