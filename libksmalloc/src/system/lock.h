/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock: the kind of lock that memory is under.
 *
 * What it is: a mutex, and waiting for it for longer than its owner keeps it if that one runs: what it
 * protects takes some hundred nanoseconds, and who sleeps needs as many microseconds to go on. libc's own
 * way of spinning gives up after a few hundred nanoseconds.
 * What it is not: the order of locks; see src/README.md.
 */
#ifndef KSM_LOCK_H
#define KSM_LOCK_H

#include "base.h"

#include <pthread.h>

#define KSM_LOCK_INITIALIZER PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP

KSM_INLINE void ksm_lock_init(pthread_mutex_t *lock)
{
	*lock = (pthread_mutex_t)KSM_LOCK_INITIALIZER;
}

/* Lets the processor do something else for a moment. */
KSM_INLINE void ksm_lock_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	/* "yield" does nothing on most processors. This one takes as long as the other machine's pause. */
	__asm__ volatile("isb");
#endif
}

/* For who did not get it at once: tries again for some microseconds. */
KSM_COLD bool ksm_lock_try_again(pthread_mutex_t *lock);

/* False if the lock's owner keeps it for long: it does not run, or has asked the kernel for something. */
KSM_INLINE bool ksm_lock_try(pthread_mutex_t *lock)
{
	return ksm_likely(pthread_mutex_trylock(lock) == 0) || ksm_lock_try_again(lock);
}

enum ksm_lock_holder {
	KSM_LOCK_FREE,
	KSM_LOCK_OTHERS,
	KSM_LOCK_OWN,
};

/*
 * Who has the lock, for a signal handler, which may have interrupted the one who has it, and must not wait for that one: not
 * for a moment, since the next signal may come before it has gone on by an instruction. So it is this thread in doubt.
 * Takes no system call; with glibc, it only reads.
 */
enum ksm_lock_holder ksm_lock_holder(pthread_mutex_t *lock);

/* Has this thread taken it? Not while it is about to take or to leave it. False without glibc. */
bool ksm_lock_is_own(pthread_mutex_t *lock);

/* Does it look like a recursive lock that somebody has? It may be any memory. False without glibc. */
bool ksm_lock_is_held_recursively(const pthread_mutex_t *lock);

/*
 * For the child of a process with one thread: a recursive lock that is held is the thread's own, which has another id
 * by now, and could never leave it. Source of the states: glibc's pthread_mutex_unlock(3), which compares ids.
 */
void ksm_lock_follow_fork(pthread_mutex_t *lock);

KSM_INLINE void ksm_lock_take(pthread_mutex_t *lock)
{
	if (ksm_unlikely(!ksm_lock_try(lock)))
		pthread_mutex_lock(lock);
}

#endif
