/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures of known call chains, and stacks that are recalled without a walk. */
#include "site/recall.h"
#include "site/script.h"
#include "site/unwind.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

static struct ksm_stack last;
static struct ksm_recall recall;
static struct ksm_unwind_room room;
static void *recalled;

static void setup(void)
{
	ksm_unwind_own_main_stack();
}

TestSuite(unwind, .init = setup);

/* Captures the stack and remembers it, or asks for it. */
__attribute__((noinline)) static void entry(bool ask)
{
	uintptr_t caller = (uintptr_t)__builtin_return_address(0);
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);

	if (ask) {
		recalled = ksm_recall_find(&recall, caller, frame);
	} else {
		ksm_unwind_capture(&last, &room, caller, frame);
		ksm_recall_add(&recall, &last, &last);
	}
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void middle(bool ask)
{
	entry(ask);
	__asm__ volatile("" ::: "memory");
}

/* Two callers with frames of the same size, so that only the return address tells them apart. */
__attribute__((noinline)) static void first(bool ask)
{
	middle(ask);
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void second(bool ask)
{
	middle(ask);
	__asm__ volatile("nop" ::: "memory");
}

__attribute__((noinline)) static void recurse(int depth, bool ask)
{
	if (depth > 0)
		recurse(depth - 1, ask);
	else
		middle(ask);
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
	cr_assert_eq(recalled, &last);
}

Test(unwind, another_caller_with_the_same_frames_is_not)
{
	for (volatile int i = 0; i < 2; i++) /* not unrolled into two calls */ {
		if (i == 0)
			first(false);
		else
			second(true);
	}
	cr_assert_null(recalled);
}

Test(unwind, another_depth_is_not)
{
	recurse(5, false);
	recurse(6, true);
	cr_assert_null(recalled);
}

Test(unwind, at_most_sixteen_frames)
{
	recurse(100, false);
	cr_assert_eq(last.count, KSM_MAX_FRAMES);
	for (volatile int i = 0; i < 2; i++) /* not unrolled into two calls */
		recurse(100, i == 1);
	cr_assert_eq(recalled, &last);
}

/* On aarch64 the kernel has where handlers return to in its own code, and libc tells nothing of it. */
#ifdef __x86_64__
static void handle(int number)
{
	(void)number;
	first(false);
}

/* What a handler has interrupted is not what it does. */
Test(unwind, a_handlers_stack_is_told_from_others)
{
	struct sigaction action;

	ksm_unwind_find_interrupts();
	first(false);
	cr_assert_not(ksm_unwind_is_interrupt(&last));
	cr_assert_eq(sigaction(SIGRTMAX, NULL, &action), 0);
	cr_assert_eq(action.sa_handler, SIG_DFL);
	action = (struct sigaction){ .sa_handler = handle };
	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	raise(SIGUSR1);
	cr_assert(ksm_unwind_is_interrupt(&last));
	first(false);
	cr_assert_not(ksm_unwind_is_interrupt(&last));
}
#endif

static bool is_address(uint64_t address)
{
	return ksm_script_is_address((const void *)(uintptr_t)address);
}

Test(unwind, all_addresses_of_a_process_may_be_an_objects)
{
#ifdef __aarch64__
	const uint64_t end = UINT64_C(1) << 48;
#else
	const uint64_t end = UINT64_C(1) << 47;
#endif

	cr_assert(is_address(end - 8) && is_address(end / 2) && is_address(64 * KSM_KIB));
	cr_assert(!is_address(end) && !is_address(64 * KSM_KIB - 8) && !is_address(0));
	cr_assert(!is_address(UINT64_MAX - 7));
	for (uint64_t i = 1; i < 8; i++)
		cr_assert(!is_address(end - i) && !is_address(end / 2 + i));
}
