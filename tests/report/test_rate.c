/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast KSM is to look for equal pages: by memory, by what it brings, by what it costs, and never beyond its bounds. */
#include <criterion/criterion.h>

#include "tune/rate.h"

static const struct ksr_rate_bounds bounds = {.least = 100, .most = 5000, .cost = 0.2};

/* Where it ends if the same is seen again and again. */
static uint64_t settle(struct ksr_rate_look look, uint64_t rate)
{
	for (int i = 0; i < 20; i++)
		rate = ksr_rate_next(&bounds, &look, rate);
	return rate;
}

static struct ksr_rate_look seen(double available, int64_t gained, double cost)
{
	return (struct ksr_rate_look){.available = available, .cost = cost, .scanned = 100000, .gained = gained};
}

Test(rate, follows_memory)
{
	cr_assert_eq(settle(seen(0.9, 1000, -1), 5000), 100);
	cr_assert_eq(settle(seen(0.05, 1000, -1), 100), 5000);
	uint64_t between = settle(seen(0.3, 1000, -1), 100);
	cr_assert(between > 600 && between < 800, "%lu", (unsigned long)between);
}

Test(rate, looking_in_vain_is_slow_unless_memory_is_short)
{
	cr_assert_eq(settle(seen(0.3, 0, -1), 5000), 100);
	cr_assert_eq(settle(seen(0.3, -500, -1), 5000), 100);
	cr_assert_eq(settle(seen(0.05, 0, -1), 100), 5000);
}

Test(rate, a_short_look_tells_nothing)
{
	struct ksr_rate_look look = {.available = 0.05, .cost = -1, .scanned = 10, .gained = 0};

	cr_assert_eq(settle(look, 100), 5000);
}

Test(rate, cost_is_a_bound)
{
	struct ksr_rate_look look = seen(0.05, 1000, 0.4);

	/* Twice of what it may cost: half of the pages. */
	cr_assert_eq(ksr_rate_next(&bounds, &look, 4000), 2000);
	look.cost = 0.1;
	cr_assert_eq(ksr_rate_next(&bounds, &look, 4000), 5000);
}

Test(rate, changes_by_two_at_most_and_stays_in_bounds)
{
	struct ksr_rate_look scarce = seen(0.0, 1000, -1);
	struct ksr_rate_look plenty = seen(1.0, 1000, -1);

	cr_assert_eq(ksr_rate_next(&bounds, &scarce, 100), 200);
	cr_assert_eq(ksr_rate_next(&bounds, &plenty, 5000), 2500);
	cr_assert_eq(ksr_rate_next(&bounds, &plenty, 0), 100);
	cr_assert_eq(ksr_rate_next(&bounds, &scarce, 1000000), 5000);
}
