/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock: the kind of lock that memory is under.
 *
 * What it is: a mutex that spins for a moment before it sleeps, since what it protects takes some
 * hundred nanoseconds and two system calls take thousands. Header only.
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

#endif
