/* SPDX-License-Identifier: BSD-2-Clause */
/* How often a thread is asked whose blocks it allocates: less often for what it frees again at once. */
#include "calls/pick.h"

#include "arena/arena.h"
#include <criterion/criterion.h>

/* Samples of a thread that has allocated so much, from a place on. */
static uint32_t samples(uint64_t from, uint64_t bytes)
{
	uint64_t due = from;
	uint64_t at = from;
	uint32_t count = 0;

	while (at < from + bytes) {
		at += ksm_heap_next_sample(at, &due);
		count++;
	}
	return count;
}

Test(pick, what_is_freed_again_has_fewer_samples_than_what_is_held)
{
	uint32_t freed, held;

	/* Next to nothing is held here, whatever was allocated. */
	cr_assert_lt(ksm_arena_mapped_bytes(), 16 * KSM_MIB);
	freed = samples(64 * KSM_MIB, 64 * KSM_MIB);
	/* Steps of 64 KiB make 1024. */
	cr_assert_lt(freed, 300);
	held = samples(0, 4 * KSM_MIB);
	cr_assert_geq(held, 56);
	cr_assert_leq(held, 72);
}
