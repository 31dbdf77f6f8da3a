/* SPDX-License-Identifier: BSD-2-Clause */
/* What members say that they see of files, and when those are given up; also where the table lies. */
#include "store_members.h"

#include <errno.h>

TestSuite(store_sight, .init = setup, .fini = teardown, .timeout = KSM_CASE_SECONDS);

Test(store_sight, a_file_of_which_little_is_seen_is_given_up)
{
	uint64_t before;

	begin();
	cr_assert_not(ksm_store_is_given_up(&store, 0, PAGES));
	before = ksm_store_generation(&store);
	cr_assert_eq(say(PAGES - 60), 0, "that does not pay");
	cr_assert_eq(say(PAGES / 2), 1);
	cr_assert_gt(ksm_store_generation(&store), before, "all are to make a pass");
	cr_assert(ksm_store_is_given_up(&store, 0, PAGES / 2));
	cr_assert_eq(say(PAGES / 4), 0, "it is already");
}

Test(store_sight, who_rests_gives_up_sooner)
{
	const uint32_t all = 2 * PAGES, most = all - all / 12, nearly_all = all - all / 80;

	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_eq(publish_more(), 0);
	cr_assert_eq(say(all), 0);
	cr_assert_eq(say(most), 0, "that does not pay in one that is busy");
	cr_assert_eq(say_resting(nearly_all, 0), 0, "and so little never");
	cr_assert_eq(say_resting(most, 0), 1);
	cr_assert(ksm_store_is_given_up(&store, 0, most));
	cr_assert_not(ksm_store_is_given_up(&store, 0, nearly_all));
}

Test(store_sight, what_was_copied_alike_is_worth_the_next_file)
{
	const uint32_t all = 2 * PAGES;

	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_eq(publish_more(), 0);
	cr_assert_eq(say(all), 0);
	cr_assert_eq(say_resting(all - 20, 63), 0, "too little for the work");
	cr_assert_eq(say_resting(all - 5, 64), 0, "who sees nearly all would not leave the file");
	cr_assert_eq(say_resting(all - 20, 64), 1);
	cr_assert(ksm_store_is_given_up(&store, 0, all - 20));
}

/* Of four files; of the first ones so many pages fewer than they have. */
static int say_of_four(uint32_t unordered, uint32_t fewer)
{
	const uint32_t none_alike[KSM_STORE_FILES] = { 0 };
	uint32_t seen[KSM_STORE_FILES];

	memset(seen, 0xff, sizeof(seen));
	for (uint32_t i = 0; i < 4; i++)
		seen[i] = 2 * PAGES - (i < unordered ? fewer : 0);
	return ksm_store_note_seen(&store, seen, none_alike);
}

Test(store_sight, files_of_which_all_together_little_is_waste_are_in_order)
{
	cr_assert_eq(ksm_store_enter(&store), 0);
	for (uint32_t i = 0; i < 4; i++)
		cr_assert_geq(publish_more(), 0);
	cr_assert_eq(say_of_four(0, 0), 0);
	cr_assert_eq(say_of_four(1, 80), 0, "a fiftieth of all is not worth it");
	cr_assert_eq(say_of_four(2, 80), 1, "a twenty-fifth is, and one of them goes at a time");
	cr_assert_eq(say_of_four(2, 80), 0);
}

Test(store_sight, what_one_sees_all_of_is_kept_though_others_have_copied_some_alike)
{
	const uint32_t all = 2 * PAGES;
	struct member member;

	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_eq(publish_more(), 0);
	cr_assert_eq(say(all), 0);
	member = begin_member(all, all);
	cr_assert_eq(say_resting(all - 100, 100), 0);
	end_member(member);
	cr_assert_eq(say_resting(all - 100, 100), 1, "but not for one that has ended");
}

Test(store_sight, what_one_member_sees_is_not_given_up_for_another_one)
{
	struct member member;

	begin();
	member = begin_member(PAGES, PAGES);
	cr_assert_eq(say(PAGES / 2), 0);
	cr_assert(ksm_store_is_seen_by_others(&store, 0));
	end_member(member);
	/* Its place is free, or another process's. */
	cr_assert_eq(say(PAGES / 2), 1);
	cr_assert_not(ksm_store_is_seen_by_others(&store, 0));
}

static int hold_and_say_nothing(struct member *member)
{
	int ready[2], end[2];
	char byte = 0;

	cr_assert_eq(pipe(ready) | pipe(end), 0);
	ksm_store_leave(&store);
	member->pid = fork();
	if (member->pid == 0) {
		close(end[1]);
		byte = ksm_store_enter(&store) != 0;
		ksm_store_leave(&store);
		_exit(write(ready[1], &byte, 1) != 1 || read(end[0], &byte, 1) != 0);
	}
	close(end[0]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	member->end = end[1];
	return ksm_store_enter(&store);
}

Test(store_sight, who_holds_a_file_and_has_said_nothing_may_see_all_of_it)
{
	struct member member;

	begin();
	cr_assert_eq(hold_and_say_nothing(&member), 0);
	cr_assert_eq(say(PAGES / 2), 0);
	cr_assert(ksm_store_is_seen_by_others(&store, 0));
	end_member(member);
	cr_assert_eq(say(PAGES / 2), 1);
}

Test(store_sight, who_has_published_a_file_had_all_of_it)
{
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_eq(publish(), 0);
	cr_assert_eq(say(PAGES / 2), 1, "written to before anybody has said anything");
}

/* So many pages of a file's second slice, where it has none. */
static void write_over_holes(uint32_t index, uint32_t pages)
{
	int fd = store.files[index].descriptor;
	char *mapped = mmap(NULL, KSM_SHARE_SLICE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, KSM_SHARE_SLICE);

	cr_assert_neq((void *)mapped, MAP_FAILED);
	for (uint32_t i = 0; i < pages; i++)
		mapped[i * KSM_PAGE] = 1;
	munmap(mapped, KSM_SHARE_SLICE);
}

Test(store_sight, what_a_file_has_got_over_holes_is_waste)
{
	begin();
	write_over_holes(0, PAGES / 10);
	cr_assert_eq(say(PAGES), 0, "that does not pay");
	write_over_holes(0, PAGES / 6);
	cr_assert_eq(say(PAGES), 1);
	cr_assert(ksm_store_is_given_up(&store, 0, PAGES), "who sees all that was published leaves it, too");
}

Test(store_sight, what_members_cannot_but_write_over_holes_is_none)
{
	begin();
	store.has_written = true;
	write_over_holes(0, PAGES / 2);
	cr_assert_eq(say(PAGES), 0);
	cr_assert_not(store.has_written, "it is said once");
	cr_assert_eq(say(PAGES - 30), 0, "nor with a little that was lost");
	cr_assert_eq(say(PAGES - 90), 1);
}

Test(store_sight, what_could_not_be_written_to_the_table_is_said_the_next_time)
{
	int kept, locked;

	begin();
	store.has_written = true;
	kept = store.table;
	locked = open(store.path, O_RDONLY);
	store.table = locked;
	cr_assert_eq(say(PAGES), -EBADF);
	cr_assert(store.has_written);
	close(locked);
	store.table = kept;
	cr_assert_eq(say(PAGES), 0);
	cr_assert_not(store.has_written);
	cr_assert_neq(store.tables->head.first.over_holes, 0);
}

Test(store_sight, a_child_has_not_written_what_its_parent_has)
{
	int status;
	pid_t child;

	begin();
	store.has_written = true;
	ksm_store_leave(&store);
	child = fork();
	if (child == 0)
		_exit(ksm_store_enter(&store) || store.has_written);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert(store.has_written);
}

Test(store_sight, what_was_published_since_has_not_got_that)
{
	uint32_t seen[KSM_STORE_FILES];

	begin();
	store.has_written = true;
	cr_assert_eq(say(PAGES), 0);
	cr_assert_eq(publish(), 1);
	for (uint32_t i = 0; i < 2; i++)
		write_over_holes(i, PAGES / 3);
	memset(seen, 0xff, sizeof(seen));
	seen[0] = seen[1] = PAGES;
	cr_assert_eq(ksm_store_note_seen(&store, seen, NULL), 1);
	cr_assert(ksm_store_is_given_up(&store, 1, PAGES));
	cr_assert_not(ksm_store_is_given_up(&store, 0, PAGES));
}

static void forget_sight(void)
{
	const struct ksmalloc_store_sight none = { 0 };
	int table = open(store.path, O_RDWR);

	cr_assert_eq(pwrite(table, &none, sizeof(none), 64 + 4096), (ssize_t)sizeof(none));
	close(table);
}

/* Two that see a half each may see different ones: the whole file is not copied for ever. */
Test(store_sight, what_was_never_seen_by_one_is_no_waste)
{
	struct ksmalloc_store_sight *sight;

	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_eq(publish(), 0);
	forget_sight();
	cr_assert_eq(say(PAGES / 2), 0);
	cr_assert_eq(say(PAGES / 2 - 5), 0);
	sight = &store.tables->head.sights[0];
	cr_assert_eq(sight->most, PAGES / 2);
	cr_assert_eq(say(PAGES / 3), 1, "but what was lost since is");
}

Test(store_sight, who_sees_nearly_all_does_not_believe_that_it_is_given_up)
{
	begin();
	cr_assert_eq(say(PAGES / 2), 1);
	cr_assert_not(ksm_store_is_given_up(&store, 0, PAGES - 5));
}

static int open_in_newcomer(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		close(store.files[0].descriptor);
		_exit(ksm_store_enter(&store) || ksm_store_file(&store, 0).descriptor >= 0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	return status;
}

Test(store_sight, nobody_begins_with_a_file_that_was_given_up)
{
	begin();
	cr_assert_neq(open_in_newcomer(), 0);
	cr_assert_eq(say(PAGES / 2), 1);
	ksm_store_leave(&store);
	cr_assert_eq(open_in_newcomer(), 0);
}

Test(store_sight, only_what_is_published_afterwards_is_newer)
{
	begin();
	cr_assert_eq(publish(), 1);
	cr_assert_eq(say(PAGES / 2), 1);
	cr_assert_eq(publish(), 2);
	cr_assert_not(ksm_store_is_newer(&store, 1, 0));
	cr_assert(ksm_store_is_newer(&store, 2, 0));
	cr_assert_not(ksm_store_is_newer(&store, 0, 2), "that one is not given up");
}

/* Where members of an older version hold files, and have published them. */
Test(store_sight, of_a_file_without_a_sight_nothing_is_known)
{
	int table;

	begin();
	table = open(store.path, O_RDWR);
	forget_sight();
	ksm_store_leave(&store);
	cr_assert_eq(ksm_store_enter(&store), 0);
	cr_assert_not(ksm_store_is_given_up(&store, 0, 0));
	cr_assert_not(ksm_store_is_seen_by_others(&store, 0));
	cr_assert_eq(say(PAGES), 0);
	cr_assert_eq(say(PAGES / 2), 1);
	/* They know the length of the table, and what was there when they were made. */
	cr_assert_eq(offsetof(struct ksmalloc_store_list, sights), 64 + 64 * 64);
	cr_assert_eq(lseek(table, 0, SEEK_END), 8192 + 4096 * 8 + 4096l * 8192);
}

Test(store_sight, whatever_the_table_says_it_is_only_said)
{
	uint64_t state = 1;
	int table;

	begin();
	table = open(store.path, O_RDWR);
	for (uint32_t round = 0; round < 3000; round++) {
		uint32_t seen[KSM_STORE_FILES];
		struct ksmalloc_store_sight lie;

		for (size_t i = 0; i < sizeof(lie); i++) {
			state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
			((unsigned char *)&lie)[i] = state >> 62 ? (unsigned char)(state >> 33) : (state >> 61 & 1) ? 0xff : 0;
			seen[i] = (uint32_t)(state >> 32);
		}
		if (round % 3)
			lie.inode = store.files[0].inode;
		memset(seen + sizeof(lie), round % 2 ? 0 : 0xff, sizeof(seen) - sizeof(lie) * sizeof(seen[0]));
		cr_assert_eq(pwrite(table, &lie, sizeof(lie), 64 + 4096), (ssize_t)sizeof(lie));
		ksm_store_leave(&store);
		cr_assert_eq(ksm_store_enter(&store), 0);
		cr_assert_geq(ksm_store_file(&store, 0).descriptor, 0, "what is open stays so");
		ksm_store_is_seen_by_others(&store, 0);
		cr_assert_not(ksm_store_is_given_up(&store, 0, PAGES));
		cr_assert_not(ksm_store_is_newer(&store, 0, 1));
		cr_assert_geq(ksm_store_note_seen(&store, seen, NULL), 0);
	}
}
