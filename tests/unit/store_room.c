/* SPDX-License-Identifier: BSD-2-Clause */
/* How much memory there is for what a member publishes and takes back, and when that is looked at. The kernel's answer is the test's. */
#include "store_members.h"

static void setup_large(void)
{
	setup();
	store.bytes = 4 * KSM_SHARE_SLICE;
}

TestSuite(store_room, .init = setup_large, .fini = teardown, .timeout = KSM_CASE_SECONDS);

static struct ksm_share_set pages(uint32_t count)
{
	struct ksm_share_set set = { 0 };

	ksm_share_add_range(&set, (uintptr_t)memory, (uintptr_t)memory, (uintptr_t)memory + count * KSM_PAGE);
	return set;
}

/* What the kernel says, if that is asked. */
static uint64_t kernel_room = 100 * KSM_MIB;
static uint32_t readings;

uint64_t __wrap_ksm_os_memory_room(void);
uint64_t __wrap_ksm_os_memory_room(void)
{
	readings++;
	return kernel_room;
}

/* As if the kernel had just said that there is so much. */
static void say_room(uint64_t bytes)
{
	store.room = bytes;
	store.room_until = UINT64_MAX;
}

Test(store_room, nothing_is_published_where_memory_is_short)
{
	struct ksm_share_slice slice = { .address = (uintptr_t)memory };
	struct ksm_share_set all = pages(KSM_SHARE_PAGES);

	cr_assert_eq(ksm_store_enter(&store), 0);
	say_room(8 * KSM_MIB - 1);
	cr_assert_not(ksm_store_may_publish(&store));
	cr_assert_not(ksm_store_may_carry_over(&store));
	cr_assert(ksm_store_lacks_room(&store));
	say_room(9 * KSM_MIB);
	cr_assert(ksm_store_may_publish(&store));
	cr_assert_not(ksm_store_lacks_room(&store));
	for (uint32_t i = 0; i < 3; i++) {
		cr_assert_not(ksm_store_is_full(&store), "half of it, which is 4.5 MiB, is the file's");
		cr_assert_eq(ksm_store_add(&store, &slice, &all), 0);
		slice.place += KSM_SHARE_SLICE;
	}
	cr_assert(ksm_store_is_full(&store));
	cr_assert_eq(store.room, 3 * KSM_MIB, "what was published is taken");
	cr_assert_eq(store.room_until, 0, "it is looked at anew");
	say_room(0);
	cr_assert(ksm_store_may_publish(&store), "what was begun goes on");
}

Test(store_room, memory_that_is_taken_is_not_there_any_more)
{
	say_room(16 * KSM_MIB);
	cr_assert(ksm_store_take_room(&store, 5 * KSM_MIB));
	cr_assert_not(ksm_store_take_room(&store, 5 * KSM_MIB));
	cr_assert(ksm_store_take_room(&store, 3 * KSM_MIB));
	cr_assert_not(ksm_store_take_room(&store, 1));
	store.room_until = 0;
	cr_assert_not(ksm_store_take_room(&store, 1), "the kernel is not asked in the midst of a step");
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert(ksm_store_take_room(&store, 1), "the kernel knows of more");
}

/* Else what is seen keeps all of the file, and there is ever less memory. */
Test(store_room, few_pages_of_a_file_that_was_given_up_are_taken_where_memory_is_short)
{
	say_room(7 * KSM_MIB);
	cr_assert_not(ksm_store_take_room_to_leave(&store, 17 * KSM_PAGE, 0, 1));
	cr_assert_not(ksm_store_take_room(&store, 16 * KSM_PAGE));
	cr_assert(ksm_store_take_room_to_leave(&store, 16 * KSM_PAGE, 0, 1));
	cr_assert_eq(store.room, 7 * KSM_MIB - 16 * KSM_PAGE);
	say_room(4 * KSM_MIB + KSM_PAGE);
	cr_assert(ksm_store_take_room_to_leave(&store, KSM_PAGE, 0, 1));
	cr_assert_not(ksm_store_take_room_to_leave(&store, KSM_PAGE, 0, 1));
	say_room(9 * KSM_MIB);
	cr_assert(ksm_store_take_room_to_leave(&store, KSM_MIB, 0, 1));
	cr_assert_not(ksm_store_take_room_to_leave(&store, KSM_MIB, 0, 1));
}

/* Each of them would take what is there once. */
Test(store_room, who_leaves_a_file_leaves_memory_for_all_others_who_hold_it)
{
	say_room(16 * KSM_MIB);
	cr_assert_not(ksm_store_take_room_to_leave(&store, 2 * KSM_MIB, 0, 7));
	cr_assert(ksm_store_take_room_to_leave(&store, 2 * KSM_MIB, 0, 4));
	cr_assert_eq(store.room, 8 * KSM_MIB);
	say_room(5 * KSM_MIB);
	cr_assert(ksm_store_take_room_to_leave(&store, 16 * KSM_PAGE, 0, 7), "few pages of each are few still");
	cr_assert_eq(store.room, 5 * KSM_MIB - 7 * 16 * KSM_PAGE);
}

Test(store_room, what_is_taken_for_a_moment_has_to_be_there_for_few_pages)
{
	say_room(6 * KSM_MIB);
	cr_assert_not(ksm_store_take_room_to_leave(&store, KSM_PAGE, KSM_SHARE_SLICE, 1));
	say_room(6 * KSM_MIB + KSM_PAGE);
	cr_assert(ksm_store_take_room_to_leave(&store, KSM_PAGE, KSM_SHARE_SLICE, 1));
	cr_assert_eq(store.room, 6 * KSM_MIB, "for a moment");
	say_room(8 * KSM_MIB + 17 * KSM_PAGE);
	cr_assert(ksm_store_take_room_to_leave(&store, 17 * KSM_PAGE, KSM_SHARE_SLICE, 1), "of more 8 MiB are left");
}

Test(store_room, what_was_not_published_is_what_memory_is_said_to_lack_for)
{
	cr_assert_eq(ksm_store_enter(&store), 0);
	say_room(0);
	cr_assert_not(ksm_store_take_room(&store, 1));
	cr_assert_not(ksm_store_take_room_to_leave(&store, 1, 0, 1));
	cr_assert_not(ksm_store_lacks_room(&store), "nothing was to be published");
	cr_assert_not(ksm_store_may_publish(&store));
	cr_assert(ksm_store_lacks_room(&store));
	say_room(30 * KSM_MIB);
	cr_assert_not(ksm_store_lacks_room(&store), "there is more now");
	say_room(0);
	cr_assert(ksm_store_lacks_room(&store));
	say_room(30 * KSM_MIB);
	cr_assert(ksm_store_may_publish(&store));
	say_room(0);
	cr_assert_not(ksm_store_lacks_room(&store), "it was enough when it was needed");
}

static int publish_page(void)
{
	const struct ksm_share_slice slice = { .address = (uintptr_t)memory };
	const struct ksm_share_set set = pages(1);

	return ksm_store_add(&store, &slice, &set) ? -1 : ksm_store_publish(&store);
}

Test(store_room, small_files_do_not_fill_the_table)
{
	uint32_t files = 0;

	cr_assert_eq(ksm_store_enter(&store), 0);
	for (say_room(20 * KSM_MIB); ksm_store_may_publish(&store); say_room(20 * KSM_MIB)) {
		cr_assert_eq(publish_page(), (int)files);
		files++;
	}
	cr_assert_eq(files, KSM_STORE_FILES / 2);
	cr_assert(ksm_store_lacks_room(&store), "with more memory it would be a larger one");
	cr_assert(ksm_store_may_carry_over(&store), "that makes a place free");
	cr_assert_not(ksm_store_lacks_room(&store));
	say_room(40 * KSM_MIB);
	cr_assert(ksm_store_may_publish(&store), "there are places for larger ones");
	cr_assert_eq(publish_page(), (int)files);
}

/* What a parent has read and taken is not what there is for its child. */
static int look_in_child(void)
{
	kernel_room = 50 * KSM_MIB;
	return ksm_store_enter(&store) == 0 && ksm_store_take_room(&store, 0) ? (int)(store.room / KSM_MIB) : 255;
}

Test(store_room, a_child_looks_at_memory_itself)
{
	pid_t child;
	int status;

	cr_assert_eq(ksm_store_enter(&store), 0);
	say_room(10 * KSM_MIB);
	cr_assert(ksm_store_take_room(&store, 0));
	child = fork();
	if (child == 0)
		_exit(look_in_child());
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(WEXITSTATUS(status), 50);
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_eq(store.room, 10 * KSM_MIB);
}

Test(store_room, memory_is_looked_at_where_it_is_needed)
{
	cr_assert_eq(ksm_store_enter(&store), 0);
	ksm_store_begin_pass(&store);
	cr_assert_eq(readings, 0);
	cr_assert(ksm_store_take_room(&store, 92 * KSM_MIB), "it is, then");
	cr_assert_not(ksm_store_take_room(&store, KSM_MIB));
	cr_assert_eq(readings, 1);
	ksm_store_look_at_room_anew(&store);
	cr_assert(ksm_store_take_room(&store, KSM_MIB), "it has come back");
	cr_assert_eq(readings, 2);
	for (uint32_t pass = 0; pass < 3; pass++) {
		store.room_until = 0;
		cr_assert_eq(ksm_store_enter(&store), 0);
		ksm_store_begin_pass(&store);
		cr_assert_eq(readings, pass < 2 ? 3 + pass : 4, "pass %u after it", pass);
	}
}
