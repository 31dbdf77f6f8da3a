/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks: who tries one that is kept goes on without it, and who takes one has it alone. */
#include "system/lock.h"

#include <criterion/criterion.h>

#define THREADS 4
#define TURNS	20000

static pthread_mutex_t lock = KSM_LOCK_INITIALIZER;
static uint64_t turns; /* Synchronization: lock. */

Test(lock, what_is_kept_is_not_waited_for)
{
	cr_assert(ksm_lock_try(&lock));
	cr_assert_not(ksm_lock_try(&lock));
	pthread_mutex_unlock(&lock);
	cr_assert(ksm_lock_try(&lock));
}

static void *take_turns(void *argument)
{
	for (uint32_t i = 0; i < TURNS; i++) {
		ksm_lock_take(&lock);
		turns++;
		pthread_mutex_unlock(&lock);
	}
	return argument;
}

Test(lock, is_had_by_one_at_a_time)
{
	pthread_t threads[THREADS];

	for (uint32_t i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, take_turns, NULL), 0);
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(turns, (uint64_t)THREADS * TURNS);
}
