/* SPDX-License-Identifier: BSD-2-Clause */
/* Of scripts that make a program map memory the one that maps most is known, however many others come by. */
#include "site/behalf.h"

#include <criterion/criterion.h>

static struct ksm_behalf behalf;

static void add(uintptr_t script, uint64_t kib)
{
	const uintptr_t frames[] = { script, script + 1, script + 2 };

	ksm_behalf_add(&behalf, frames, 3, kib * KSM_KIB);
}

static uintptr_t most(void)
{
	const struct ksm_behalf_of *of = ksm_behalf_most(&behalf);

	cr_assert(!of || of->count == 3);
	return of ? of->frames[0] : 0;
}

Test(behalf, nobody_has_mapped_anything)
{
	cr_assert_eq(most(), 0);
	add(100, 0);
	cr_assert_eq(most(), 0);
}

Test(behalf, the_heaviest_is_not_replaced_by_who_came_last)
{
	for (uint32_t i = 0; i < 40; i++) {
		add(100, 256);
		add(1000 + 10 * i, 64);
	}
	for (uint32_t i = 0; i < 20; i++)
		add(5000 + 10 * i, 64);
	cr_assert_eq(most(), 100);
}

Test(behalf, what_was_long_ago_counts_less)
{
	add(100, 100 * 1024);
	for (uint32_t i = 0; i < 400; i++)
		add(200, 1024);
	cr_assert_eq(most(), 200);
}

Test(behalf, one_huge_mapping_is_not_for_ever)
{
	add(100, 10 * 1024 * 1024);
	for (uint32_t i = 0; i < 16; i++)
		add(200, 16 * 1024);
	cr_assert_eq(most(), 200);
}

Test(behalf, more_frames_than_there_is_room_for_are_cut)
{
	uintptr_t frames[KSM_BEHALF_FRAMES + 4] = { 0 };

	for (uint32_t i = 0; i < KSM_COUNT_OF(frames); i++)
		frames[i] = 7 + i;
	ksm_behalf_add(&behalf, frames, KSM_COUNT_OF(frames), KSM_KIB);
	cr_assert_eq(ksm_behalf_most(&behalf)->count, KSM_BEHALF_FRAMES);
	cr_assert_eq(ksm_behalf_most(&behalf)->frames[KSM_BEHALF_FRAMES - 1], 7 + KSM_BEHALF_FRAMES - 1);
}
