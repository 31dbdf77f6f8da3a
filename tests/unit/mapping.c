/* SPDX-License-Identifier: BSD-2-Clause */
#include "mapping/mapping.h"
#include "segment/stat.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)
#define AT(page) ((void *)(uintptr_t)(0x100000000 + (page) * 4096ull))

static void setup(void)
{
	cr_assert_eq(ksm_stat_init(), 0);
}

TestSuite(mapping, .init = setup);

static void expect(uint64_t live_pages, uint64_t reserved_pages)
{
	cr_assert_eq(ksm_stat->header.stats.mmap_live_bytes, live_pages * 4096);
	cr_assert_eq(ksm_stat->header.stats.mmap_reserved_bytes, reserved_pages * 4096);
}

Test(mapping, counts_private_anonymous_memory_only)
{
	ksm_mapping_note_map(AT(0), 10 * 4096, RW, ANON);
	ksm_mapping_note_map(AT(100), 4096, RW, MAP_SHARED | MAP_ANONYMOUS);
	ksm_mapping_note_map(AT(200), 4096, RW, MAP_PRIVATE);
	ksm_mapping_note_map(AT(300), 5 * 4096, PROT_NONE, ANON);
	expect(10, 5);
	cr_assert_eq(ksm_stat->header.stats.mmap_calls_total, 4);
}

Test(mapping, lengths_are_whole_pages)
{
	ksm_mapping_note_map(AT(0), 1, RW, ANON);
	expect(1, 0);
	ksm_mapping_note_unmap(AT(0), 1);
	expect(0, 0);
}

Test(mapping, a_hole_splits_a_range)
{
	ksm_mapping_note_map(AT(0), 10 * 4096, RW, ANON);
	ksm_mapping_note_unmap(AT(4), 2 * 4096);
	expect(8, 0);
	ksm_mapping_note_unmap(AT(0), 10 * 4096);
	expect(0, 0);
}

Test(mapping, a_fixed_mapping_replaces)
{
	ksm_mapping_note_map(AT(0), 100 * 4096, PROT_NONE, ANON);
	ksm_mapping_note_map(AT(10), 20 * 4096, RW, ANON | MAP_FIXED);
	expect(20, 80);
	ksm_mapping_note_map(AT(15), 4096, RW, MAP_SHARED | MAP_FIXED);
	expect(19, 80);
}

Test(mapping, remap_moves_what_was_counted)
{
	ksm_mapping_note_map(AT(0), 4 * 4096, RW, ANON);
	ksm_mapping_note_remap(AT(0), 4 * 4096, AT(50), 8 * 4096, MREMAP_MAYMOVE);
	expect(8, 0);
	ksm_mapping_note_remap(AT(700), 4096, AT(800), 4096, MREMAP_MAYMOVE);
	expect(8, 0);
	ksm_mapping_note_unmap(AT(50), 8 * 4096);
	expect(0, 0);
}

/* What takes time in proportion to the ranges there are does not end before the test's time is up. */
Test(mapping, many_ranges)
{
	enum { MANY = 500000 };

	for (uintptr_t i = MANY; i > 0; i--)
		ksm_mapping_note_map(AT(2 * i), 4096, RW, ANON);
	expect(MANY, 0);
	for (uintptr_t i = MANY; i > 0; i--) {
		ksm_mapping_note_remap(AT(2 * i), 4096, AT(3 * MANY), 4096, MREMAP_MAYMOVE);
		ksm_mapping_note_remap(AT(3 * MANY), 4096, AT(2 * i), 4096, MREMAP_MAYMOVE);
	}
	expect(MANY, 0);
	for (uintptr_t i = MANY; i > 10; i--)
		ksm_mapping_note_unmap(AT(2 * i), 4096);
	expect(10, 0);
	ksm_mapping_note_unmap(AT(0), 2 * MANY * 4096ull);
	expect(0, 0);
	cr_assert_eq(ksm_stat->header.stats.mmap_untracked_total, 0);
}

/* --- who may use the set ----------------------------------------------------------------- */

static pthread_barrier_t both;

static void *hold_as_in_a_fork(void *argument)
{
	(void)argument;
	ksm_mapping_prefork();
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both);
	ksm_mapping_postfork_parent();
	pthread_barrier_wait(&both);
	return NULL;
}

static uint64_t untracked(void)
{
	ksm_mapping_publish();
	return ksm_stat->header.stats.mmap_untracked_total;
}

Test(mapping, who_interrupted_the_holder_gives_up_and_counts)
{
	ksm_mapping_note_map(AT(0), 4096, RW, ANON);
	ksm_mapping_prefork();
	/* Many more than could wait for the holder, which is this very thread. */
	for (uintptr_t i = 0; i < 1000000; i++)
		ksm_mapping_note_map(AT(i), 4096, RW, ANON);
	cr_assert_eq(untracked(), 1000000);
	ksm_mapping_postfork_parent();
	expect(1, 0);
	ksm_mapping_note_map(AT(7), 4096, RW, ANON);
	expect(2, 0);
	cr_assert_eq(untracked(), 1000000);
}

static void let_write(bool may)
{
	cr_assert_eq(mprotect((void *)ksm_align_down((uintptr_t)&ksm_stat->header, 4096),
			      sizeof(ksm_stat->header), may ? RW : PROT_READ), 0);
}

static volatile sig_atomic_t failed_in_child = -1;

/* In the middle of a call, whose totals could not be written: forks, and both map something. */
static void on_fault(int number)
{
	pid_t child;
	int status;

	(void)number;
	let_write(true);
	ksm_mapping_prefork();
	child = fork();
	if (child == 0)
		ksm_mapping_postfork_child();
	else
		ksm_mapping_postfork_parent();
	ksm_mapping_note_map(AT(50), 4096, RW, ANON);
	if (child == 0)
		return;
	failed_in_child = waitpid(child, &status, 0) != child || status != 0;
}

Test(mapping, a_handler_that_forks_leaves_the_set_to_the_call_that_it_interrupted)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_RESETHAND };

	cr_assert_eq(sigaction(SIGSEGV, &action, NULL), 0);
	let_write(false);
	ksm_mapping_note_map(AT(0), 4096, RW, ANON);
	/* What the handler mapped is not in the set, but counted: that, and the fork's turn. */
	if (failed_in_child < 0)
		_exit(untracked() == 2 && ksm_mapping_live_bytes() == 4096 ? 0 : 1);
	expect(1, 0);
	cr_assert_eq(untracked(), 2);
	cr_assert_eq(failed_in_child, 0);
	ksm_mapping_note_map(AT(50), 4096, RW, ANON);
	expect(2, 0);
	cr_assert_eq(untracked(), 2);
}

/* A fork that did not get the set, as clone(2) without the handlers does not. */
Test(mapping, what_another_thread_changed_at_a_fork_is_not_used_in_the_child)
{
	pthread_t thread;
	pid_t child;
	int status;

	ksm_mapping_note_map(AT(0), 4096, RW, ANON);
	cr_assert_eq(pthread_barrier_init(&both, NULL, 2), 0);
	cr_assert_eq(pthread_create(&thread, NULL, hold_as_in_a_fork, NULL), 0);
	pthread_barrier_wait(&both);
	child = fork();
	if (child == 0) {
		ksm_mapping_postfork_child();
		ksm_mapping_note_map(AT(8), 2 * 4096, RW, ANON);
		_exit(untracked() == 1 && ksm_mapping_live_bytes() == 2 * 4096 ? 0 : 1);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	/* This waits for the other thread, however long its turn takes. */
	pthread_barrier_wait(&both);
	ksm_mapping_note_map(AT(8), 2 * 4096, RW, ANON);
	expect(3, 0);
	cr_assert_eq(untracked(), 0);
	pthread_barrier_wait(&both);
	pthread_join(thread, NULL);
}
