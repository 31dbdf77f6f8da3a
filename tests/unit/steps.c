/* SPDX-License-Identifier: BSD-2-Clause */
/* A block is picked for as many bytes as it has on average, whatever repeats around it. */
#include "system/steps.h"

#include <criterion/criterion.h>

/* Two sizes in turns, and what each of them stands for in the end. */
static void check(uint64_t one, uint64_t other, uint64_t average)
{
	enum { TURNS = 4000000 };
	struct ksm_steps steps = { 0 };
	double picked[2] = { 0 };

	for (uint32_t i = 0; i < TURNS; i++)
		picked[i % 2] += (double)ksm_steps_add(&steps, i % 2 ? other : one, 5, average);
	for (uint32_t i = 0; i < 2; i++) {
		double truth = (double)(i ? other : one) * (TURNS / 2);

		/* Four standard deviations. */
		double error = picked[i] / truth - 1;
		double bound = 16 * (double)average / truth;

		cr_assert_leq(error * error, bound, "%f of %f with steps of %lu", picked[i], truth,
			      (unsigned long)average);
	}
}

Test(steps, test_what_repeats_is_not_preferred)
{
	check(64, 64, 65536);
	check(64, 192, 65536);
	check(16, 16384, 65536);
	check(20480, 32768, 65536);
	check(100000, 300000, 65536);
	check(48, 14336, 16384);
}

Test(steps, test_a_large_block_stands_for_itself)
{
	struct ksm_steps steps = { 0 };

	cr_assert_eq(ksm_steps_add(&steps, 1 << 30, 1, 4096), 1 << 30);
	cr_assert_gt(steps.due, steps.count);
}
