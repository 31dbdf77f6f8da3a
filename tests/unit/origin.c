/* SPDX-License-Identifier: BSD-2-Clause */
/* Each stack has one origin, which is found again, and code outside of every file tells origins apart, but not ids. */
#include "origin/origin.h"

#include "calls/start.h"
#include "segment/stat.h"
#include "site/thread.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void setup(void)
{
	cr_assert(ksm_start_slots_wait());
}

TestSuite(origin, .init = setup, .timeout = KSM_CASE_SECONDS);

__attribute__((noinline, noclone)) static uint32_t capture(void)
{
	uint32_t origin = ksm_origin_capture((uintptr_t)__builtin_return_address(0),
					     (uintptr_t)__builtin_frame_address(0));

	__asm__ volatile("" ::: "memory");
	return origin;
}

/* Two callers that only the return address tells apart. */
__attribute__((noinline, noclone)) static uint32_t one(void)
{
	uint32_t origin = capture();

	__asm__ volatile("" ::: "memory");
	return origin;
}

__attribute__((noinline, noclone)) static uint32_t other(void)
{
	uint32_t origin = capture();

	__asm__ volatile("nop" ::: "memory");
	return origin;
}

__attribute__((noinline, noclone)) static uint32_t either(uint32_t (*function)(void))
{
	uint32_t origin = function();

	__asm__ volatile("" ::: "memory");
	return origin;
}

Test(origin, a_full_table_is_counted)
{
	const struct ksmalloc_segment_origin filler = { .id = 1 };

	while (ksm_stat_add_origin(&filler) >= 0)
		;
	cr_assert_eq(ksm_stat->header.origins_dropped_total, 0);
	cr_assert_eq(either(one), 0);
	cr_assert_eq(ksm_stat->header.origins_dropped_total, 1);
	cr_assert_eq(either(other), 0);
	cr_assert_eq(ksm_stat->header.origins_dropped_total, 2);
}

Test(origin, each_stack_has_its_own)
{
	uint32_t first = either(one);
	uint32_t second = either(other);

	cr_assert_gt(first, 0);
	cr_assert_gt(second, 0);
	cr_assert_neq(first, second);
	cr_assert_lt(first, ksm_stat->header.origins.count);
	cr_assert_gt(ksm_stat->origins[first].frame_count, 2);
	cr_assert_neq(ksm_stat->origins[first].id, 0);
	cr_assert_eq(ksm_stat->origins[first].id >> 48, 0);
	cr_assert_neq(ksm_stat->origins[first].id, ksm_stat->origins[second].id);
}

Test(origin, frames_that_stacks_have_in_common_are_there_once)
{
	const struct ksmalloc_segment_origin *first, *second;
	uint32_t before, different = 0;

	first = &ksm_stat->origins[either(one)];
	before = ksm_stat->header.frames.count;
	second = &ksm_stat->origins[either(other)];
	cr_assert_eq(first->frame_count, second->frame_count);
	for (uint32_t i = 0; i < first->frame_count; i++)
		different += first->frames[i] != second->frames[i];
	cr_assert_gt(different, 0);
	cr_assert_leq(different, 4);
	cr_assert_eq(ksm_stat->header.frames.count, before + different);
	/* Some hundred stacks take some pages. */
	cr_assert_leq(sizeof(*first), 72 + sizeof(first->stats));
}

Test(origin, a_stack_that_comes_again_has_the_same)
{
	uint32_t first = 0;

	for (int i = 0; i < 1000; i++) {
		uint32_t now = either(one);

		cr_assert(!first || now == first);
		first = now;
	}
}

Test(origin, a_child_goes_on_with_those_of_its_parent)
{
	volatile pid_t child = -1;
	uint32_t seen[2];
	int status;

	for (volatile int i = 0; i < 2; i++) {
		seen[i] = either(one);
		if (i == 0)
			child = fork();
	}
	if (child == 0)
		_exit(seen[0] && seen[0] == seen[1] ? 0 : 1);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

Test(origin, a_capture_within_another_has_none)
{
	cr_assert_neq(either(one), 0);
	ksm_thread_self->capturing = true;
	cr_assert_eq(either(one), 0);
	ksm_thread_self->capturing = false;
	cr_assert_neq(either(one), 0);
}

#if defined(__x86_64__)
/* Code that calls a function with a frame of its own, as JIT compilers make it: push, mov, call through rdi, pop, ret. */
static uint32_t call_from_new_code(uint32_t (*function)(void))
{
	static const unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3 };
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t (*entry)(uint32_t (*)(void));

	cr_assert_neq(page, MAP_FAILED);
	memcpy(page, code, sizeof(code));
	memcpy(&entry, &page, sizeof(page));
	return entry(function);
}

/* Its caller's link is the first word of the frame: nothing has found a place on the stack before it. */
Test(origin, code_made_at_run_time_may_call_at_once)
{
	uint32_t origin = call_from_new_code(capture);

	cr_assert_gt(origin, 0);
	cr_assert_eq(ksm_stat->frames[ksm_stat->origins[origin].frames[0]] >> KSMALLOC_FRAME_MODULE_SHIFT, KSMALLOC_FRAME_NO_MODULE);
}

Test(origin, code_made_at_run_time_is_kept_but_is_no_part_of_the_id)
{
	const struct ksmalloc_segment_origin *origins = ksm_stat->origins;
	uint32_t made[2];
	uint32_t found = 0;

	for (volatile int i = 0; i < 2; i++)
		made[i] = call_from_new_code(one);
	cr_assert_neq(made[0], made[1]);
	cr_assert_eq(origins[made[0]].id, origins[made[1]].id);
	for (uint32_t i = 0; i < origins[made[0]].frame_count; i++)
		found += ksm_stat->frames[origins[made[0]].frames[i]] >> KSMALLOC_FRAME_MODULE_SHIFT == KSMALLOC_FRAME_NO_MODULE;
	cr_assert_gt(found, 0);
}
#endif
