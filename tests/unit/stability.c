/* SPDX-License-Identifier: BSD-2-Clause */
#include "slot/stability.h"

#include <criterion/criterion.h>

#define UNKNOWN	 KSMALLOC_STABILITY_UNKNOWN
#define VOLATILE KSMALLOC_STABILITY_VOLATILE
#define SETTLED	 KSMALLOC_STABILITY_SETTLED
#define PAGES	 8

static struct ksm_stability stability_of(enum ksmalloc_stability now)
{
	struct ksm_stability stability;

	ksm_stability_init(&stability, now);
	return stability;
}

/* Notes comparisons until the state changes; how many it took, 0 if most were not enough. */
static int until_change(struct ksm_stability *stability, uint32_t changed, int most)
{
	for (int i = 1; i <= most; i++) {
		if (ksm_stability_note(stability, PAGES, changed))
			return i;
	}
	return 0;
}

Test(stability, one_quiet_comparison_settles)
{
	struct ksm_stability stability = stability_of(UNKNOWN);

	cr_assert(ksm_stability_note(&stability, PAGES, 0));
	cr_assert_eq(stability.now, SETTLED);
	cr_assert_not(ksm_stability_note(&stability, PAGES, 0), "it changes once only");
}

Test(stability, few_pages_say_nothing)
{
	struct ksm_stability stability = stability_of(UNKNOWN);

	for (uint32_t pages = 0; pages < KSM_STABILITY_LEAST_PAGES; pages++) {
		cr_assert_not(ksm_stability_note(&stability, pages, 0));
		cr_assert_not(ksm_stability_note(&stability, pages, pages));
	}
	cr_assert_eq(stability.now, UNKNOWN);
	cr_assert(ksm_stability_note(&stability, KSM_STABILITY_LEAST_PAGES, 0));
}

Test(stability, one_changed_page_unsettles)
{
	struct ksm_stability stability = stability_of(SETTLED);

	cr_assert(ksm_stability_note(&stability, PAGES, 1));
	cr_assert_eq(stability.now, UNKNOWN);
}

Test(stability, to_settle_again_takes_twice_as_long)
{
	struct ksm_stability stability = stability_of(UNKNOWN);
	int expected = 1;

	for (int round = 0; round < 10; round++) {
		cr_assert_eq(until_change(&stability, 0, 1000), expected);
		cr_assert_eq(stability.now, SETTLED);
		cr_assert_eq(until_change(&stability, 1, 1), 1);
		cr_assert_eq(stability.now, UNKNOWN);
		expected = expected < 32 ? 2 * expected : 32;
	}
}

Test(stability, a_changed_page_starts_the_quiet_ones_anew)
{
	struct ksm_stability stability = stability_of(SETTLED);

	cr_assert(ksm_stability_note(&stability, PAGES, 1));
	cr_assert_not(ksm_stability_note(&stability, PAGES, 0));
	cr_assert_not(ksm_stability_note(&stability, PAGES, 1));
	cr_assert_not(ksm_stability_note(&stability, PAGES, 0));
	cr_assert(ksm_stability_note(&stability, PAGES, 0));
}

Test(stability, three_noisy_comparisons_make_volatile)
{
	struct ksm_stability stability = stability_of(UNKNOWN);

	cr_assert_eq(until_change(&stability, PAGES / 2, 100), 3);
	cr_assert_eq(stability.now, VOLATILE);
	cr_assert_eq(until_change(&stability, PAGES, 100), 0, "it stays volatile");
}

Test(stability, few_changed_pages_make_nothing_volatile)
{
	struct ksm_stability stability = stability_of(UNKNOWN);

	cr_assert_eq(until_change(&stability, PAGES / 2 - 1, 100), 0);
	cr_assert_eq(stability.now, UNKNOWN);
	/* And they break a row of noisy ones. */
	cr_assert_not(ksm_stability_note(&stability, PAGES, PAGES));
	cr_assert_not(ksm_stability_note(&stability, PAGES, PAGES));
	cr_assert_not(ksm_stability_note(&stability, PAGES, 1));
	cr_assert_eq(until_change(&stability, PAGES, 100), 3);
}

Test(stability, a_settled_site_turns_volatile_by_way_of_unknown)
{
	struct ksm_stability stability = stability_of(SETTLED);

	cr_assert_eq(until_change(&stability, PAGES, 100), 1);
	cr_assert_eq(stability.now, UNKNOWN);
	cr_assert_eq(until_change(&stability, PAGES, 100), 3);
	cr_assert_eq(stability.now, VOLATILE);
}

Test(stability, a_volatile_site_comes_back_by_way_of_unknown)
{
	struct ksm_stability stability = stability_of(VOLATILE);

	cr_assert_eq(until_change(&stability, 0, 100), 2);
	cr_assert_eq(stability.now, UNKNOWN);
	cr_assert_eq(until_change(&stability, 0, 100), 1);
	cr_assert_eq(stability.now, SETTLED);
}

/* A site that is written in every other second must not change its hint each second. */
Test(stability, flapping_is_bounded)
{
	struct ksm_stability stability = stability_of(UNKNOWN);
	int changes = 0;

	for (int i = 0; i < 10000; i++)
		changes += ksm_stability_note(&stability, PAGES, i % 2 ? 1 : 0);
	cr_assert_leq(changes, 2);
	stability = stability_of(UNKNOWN);
	for (int i = changes = 0; i < 10000; i++)
		changes += ksm_stability_note(&stability, PAGES, i % 40 ? 0 : PAGES);
	cr_assert_leq(changes, 10000 / 40 * 2 + 12);
}

Test(stability, the_program_may_settle_and_be_wrong)
{
	struct ksm_stability stability = stability_of(VOLATILE);

	cr_assert(ksm_stability_settle(&stability));
	cr_assert_eq(stability.now, SETTLED);
	cr_assert_not(ksm_stability_settle(&stability), "it is said already");
	cr_assert(ksm_stability_note(&stability, PAGES, 1));
	cr_assert_eq(stability.now, UNKNOWN);
}
