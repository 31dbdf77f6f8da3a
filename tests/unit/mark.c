/* SPDX-License-Identifier: BSD-2-Clause */
/* Marks follow what they are of: against a table of pages that is kept beside them. */
#include "origin/mark.h"

#include "calls/start.h"
#include "segment/stat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096u
#define BASE  UINT64_C(0x700000000000)
#define PAGES 512u
#define KIND  KSMALLOC_MARK_POOL /* nobody else sets them here */

static void setup(void)
{
	cr_assert(ksm_start_slots_wait());
}

TestSuite(mark, .init = setup, .timeout = KSM_CASE_SECONDS);

static void set(uint32_t page, uint32_t pages, uint32_t origin)
{
	const struct ksm_mark_of of = { .weight = (uint64_t)pages * PAGE, .origin = origin, .kind = KIND };

	ksm_mark_set(BASE + page * PAGE, (size_t)pages * PAGE, &of);
}

static uint32_t read_all(uint32_t origins[PAGES])
{
	uint32_t count = 0;

	memset(origins, 0, PAGES * sizeof(origins[0]));
	for (uint32_t i = 0; i < ksm_stat->header.marks.count; i++) {
		const struct ksmalloc_segment_mark *mark = &ksm_stat->marks[i];

		if (!mark->address || mark->kind != KIND || mark->address < BASE ||
		    mark->address >= BASE + PAGES * PAGE)
			continue;
		count++;
		cr_assert_eq(mark->weight, mark->bytes);
		for (uint64_t at = mark->address; at < mark->address + mark->bytes; at += PAGE) {
			uint32_t page = (uint32_t)((at - BASE) / PAGE);

			cr_assert_lt(page, PAGES);
			cr_assert_eq(origins[page], 0, "two marks of page %u", page);
			origins[page] = mark->origin;
		}
	}
	return count;
}

static void expect(const uint32_t *wanted)
{
	uint32_t got[PAGES];

	read_all(got);
	for (uint32_t i = 0; i < PAGES; i++)
		cr_assert_eq(got[i], wanted[i], "page %u has origin %u instead of %u", i, got[i], wanted[i]);
}

Test(mark, the_mark_of_an_address_is_found_with_what_is_left_of_it)
{
	size_t rest = 0;

	set(10, 6, 3);
	cr_assert_eq(ksm_mark_find(BASE + 12 * PAGE, KIND, &rest), 3);
	cr_assert_eq(rest, 4 * PAGE);
	cr_assert_eq(ksm_mark_find(BASE + 10 * PAGE, KIND, &rest), 3);
	cr_assert_eq(rest, 6 * PAGE);
	cr_assert_eq(ksm_mark_find(BASE + 16 * PAGE, KIND, &rest), 0);
	cr_assert_eq(ksm_mark_find(BASE + 9 * PAGE, KIND, &rest), 0);
}

static uint64_t turn_of(uint32_t handle)
{
	return ksm_stat->marks[handle - 1].turn;
}

Test(mark, samples_of_small_blocks_count_for_their_origin_and_are_told_apart)
{
	const struct ksmalloc_origin_stats *stats = &ksm_stat->origins[7].stats;
	const struct ksm_mark_of of = { .weight = 5000, .origin = 7, .kind = KSMALLOC_MARK_SMALL };
	uint32_t first = ksm_mark_add(BASE, 64, &of);
	uint64_t turn = turn_of(first);
	uint32_t second;

	cr_assert_neq(first, KSM_MARK_NONE);
	cr_assert_eq(stats->sampled_bytes_total, 5000);
	cr_assert_eq(stats->sampled_freed_bytes_total, 0);
	ksm_mark_drop(first);
	cr_assert_eq(stats->sampled_freed_bytes_total, 5000);
	second = ksm_mark_add(BASE, 64, &of);
	cr_assert_eq(second, first, "the entry is used again");
	cr_assert_neq(turn_of(second), turn);
	cr_assert_eq(stats->sampled_bytes_total, 10000);
	ksm_mark_drop(second);
}

Test(mark, test_random_calls_leave_what_they_should)
{
	static uint32_t wanted[PAGES];
	uint32_t moved[PAGES];

	srand(7);
	for (uint32_t turn = 0; turn < 20000; turn++) {
		uint32_t page = (uint32_t)rand() % PAGES, to = (uint32_t)rand() % PAGES;
		uint32_t pages = 1 + (uint32_t)rand() % 16, origin = 1 + (uint32_t)rand() % 5;

		pages = page + pages > PAGES ? PAGES - page : pages;
		pages = to + pages > PAGES ? PAGES - to : pages;
		if (turn % 3 < 2) {
			set(page, pages, origin);
			for (uint32_t i = 0; i < pages; i++)
				wanted[page + i] = origin;
		} else if (turn % 2) {
			ksm_mark_clear(BASE + page * PAGE, (size_t)pages * PAGE, KIND);
			memset(&wanted[page], 0, pages * sizeof(wanted[0]));
		} else {
			/* What is moved has one origin here. */
			set(page, pages, origin);
			ksm_mark_move(BASE + page * PAGE, (size_t)pages * PAGE, BASE + to * PAGE, (size_t)pages * PAGE,
				      KIND);
			for (uint32_t i = 0; i < pages; i++)
				moved[i] = origin;
			memset(&wanted[page], 0, pages * sizeof(wanted[0]));
			memcpy(&wanted[to], moved, pages * sizeof(wanted[0]));
		}
		if (turn % 64 == 0)
			expect(wanted);
	}
	expect(wanted);
}

Test(mark, test_neighbours_of_one_origin_are_one_mark)
{
	uint32_t origins[PAGES];

	for (uint32_t page = 0; page < 300; page += 2)
		set(page, 1, 3);
	cr_assert_eq(read_all(origins), 150);
	for (uint32_t page = 1; page < 300; page += 2)
		set(page, 1, 3);
	cr_assert_eq(read_all(origins), 1);
	set(100, 1, 4);
	cr_assert_eq(read_all(origins), 3);
	ksm_mark_clear(BASE, PAGES * PAGE, KIND);
	cr_assert_eq(read_all(origins), 0);
}

Test(mark, test_a_reservation_is_told_apart)
{
	const struct ksm_mark_of of = { .weight = 64 * PAGE, .origin = 2, .kind = KIND, .is_reserved = true };

	ksm_mark_set(BASE, 64 * PAGE, &of);
	cr_assert(ksm_mark_is_reserved(BASE + 10 * PAGE, PAGE, KIND));
	set(10, 4, 3);
	cr_assert_not(ksm_mark_is_reserved(BASE + 10 * PAGE, 4 * PAGE, KIND));
	cr_assert(ksm_mark_is_reserved(BASE + 9 * PAGE, 2 * PAGE, KIND));
	cr_assert_not(ksm_mark_is_reserved(BASE + 64 * PAGE, PAGE, KIND));
}

Test(mark, test_a_full_table_is_counted_and_has_room_again)
{
	const struct ksm_mark_of of = { .weight = PAGE, .origin = 1, .kind = KSMALLOC_MARK_SMALL };
	static uint32_t handles[KSMALLOC_MAX_MARKS + 10];
	uint32_t count = 0;
	uint64_t dropped = ksm_stat->header.marks_dropped_total;

	for (uint32_t i = 0; i < KSMALLOC_MAX_MARKS + 10; i++) {
		handles[i] = ksm_mark_add(BASE + i, 16, &of);
		count += handles[i] != KSM_MARK_NONE;
	}
	cr_assert_leq(count, KSMALLOC_MAX_MARKS);
	cr_assert_geq(count, KSMALLOC_MAX_MARKS - 100);
	cr_assert_gt(ksm_stat->header.marks_dropped_total, dropped);
	set(0, 4, 1);
	for (uint32_t i = 0; i < KSMALLOC_MAX_MARKS + 10; i++)
		ksm_mark_drop(handles[i]);
	set(8, 4, 2);
	cr_assert_eq(ksm_stat->header.marks.count, KSMALLOC_MAX_MARKS);
	uint32_t origins[PAGES];
	cr_assert_geq(read_all(origins), 1);
	cr_assert_eq(origins[8], 2);
}

Test(mark, test_what_is_no_range_is_left_alone)
{
	uint32_t wanted[PAGES] = { 0 };

	set(0, 0, 1);
	ksm_mark_clear(BASE, 0, KIND);
	ksm_mark_clear(UINTPTR_MAX - PAGE, 2 * PAGE, KIND);
	ksm_mark_move(BASE, 0, BASE, PAGE, KIND);
	set(5, 1, 0);
	expect(wanted);
}

/* The weight of the mark of so many bytes at an address, 0 if there is none. */
static uint64_t weight_at(uintptr_t address, uint64_t bytes)
{
	for (uint32_t i = 0; i < ksm_stat->header.marks.count; i++) {
		const struct ksmalloc_segment_mark *mark = &ksm_stat->marks[i];

		if (mark->address == address && mark->bytes == bytes && mark->kind == KSMALLOC_MARK_LARGE)
			return mark->weight;
	}
	return 0;
}

/* What a sample stands for grows and shrinks with it. */
Test(mark, test_a_sample_that_grows_stands_for_more)
{
	const struct ksm_mark_of of = { .weight = 3 * PAGE, .origin = 4, .kind = KSMALLOC_MARK_LARGE };

	ksm_mark_set(BASE, PAGE, &of);
	ksm_mark_move(BASE, PAGE, BASE, 8 * PAGE, KSMALLOC_MARK_LARGE);
	cr_assert_eq(weight_at(BASE, 8 * PAGE), 24 * PAGE);
	ksm_mark_move(BASE, 8 * PAGE, BASE + 64 * PAGE, 2 * PAGE, KSMALLOC_MARK_LARGE);
	cr_assert_eq(weight_at(BASE, 8 * PAGE), 0);
	cr_assert_eq(weight_at(BASE + 64 * PAGE, 2 * PAGE), 6 * PAGE);
}

Test(mark, test_a_child_has_its_own)
{
	uint32_t wanted[PAGES] = { [7] = 2 };
	int status;
	pid_t child;

	set(7, 1, 2);
	child = fork();
	if (child == 0) {
		ksm_mark_clear(BASE, PAGES * PAGE, KIND);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	expect(wanted);
}
