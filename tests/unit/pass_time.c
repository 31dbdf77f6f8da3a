/* SPDX-License-Identifier: BSD-2-Clause */
/* When the next pass is made, and when a process counts as one that rests; the clock is the test's. */
#include "pass/time.h"

#include <criterion/criterion.h>

static uint64_t now = 1000000;

uint64_t __wrap_ksm_os_now_ms(void);
uint64_t __wrap_ksm_os_now_ms(void)
{
	return now;
}

/* There is no segment to tell of it. */
void __wrap_ksm_offer_note_due(uint64_t due_ms);
void __wrap_ksm_offer_note_due(uint64_t due_ms)
{
	cr_assert_geq(due_ms, now);
}

static struct ksm_pass_time pass_time;

Test(pass_time, one_that_was_of_use_is_followed_soon_by_another_one)
{
	ksm_pass_time_init(&pass_time);
	for (uint32_t i = 0; i < 4; i++)
		ksm_pass_time_wait(&pass_time, 0, false, false);
	cr_assert_geq(pass_time.due_ms - now, 1000, "in vain, the interval doubles");
	now += 20000;
	cr_assert(ksm_pass_time_is_resting(&pass_time));
	ksm_pass_time_wait(&pass_time, 0, true, false);
	cr_assert_leq(pass_time.due_ms - now, 100);
	cr_assert_not(ksm_pass_time_is_resting(&pass_time));
}

/* In a busy group files of others come in the midst of each pass, and it would never rest. */
Test(pass_time, what_came_late_is_looked_at_soon_and_keeps_nobody_from_resting)
{
	ksm_pass_time_init(&pass_time);
	for (uint32_t i = 0; i < 200; i++) {
		now += 100;
		ksm_pass_time_wait(&pass_time, 0, false, true);
		cr_assert_leq(pass_time.due_ms - now, 100);
	}
	cr_assert(ksm_pass_time_is_resting(&pass_time));
}
