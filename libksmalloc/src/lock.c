/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock.h"

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
