/* SPDX-License-Identifier: BSD-2-Clause */
/* Random use of a stock beside a list that does the same by the plainest means. */
#include "block/stock.h"

#include <criterion/criterion.h>
#include <string.h>

static uint64_t state = 7;

static uint32_t draw(uint32_t below)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((state >> 33) % below);
}

/* --- the plain list ------------------------------------------------------------------------- */

static uint32_t list[KSM_STOCK_RUNS];
static uint32_t list_count;

/* What a search has to find: the newest of the length that needs no clearing, else the newest of the length. */
static uint32_t expected(size_t size)
{
	uint32_t pages = (uint32_t)((size + 4095) >> 12);
	uint32_t any = KSM_STOCK_RUNS;

	for (uint32_t i = list_count; i > 0; i--) {
		if (ksm_run_pages(list[i - 1]) != pages)
			continue;
		if (ksm_run_bytes(list[i - 1]) <= size)
			return i - 1;
		any = any == KSM_STOCK_RUNS ? i - 1 : any;
	}
	return any;
}

static void drop_from_list(uint32_t index, uint32_t count)
{
	list_count -= count;
	memmove(list + index, list + index + count, (list_count - index) * sizeof(list[0]));
}

static void check(const struct ksm_stock *stock)
{
	uint32_t pages = 0;

	cr_assert_eq(stock->count, list_count);
	for (uint32_t i = 0; i < list_count; i++) {
		cr_assert_eq(stock->values[i], list[i]);
		cr_assert_eq((uintptr_t)stock->runs[i].block, list[i]);
		pages += ksm_run_pages(list[i]);
	}
	cr_assert_eq(ksm_stock_pages(stock, list_count), pages);
}

/* Lengths of which some differ by 256 pages, which the bytes that are searched do not tell apart. */
static size_t any_size(void)
{
	return 1 + draw(12 * 4096) + (draw(4) ? 0 : 256 * 4096);
}

Test(stock, random_use)
{
	static struct ksm_stock stock;

	for (int turn = 0; turn < 200000; turn++) {
		size_t size = any_size();
		uint32_t value = ksm_run_entry_of((uint32_t)((size + 4095) >> 12), size);
		uint32_t index;

		if (draw(100) < 55 && list_count < KSM_STOCK_RUNS) {
			ksm_stock_put(&stock, (struct ksm_stock_run){ (void *)(uintptr_t)value, NULL },
				      value);
			list[list_count++] = value;
		} else {
			index = ksm_stock_search(&stock, size);
			cr_assert_eq(index, expected(size), "turn %d", turn);
			if (index < KSM_STOCK_RUNS) {
				cr_assert_eq((uintptr_t)ksm_stock_take(&stock, index).block, list[index]);
				drop_from_list(index, 1);
			}
		}
		if (draw(50) == 0) {
			uint32_t count = draw(list_count + 1);

			ksm_stock_drop_oldest(&stock, count);
			drop_from_list(0, count);
		}
		check(&stock);
	}
}

/* The longest run of several, and of those as long the newest; what is left of it is found by its own length. */
Test(stock, gives_the_beginning_of_a_run_and_keeps_the_rest)
{
	static struct ksm_stock stock;
	static uint32_t entries[64], rest;
	struct ksm_stock_run run;

	cr_assert_eq(ksm_stock_longest(&stock), KSM_STOCK_RUNS);
	for (uint32_t i = 0; i < 3; i++)
		ksm_stock_put(&stock, (struct ksm_stock_run){ (void *)(uintptr_t)(i << 24), &entries[i] },
			      ksm_run_entry_of(i == 0 ? 5 : 300, (i == 0 ? 5 : 300) * 4096 - 50));
	cr_assert_eq(ksm_stock_longest(&stock), 2);
	run = ksm_stock_cut(&stock, 2, 290, &rest);
	cr_assert_eq((uintptr_t)run.block, 2 << 24);
	cr_assert_eq(run.entry, &entries[2]);
	cr_assert_eq(stock.count, 3);
	cr_assert_eq(ksm_stock_search(&stock, 10 * 4096), 2);
	cr_assert_eq((uintptr_t)stock.runs[2].block, (2 << 24) + 290 * 4096);
	cr_assert_eq(stock.runs[2].entry, &rest);
	cr_assert_eq(ksm_run_bytes(stock.values[2]), 10 * 4096 - 50);
	cr_assert_eq(ksm_stock_longest(&stock), 1);
}
