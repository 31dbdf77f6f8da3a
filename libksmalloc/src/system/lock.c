/* SPDX-License-Identifier: BSD-2-Clause */
#include "system/lock.h"

/* How often the processor waits, which takes it 40 to 140 cycles: 5 to 20 microseconds in all. */
#define RELAX_TOTAL 400u

/* Between two looks at the lock at the most, as each takes its line from its owner's processor. */
#define RELAX_MOST 16u

bool ksm_lock_try_again(pthread_mutex_t *lock)
{
	uint32_t wait = 1;

	for (uint32_t total = 0; total < RELAX_TOTAL; total += wait) {
		wait = (uint32_t)ksm_min(2 * wait, RELAX_MOST);
		for (uint32_t i = 0; i < wait; i++)
			ksm_lock_relax();
		if (pthread_mutex_trylock(lock) == 0)
			return true;
	}
	return false;
}

#ifdef __GLIBC__
static int owner_of(const pthread_mutex_t *lock)
{
	return __atomic_load_n(&lock->__data.__owner, __ATOMIC_RELAXED);
}

/* This thread's id as locks have it. */
static int own_id(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int id;

	pthread_mutex_lock(&lock);
	id = owner_of(&lock);
	pthread_mutex_unlock(&lock);
	return id;
}

/* Where it is held and nobody's, it is between the two steps of taking or of leaving it. */
enum ksm_lock_holder ksm_lock_holder(pthread_mutex_t *lock)
{
	int owner;

	if (__atomic_load_n(&lock->__data.__lock, __ATOMIC_RELAXED) == 0)
		return KSM_LOCK_FREE;
	owner = owner_of(lock);
	return !owner || owner == own_id() ? KSM_LOCK_OWN : KSM_LOCK_OTHERS;
}

bool ksm_lock_is_own(pthread_mutex_t *lock)
{
	int owner = owner_of(lock);

	return owner && owner == own_id();
}

bool ksm_lock_is_held_recursively(const pthread_mutex_t *lock)
{
	return lock->__data.__kind == PTHREAD_MUTEX_RECURSIVE_NP && lock->__data.__count && lock->__data.__owner;
}

void ksm_lock_follow_fork(pthread_mutex_t *lock)
{
	if (ksm_lock_is_held_recursively(lock))
		__atomic_store_n(&lock->__data.__owner, own_id(), __ATOMIC_RELAXED);
}
#else
enum ksm_lock_holder ksm_lock_holder(pthread_mutex_t *lock)
{
	if (pthread_mutex_trylock(lock) != 0)
		return KSM_LOCK_OWN;
	pthread_mutex_unlock(lock);
	return KSM_LOCK_FREE;
}

bool ksm_lock_is_own(pthread_mutex_t *lock)
{
	(void)lock;
	return false;
}

bool ksm_lock_is_held_recursively(const pthread_mutex_t *lock)
{
	(void)lock;
	return false;
}

void ksm_lock_follow_fork(pthread_mutex_t *lock)
{
	(void)lock;
}
#endif
