/* SPDX-License-Identifier: BSD-2-Clause */
#include "os/os.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

Test(os, places_are_exact_or_refused)
{
	void *first = NULL;
	char *at;

	cr_assert_eq(ksm_os_map(&first, 64 * KSM_PAGE, true), 0);
	at = (char *)first + 16 * KSM_PAGE;
	/* Something lies there: nothing changes, and nothing is left elsewhere. */
	at[0] = 7;
	cr_assert_eq(ksm_os_map_at(at, 4 * KSM_PAGE), -EEXIST);
	cr_assert_eq(at[0], 7);
	cr_assert_eq(ksm_os_unmap(at, 4 * KSM_PAGE), 0);
	cr_assert_eq(ksm_os_map_at(at, 4 * KSM_PAGE), 0);
	cr_assert_eq(at[0], 0);
	/* Partly free is not free. */
	cr_assert_eq(ksm_os_unmap(at, 4 * KSM_PAGE), 0);
	cr_assert_eq(ksm_os_map_at(at, 5 * KSM_PAGE), -EEXIST);
	cr_assert_eq(ksm_os_map_at(at, 4 * KSM_PAGE), 0);
}

Test(os, large_places_in_a_gap_of_their_size)
{
	const size_t length = 4 * KSM_MIB;
	char *memory = NULL;

	/* A kernel that aligns large mappings must follow the address all the same. */
	cr_assert_eq(ksm_os_map((void **)&memory, 3 * length, true), 0);
	memory = (char *)ksm_align_up((uintptr_t)memory, 2 * KSM_MIB);
	cr_assert_eq(ksm_os_unmap(memory + KSM_PAGE, length), 0);
	cr_assert_eq(ksm_os_map_at(memory + KSM_PAGE, length), 0);
}

static uint32_t word;

static void *set_and_wake(void *nothing)
{
	__atomic_store_n(&word, 1, __ATOMIC_RELEASE);
	ksm_os_wake(&word);
	return nothing;
}

Test(os, waiting_ends, .timeout = KSM_CASE_SECONDS)
{
	pthread_t thread;

	errno = 99;
	/* By the value, by time, and by a wake. */
	ksm_os_wait(&word, 1, 0);
	ksm_os_wait(&word, 0, 1000);
	for (int i = 0; i < 100; i++)
		ksm_os_pause();
	cr_assert_eq(pthread_create(&thread, NULL, set_and_wake, NULL), 0);
	while (!__atomic_load_n(&word, __ATOMIC_ACQUIRE))
		ksm_os_wait(&word, 0, 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(errno, 99);
}

Test(os, there_is_less_memory_than_the_machine_has)
{
	const uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * KSM_PAGE;

	cr_assert_gt(ksm_os_memory_room(), 0);
	cr_assert_lt(ksm_os_memory_room(), all);
}
