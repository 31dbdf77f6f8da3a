/* SPDX-License-Identifier: BSD-2-Clause */
#include "mapping/ranges.h"

#include "draw.h"
#include "os/os.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* A model of one byte a page, from some address on. */
#define BASE  ((uintptr_t)1 << 40)
#define PAGES 65536u
#define AT(page) (BASE + (uintptr_t)(page) * KSM_PAGE)

enum kind {
	FREE,
	LIVE,
	RESERVED,
};

static struct ksm_ranges set;

static bool add(uint64_t begin, uint64_t end, bool reserved)
{
	return ksm_ranges_add(&set, (struct ksm_range){ AT(begin), AT(end), reserved });
}

static void expect_range(uint64_t from, uint64_t begin, uint64_t end, bool reserved)
{
	struct ksm_range range;

	cr_assert(ksm_ranges_find(&set, AT(from), &range));
	cr_assert_eq(range.begin, AT(begin));
	cr_assert_eq(range.end, AT(end));
	cr_assert_eq(range.reserved, reserved);
}

Test(ranges, the_empty_set)
{
	struct ksm_range range;

	cr_assert(ksm_ranges_check(&set));
	cr_assert_not(ksm_ranges_find(&set, 0, &range));
	cr_assert(ksm_ranges_remove(&set, AT(0), AT(PAGES)));
	cr_assert_eq(ksm_ranges_place(&set, AT(1), AT(10), 9 * KSM_PAGE, KSM_PAGE), AT(1));
	cr_assert_eq(ksm_ranges_place(&set, AT(1), AT(10), 10 * KSM_PAGE, KSM_PAGE), 0);
}

Test(ranges, those_that_touch_are_one_if_they_are_alike)
{
	cr_assert(add(10, 20, false));
	cr_assert(add(30, 40, false));
	cr_assert_eq(set.count, 2);
	cr_assert(add(20, 30, false));
	expect_range(0, 10, 40, false);
	cr_assert(add(40, 50, true));
	cr_assert_eq(set.count, 2);
	cr_assert(add(25, 26, true));
	cr_assert_eq(set.count, 4);
	expect_range(24, 10, 25, false);
	expect_range(25, 25, 26, true);
	expect_range(26, 26, 40, false);
	cr_assert(ksm_ranges_remove(&set, AT(0), AT(100)));
	cr_assert_eq(set.count, 0);
	cr_assert(ksm_ranges_check(&set));
}

/* --- against the model ------------------------------------------------------------------- */

static unsigned char model[PAGES];

static uintptr_t place_in_model(uint32_t at, uint32_t end, uint32_t pages, uint32_t alignment)
{
	uint32_t first = (uint32_t)ksm_align_up(at, alignment);
	uint32_t page = first;

	while (first + pages <= end && page < first + pages) {
		if (model[page++] != FREE)
			page = first = (uint32_t)ksm_align_up(page, alignment);
	}
	return first + pages <= end ? AT(first) : 0;
}

static void check_places(void)
{
	uint32_t at = draw(PAGES);
	uint32_t end = at + draw(PAGES - at) + 1;
	uint32_t pages = 1 + draw(draw(8) ? 20 : 1500);
	uint32_t alignment = draw(2) ? KSM_RANGES_ALIGNMENT / KSM_PAGE : 1;

	cr_assert_eq(ksm_ranges_place(&set, AT(at), AT(end), pages * KSM_PAGE, alignment * KSM_PAGE),
		     place_in_model(at, end, pages, alignment), "%u..%u %u %u", at, end, pages,
		     alignment);
}

static void check_find(void)
{
	uint32_t at = draw(PAGES);
	uint32_t begin = at;
	struct ksm_range range;

	while (begin < PAGES && model[begin] == FREE)
		begin++;
	if (begin == PAGES) {
		cr_assert_not(ksm_ranges_find(&set, AT(at), &range));
		return;
	}
	cr_assert(ksm_ranges_find(&set, AT(at), &range));
	cr_assert(range.begin <= AT(begin) && range.end > AT(begin));
	cr_assert(begin == at || range.begin == AT(begin));
	cr_assert_eq(range.reserved, model[begin] == RESERVED);
	if (range.end < AT(PAGES))
		cr_assert_neq(model[(range.end - BASE) / KSM_PAGE], model[begin]);
}

static void check_counts(void)
{
	uint64_t pages[3] = { 0 };
	size_t count = 0;

	for (uint32_t page = 0; page < PAGES; page++) {
		pages[model[page]]++;
		count += model[page] != FREE && (page == 0 || model[page] != model[page - 1]);
	}
	cr_assert(ksm_ranges_check(&set));
	cr_assert_eq(set.count, count);
	cr_assert_eq(set.bytes[0], pages[LIVE] * KSM_PAGE);
	cr_assert_eq(set.bytes[1], pages[RESERVED] * KSM_PAGE);
}

/* more: how many of 16 changes add something; longest: pages of most changes. */
static void change(uint32_t more, uint32_t longest)
{
	uint32_t begin = draw(PAGES);
	uint32_t end = begin + 1 + draw(draw(1024) ? longest : 4000);
	enum kind kind = draw(16) < more ? 1 + (enum kind)draw(2) : FREE;

	end = (uint32_t)ksm_min(end, PAGES);
	if (kind == FREE)
		cr_assert(ksm_ranges_remove(&set, AT(begin), AT(end)));
	else
		cr_assert(add(begin, end, kind == RESERVED));
	memset(&model[begin], kind, end - begin);
}

Test(ranges, random_changes_and_questions_answer_as_the_model_does)
{
	size_t most = 0;

	for (uint32_t i = 0; i < 200000; i++) {
		/* The set grows and shrinks by turns. */
		change(i / 50000 % 2 ? 2 : 13, i / 100000 % 2 ? 1 : 30);
		check_places();
		check_find();
		if (i % 512 == 0)
			check_counts();
		most = ksm_max(most, set.count);
	}
	cr_assert_gt(most, 15000, "the tree was never high: %zu ranges", most);
}

/* --- many -------------------------------------------------------------------------------- */

static void shuffle(uint32_t *numbers, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t other = i + draw(count - i);
		uint32_t number = numbers[other];

		numbers[other] = numbers[i];
		numbers[i] = number;
	}
}

Test(ranges, memory_goes_back)
{
	enum { MANY = 200000 };
	uint32_t *order = calloc(MANY, sizeof(*order));

	for (uint32_t i = 0; i < MANY; i++)
		order[i] = i;
	shuffle(order, MANY);
	for (uint32_t i = 0; i < MANY; i++)
		cr_assert(add(2 * order[i], 2 * order[i] + 1, false));
	cr_assert_eq(set.count, MANY);
	cr_assert(ksm_ranges_check(&set));
	/* 16 bytes each, in nodes that are half full at least. */
	cr_assert_lt(set.pool.pieces, 2 * MANY * 16 / (64 * KSM_KIB) + 4);
	/* A hundredth stays, here and there. */
	for (uint32_t i = 0; i < MANY; i++)
		if (order[i] % 100)
			cr_assert(ksm_ranges_remove(&set, AT(2 * order[i]), AT(2 * order[i] + 1)));
	cr_assert_eq(set.count, MANY / 100);
	cr_assert(ksm_ranges_check(&set));
	cr_assert_lt(set.pool.used, 2 * MANY / 100 * 16 / KSM_RANGES_NODE_BYTES + 20);
	cr_assert(ksm_ranges_remove(&set, 0, INT64_MAX));
	cr_assert(ksm_ranges_check(&set));
	cr_assert_eq(set.pool.used, 0);
	cr_assert_leq(set.pool.pieces, 2);
	free(order);
}

/*
 * What takes time in proportion to the number of ranges does not end before this test's time is
 * up: these are millions of millions of steps then.
 */
Test(ranges, two_million_ranges_downwards_as_the_kernel_places_them)
{
	enum { MANY = 2000000 };

	for (uint32_t i = MANY; i > 0; i--)
		cr_assert(add(2 * i, 2 * i + 1, false));
	/* Leaves are full then. */
	cr_assert_lt(set.pool.used, MANY / 63 * 11 / 10);
	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t length = 1 + draw(3);

		/* All gaps are one page long. */
		cr_assert_eq(ksm_ranges_place(&set, AT(3), AT(PAGES * 1000), length * KSM_PAGE,
					      KSM_PAGE),
			     length == 1 ? AT(3) : AT(2 * MANY + 1));
	}
	for (uint32_t i = 1; i <= MANY; i++)
		cr_assert(ksm_ranges_remove(&set, AT(2 * i), AT(2 * i + 1)));
	cr_assert_eq(set.pool.used, 0);
}

Test(ranges, without_memory_it_says_so_and_goes_on)
{
	struct rlimit limit = { 0, RLIM_INFINITY };
	uint32_t added = 0;

	cr_assert(add(PAGES, 2 * PAGES, true));
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
	while (add(2 * added, 2 * added + 1, false))
		added++;
	cr_assert_gt(added, 100);
	cr_assert(ksm_ranges_check(&set));
	cr_assert_eq(set.count, added + 1);
	/* Of a range that is cut in two, the lower part stays. */
	cr_assert_not(ksm_ranges_remove(&set, AT(PAGES + 7), AT(PAGES + 9)));
	expect_range(PAGES, PAGES, PAGES + 7, true);
	cr_assert_eq(set.bytes[1], 7 * KSM_PAGE);
	/* There is room again, and what was forgotten can be added. */
	cr_assert(ksm_ranges_remove(&set, AT(0), AT(added)));
	cr_assert(add(2 * added, 2 * added + 1, false));
	cr_assert(ksm_ranges_check(&set));
}
