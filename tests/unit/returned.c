/* SPDX-License-Identifier: BSD-2-Clause */
/* Returned runs: what is given comes back by its length, once, and is counted, whatever threads do at once. */
#include "block/returned.h"

#include "site/site.h"
#include "segment/stat.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define UNBOUNDED (INT64_C(1) << 40)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ksm_pool pool = { .lock = &lock };

/* What is counted as at hand for the rule that keep has. */
static _Atomic int64_t at_hand;

void __wrap_ksm_keep_at_hand(int64_t pages);
void __wrap_ksm_keep_at_hand(int64_t pages)
{
	at_hand += pages;
}

static void setup(void)
{
	cr_assert_eq(ksm_stat_init(), 0);
	cr_assert_eq(ksm_site_init(), 0);
}

TestSuite(returned, .init = setup);

static void put(struct ksm_stock *stock, uintptr_t number, uint32_t pages, uint64_t bytes)
{
	ksm_stock_put(stock, (struct ksm_stock_run){ (void *)number, NULL },
		      ksm_run_entry_of(pages, bytes));
}

/* Runs 1, 2, ... of so many pages. */
static void fill(struct ksm_stock *stock, uint32_t count, uint32_t pages)
{
	memset(stock, 0, sizeof(*stock));
	for (uint32_t i = 0; i < count; i++)
		put(stock, i + 1, pages, (uint64_t)pages << 12);
}

/* What all tallies say that is returned, in pages. */
static uint64_t counted_pages(void)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < ksm_stat->header.tallies.count; i++)
		bytes += __atomic_load_n(&ksm_stat->tallies[i].cached_bytes, __ATOMIC_RELAXED);
	return bytes >> 12;
}

Test(returned, gives_what_is_wanted_and_no_more_than_may_be)
{
	static struct ksm_stock stock;
	struct ksm_returned_few few;

	cr_assert_not(ksm_returned_has(&pool, 5 << 12));
	cr_assert_not(ksm_returned_take(&pool, 5 << 12, 1, &few));
	fill(&stock, 16, 5);
	cr_assert_not(ksm_returned_give(&pool, &stock, 16, 16 * 5 - 1), "more than may be");
	cr_assert(ksm_returned_give(&pool, &stock, 16, 16 * 5));
	fill(&stock, 16, KSM_RETURNED_PAGES);
	cr_assert(ksm_returned_give(&pool, &stock, 16, 1 << 20));
	cr_assert_eq(counted_pages(), 16 * (5 + KSM_RETURNED_PAGES));
	cr_assert_not(ksm_returned_give(&pool, &stock, 16, 16 * KSM_RETURNED_PAGES),
		      "others' are counted, too");
	cr_assert(ksm_returned_has(&pool, (4 << 12) + 1));
	cr_assert_not(ksm_returned_has(&pool, (5 << 12) + 1));
	cr_assert_not(ksm_returned_take(&pool, 6 << 12, 1, &few));
	cr_assert_not(ksm_returned_take(&pool, (KSM_RETURNED_PAGES + 5) << 12, 1, &few));
	cr_assert_not(ksm_returned_take(&pool, SIZE_MAX, 1, &few));
	for (uintptr_t i = 16; i > 0; i--) {
		cr_assert(ksm_returned_take(&pool, 5 << 12, 1, &few));
		cr_assert_eq(few.count, 1);
		cr_assert_eq(ksm_run_pages(few.values[0]), 5);
		cr_assert_eq((uintptr_t)few.runs[0].block, i);
	}
	cr_assert_not(ksm_returned_take(&pool, 5 << 12, 1, &few));
	cr_assert(ksm_returned_drain(&pool, &stock));
	cr_assert_eq(stock.count, 16);
	cr_assert_eq(ksm_run_pages(stock.values[0]), KSM_RETURNED_PAGES);
	cr_assert_not(ksm_returned_drain(&pool, &stock));
	cr_assert_eq(counted_pages(), 0);
	fill(&stock, 16, 5);
	cr_assert(ksm_returned_give(&pool, &stock, 16, 16 * 5), "nothing is left of what was drained");
}

Test(returned, a_few_come_at_once_the_newest_first)
{
	static struct ksm_stock stock;
	struct ksm_returned_few few;
	uintptr_t next = 20;

	memset(&stock, 0, sizeof(stock));
	for (uint32_t i = 0; i < 40; i++)
		put(&stock, i / 2 + 1, i % 2 ? 4 : 9, (i % 2 ? 4 : 9) * 4096 - i);
	cr_assert(ksm_returned_give(&pool, &stock, 40, UNBOUNDED));
	for (uint32_t left = 20; left > 0; left -= few.count) {
		cr_assert(ksm_returned_take(&pool, 9 << 12, KSM_RETURNED_FEW, &few));
		cr_assert_eq(few.count, left < KSM_RETURNED_FEW ? left : KSM_RETURNED_FEW);
		for (uint32_t i = 0; i < few.count; i++, next--) {
			cr_assert_eq((uintptr_t)few.runs[i].block, next);
			cr_assert_eq(ksm_run_bytes(few.values[i]), 9 * 4096 - 2 * (next - 1));
		}
	}
	cr_assert_eq(counted_pages(), 20 * 4);
}

/* What lies behind a block's end is zero: less is to be cleared of a run whose last block was not longer. */
Test(returned, the_one_that_needs_the_least_clearing_comes_first)
{
	static const uint64_t bytes[] = { 100, 3000, 300, 2000 };
	static struct ksm_stock stock;
	struct ksm_returned_few few;

	memset(&stock, 0, sizeof(stock));
	for (uint32_t i = 0; i < KSM_COUNT_OF(bytes); i++)
		put(&stock, i + 1, 3, (2 << 12) + bytes[i]);
	cr_assert(ksm_returned_give(&pool, &stock, 4, UNBOUNDED));
	cr_assert(ksm_returned_take(&pool, (2 << 12) + 299, 1, &few));
	cr_assert_eq((uintptr_t)few.runs[0].block, 1, "none of the longer ones");
	cr_assert(ksm_returned_take(&pool, (2 << 12) + 299, 1, &few));
	cr_assert_eq((uintptr_t)few.runs[0].block, 3, "all are longer, and this one the least");
	cr_assert(ksm_returned_take(&pool, (2 << 12) + 3000, 2, &few));
	cr_assert_eq(few.count, 2);
	cr_assert_eq((uintptr_t)few.runs[0].block + (uintptr_t)few.runs[1].block, 2 + 4);
}

Test(returned, no_more_than_a_few_come_at_once)
{
	static struct ksm_stock stock;
	struct ksm_returned_few few;

	fill(&stock, KSM_RETURNED_FEW + 1, 5);
	cr_assert(ksm_returned_give(&pool, &stock, stock.count, UNBOUNDED));
	cr_assert(ksm_returned_take(&pool, 5 << 12, UINT32_MAX, &few));
	cr_assert_eq(few.count, KSM_RETURNED_FEW);
	cr_assert_eq(counted_pages(), 5);
}

/* Runs of lengths that there are none of yet, until there is no room for so many: each may need what is not there. */
Test(returned, has_room_for_so_many_lengths_and_no_more)
{
	static struct ksm_stock stock;
	struct ksm_returned_few few;
	uint32_t pages = 1;

	fill(&stock, 1, pages++);
	cr_assert(ksm_returned_give(&pool, &stock, 1, UNBOUNDED));
	for (bool has_room = true; has_room; pages += has_room ? 16 : 0) {
		memset(&stock, 0, sizeof(stock));
		for (uint32_t i = 0; i < 16; i++)
			put(&stock, pages + i, pages + i, 4096);
		has_room = ksm_returned_give(&pool, &stock, 16, UNBOUNDED);
	}
	cr_assert_eq(pages - 1, 1 + 7 * 16);
	cr_assert(ksm_returned_give(&pool, &stock, 15, UNBOUNDED));
	cr_assert_not(ksm_returned_give(&pool, &stock, 1, UNBOUNDED));
	for (uint32_t i = 1; i <= 128; i++) {
		cr_assert(ksm_returned_take(&pool, (size_t)i << 12, 1, &few));
		cr_assert_eq((uintptr_t)few.runs[0].block, i);
	}
	cr_assert_eq(counted_pages(), 0);
}

/* Gives runs of so many lengths until there is no room; takes one each time if somebody asks. Returns what is there. */
static uint32_t fill_up(uint32_t lengths, bool is_asked)
{
	static struct ksm_stock stock;
	struct ksm_returned_few few;
	uint32_t number = 0;

	for (uint32_t taken = 0;; taken += is_asked) {
		memset(&stock, 0, sizeof(stock));
		for (uint32_t i = 0; i < 16; i++, number++)
			put(&stock, number + 1, 4 + number % lengths, 4096);
		if (!ksm_returned_give(&pool, &stock, 16, UNBOUNDED))
			return number - 16 - taken;
		if (is_asked)
			cr_assert(ksm_returned_take(&pool, (4 + (number - 1) % lengths) << 12, 1, &few));
	}
}

/* Takes all out again; returns how many runs there were. */
static uint32_t empty(uint32_t lengths)
{
	static struct ksm_stock stock;
	static bool seen[2048];
	uint32_t count = 0;

	memset(seen, 0, sizeof(seen));
	while (ksm_returned_drain(&pool, &stock)) {
		for (uint32_t i = 0; i < stock.count; i++, count++) {
			uintptr_t number = (uintptr_t)stock.runs[i].block;

			cr_assert(number > 0 && number < sizeof(seen) && !seen[number]);
			cr_assert_eq(ksm_run_pages(stock.values[i]), 4 + (number - 1) % lengths);
			seen[number] = true;
		}
	}
	cr_assert_eq(counted_pages(), 0);
	return count;
}

Test(returned, is_bounded_and_all_of_it_comes_back)
{
	static const uint32_t lengths[] = { 1, 29, 200 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint32_t given = fill_up(lengths[i], true);

		cr_assert_geq(given, lengths[i] < 32 ? 500 : 100);
		cr_assert_leq(given, 1000);
		cr_assert_eq(empty(lengths[i]), given);
	}
}

Test(returned, is_for_those_who_ask)
{
	cr_assert_eq(fill_up(29, false), 320);
	cr_assert_eq(empty(29), 320);
	cr_assert_eq(fill_up(29, false), 320, "what was drained is not waited for");
	cr_assert_eq(empty(29), 320);
}

/* --- threads ---------------------------------------------------------------------------------- */

#define GIVERS	2
#define TAKERS	2
#define BATCHES 20000u

static atomic_uint givers_left = GIVERS;
static _Atomic uint8_t times_seen[GIVERS * BATCHES * 16 + 1];
static atomic_uint came_back;

static void note(struct ksm_stock_run run)
{
	atomic_fetch_add(&times_seen[(uintptr_t)run.block], 1);
	atomic_fetch_add(&came_back, 1);
}

static void *give(void *argument)
{
	uintptr_t number = (uintptr_t)argument * BATCHES * 16 + 1;
	struct ksm_stock stock;

	for (uint32_t i = 0; i < BATCHES; i++) {
		stock.count = 0;
		for (uint32_t j = 0; j < 16; j++, number++)
			put(&stock, number, 4 + (uint32_t)(number % 7), 4096);
		/* What finds no room goes its own way. */
		if (!ksm_returned_give(&pool, &stock, 16, UNBOUNDED))
			for (uint32_t j = 0; j < 16; j++)
				note(stock.runs[j]);
	}
	atomic_fetch_sub(&givers_left, 1);
	return NULL;
}

static void *take(void *argument)
{
	uint32_t turn = (uint32_t)(uintptr_t)argument;
	struct ksm_returned_few few;

	for (bool last = false; !last; turn++) {
		last = atomic_load(&givers_left) == 0;
		while (ksm_returned_take(&pool, (4 + turn % 7) << 12, 1 + turn % KSM_RETURNED_FEW, &few)) {
			for (uint32_t i = 0; i < few.count; i++) {
				cr_assert_eq(ksm_run_pages(few.values[i]), 4 + turn % 7);
				note(few.runs[i]);
			}
			last = false;
		}
	}
	return NULL;
}

Test(returned, each_run_comes_back_once)
{
	pthread_t threads[GIVERS + TAKERS];
	struct ksm_stock stock;

	for (uintptr_t i = 0; i < GIVERS + TAKERS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, i < GIVERS ? give : take, (void *)i), 0);
	for (size_t i = 0; i < GIVERS + TAKERS; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	while (ksm_returned_drain(&pool, &stock))
		for (uint32_t i = 0; i < stock.count; i++)
			note(stock.runs[i]);
	cr_assert_eq(came_back, GIVERS * BATCHES * 16);
	for (size_t i = 1; i < sizeof(times_seen); i++)
		cr_assert_eq(times_seen[i], 1);
	cr_assert_eq(counted_pages(), 0);
}

/* --- fork -------------------------------------------------------------------------------------- */

Test(returned, a_child_begins_anew_where_another_thread_was_just_at_it)
{
	static struct ksm_stock stock;
	struct ksm_returned_few few;
	struct ksm_returned *inherited;

	/* More than what is counted later. */
	fill(&stock, 16, 20);
	cr_assert(ksm_returned_give(&pool, &stock, 16, 16 * 20));
	cr_assert_eq(at_hand, 16 * 20);
	inherited = pool.returned;
	ksm_returned_postfork_child(&pool);
	cr_assert_eq(pool.returned, inherited, "nobody was at it");
	/* Its first member is the flag. */
	atomic_store((atomic_bool *)inherited, true);
	cr_assert_not(ksm_returned_take(&pool, 20 << 12, 1, &few));
	cr_assert_not(ksm_returned_give(&pool, &stock, 16, UNBOUNDED));
	cr_assert_not(ksm_returned_drain(&pool, &stock));
	ksm_returned_postfork_child(&pool);
	cr_assert_eq(at_hand, 0);
	cr_assert_not(ksm_returned_take(&pool, 20 << 12, 1, &few));
	fill(&stock, 16, 20);
	cr_assert(ksm_returned_give(&pool, &stock, 16, 16 * 20), "what was given up does not count");
	cr_assert(ksm_returned_take(&pool, 20 << 12, 1, &few));
	cr_assert_neq(pool.returned, inherited);
}
