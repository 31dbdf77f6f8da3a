/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * steps: which bytes of many are picked, so that each block is picked for as many bytes as it has, on average.
 *
 * What it is: places in a running count of bytes, half to one and a half of a step from each other, so that what repeats
 * cannot keep pace with them; and what a block stands for that some of them lie in.
 * What it is not: chance. The same count, with the same seed, has the same places.
 *
 * Locking: pure, but for the caller's struct.
 * Failure: none.
 */
#ifndef KSM_STEPS_H
#define KSM_STEPS_H

#include "base.h"

/* A number below the limit that looks like chance, and is the same for the same place. */
KSM_INLINE uint64_t ksm_steps_mix(uint64_t place, uint64_t limit)
{
	uint64_t mixed = (place + 1) * UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (uint64_t)((__uint128_t)(mixed ^ mixed >> 32) * limit >> 64);
}

/* From a place to the next. */
KSM_INLINE uint64_t ksm_steps_next(uint64_t place, uint64_t seed, uint64_t average)
{
	return average / 2 + ksm_steps_mix(place ^ seed << 48, average) + 1;
}

/* As far as it is to the first place from where a count begins, which is somewhere between two. */
KSM_INLINE uint64_t ksm_steps_first(uint64_t seed, uint64_t average)
{
	return ksm_steps_mix(seed, average) + 1;
}

struct ksm_steps {
	uint64_t count;
	uint64_t due; /* the next place; 0: none was chosen yet */
};

/* So many steps that a single block takes are not gone one by one. */
#define KSM_STEPS_AT_ONCE 64u

/* Counts a block, with these steps; what it stands for, 0 if none lies in it. */
KSM_INLINE uint64_t ksm_steps_add(struct ksm_steps *steps, uint64_t bytes, uint64_t seed, uint64_t average)
{
	uint64_t picked = 0;

	if (steps->due == 0)
		steps->due = steps->count + ksm_steps_first(seed, average);
	steps->count += bytes;
	if (bytes > KSM_STEPS_AT_ONCE * average) {
		steps->due = steps->count + ksm_steps_first(steps->count ^ seed << 48, average);
		return bytes;
	}
	while (steps->due <= steps->count) {
		picked += average;
		steps->due += ksm_steps_next(steps->due, seed, average);
	}
	return picked;
}

#endif
