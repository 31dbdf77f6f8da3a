/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures of known call chains, and the recognition of a stack without a walk. */
#include "unwind.h"

#include <criterion/criterion.h>
#include <string.h>

static struct ksm_stack last;
static bool recognised;

__attribute__((noinline)) static void entry(bool match)
{
	uintptr_t caller = (uintptr_t)__builtin_return_address(0);
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);

	recognised = match && ksm_unwind_matches(&last, caller, frame);
	if (!match)
		ksm_unwind_capture(&last, caller, frame);
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void middle(bool match)
{
	entry(match);
	__asm__ volatile("" ::: "memory");
}

/* Two callers with frames of the same size, so that only the return address tells them apart. */
__attribute__((noinline)) static void first(bool match)
{
	middle(match);
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void second(bool match)
{
	middle(match);
	__asm__ volatile("nop" ::: "memory");
}

__attribute__((noinline)) static void recurse(int depth, bool match)
{
	if (depth > 0)
		recurse(depth - 1, match);
	else
		middle(match);
	__asm__ volatile("" ::: "memory");
}

Test(unwind, a_stack_has_its_frames_from_the_caller_outwards)
{
	first(false);
	cr_assert_geq(last.count, 4);
	cr_assert_eq(last.frames[0], last.caller);
	cr_assert(last.recognisable);
	for (uint32_t i = 2; i < last.count; i++)
		cr_assert_gt(last.words[i], last.words[i - 1], "outer frames lie higher");
}

Test(unwind, the_same_stack_is_recognised)
{
	for (volatile int i = 0; i < 2; i++) /* not unrolled into two calls */
		first(i == 1);
	cr_assert(recognised);
}

Test(unwind, another_caller_with_the_same_frames_is_not)
{
	for (volatile int i = 0; i < 2; i++) /* not unrolled into two calls */ {
		if (i == 0)
			first(false);
		else
			second(true);
	}
	cr_assert_not(recognised);
}

Test(unwind, another_depth_is_not)
{
	recurse(5, false);
	recurse(6, true);
	cr_assert_not(recognised);
}

Test(unwind, at_most_sixteen_frames)
{
	recurse(100, false);
	cr_assert_eq(last.count, KSM_MAX_FRAMES);
	for (volatile int i = 0; i < 2; i++) /* not unrolled into two calls */
		recurse(100, i == 1);
	cr_assert(recognised);
}
