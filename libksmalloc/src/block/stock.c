/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/stock.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static_assert(KSM_STOCK_RUNS == 64, "a word has a bit for each run");

/* A word with a bit for each of the lengths that is this one, the first lowest; also for those not in use any more. */
#ifdef __SSE2__
static uint64_t match(const uint8_t *lengths, uint8_t length)
{
	const __m128i all = _mm_set1_epi8((char)length);
	uint64_t found = 0;

	for (uint32_t i = 0; i < KSM_STOCK_RUNS; i += 16) {
		__m128i same = _mm_cmpeq_epi8(_mm_load_si128((const __m128i *)(lengths + i)), all);

		found |= (uint64_t)(uint32_t)_mm_movemask_epi8(same) << i;
	}
	return found;
}
#else
static uint64_t match(const uint8_t *lengths, uint8_t length)
{
	uint64_t found = 0;

	for (uint32_t i = 0; i < KSM_STOCK_RUNS; i++)
		found |= (uint64_t)(lengths[i] == length) << i;
	return found;
}
#endif

uint32_t ksm_stock_search(const struct ksm_stock *stock, size_t size)
{
	uint64_t pages = ksm_run_pages_for(size);
	uint64_t found = match(stock->lengths, (uint8_t)pages);
	uint32_t any = KSM_STOCK_RUNS;
	uint32_t value;

	if (stock->count < KSM_STOCK_RUNS)
		found &= (UINT64_C(1) << stock->count) - 1;
	if (!found || pages > KSM_RUN_MAX_PAGES)
		return KSM_STOCK_RUNS;
	value = ksm_run_entry_of((uint32_t)pages, size);
	while (found) {
		uint32_t i = 63u - (uint32_t)__builtin_clzll(found);

		found ^= UINT64_C(1) << i;
		/* The length is its lowest bits only. */
		if (ksm_run_pages(stock->values[i]) != pages)
			continue;
		/* More of its pages are unused: its last block was not longer. */
		if (stock->values[i] >= value)
			return i;
		any = any == KSM_STOCK_RUNS ? i : any;
	}
	return any;
}

/* Moves all runs from one index on to another one, and with them what is known of them. */
static void move_down(struct ksm_stock *stock, uint32_t to, uint32_t from, uint32_t count)
{
	memmove(stock->lengths + to, stock->lengths + from, count * sizeof(stock->lengths[0]));
	memmove(stock->values + to, stock->values + from, count * sizeof(stock->values[0]));
	memmove(stock->runs + to, stock->runs + from, count * sizeof(stock->runs[0]));
}

void ksm_stock_close_gap(struct ksm_stock *stock, uint32_t index)
{
	move_down(stock, index, index + 1, stock->count - index);
}

uint32_t ksm_stock_longest(const struct ksm_stock *stock)
{
	uint32_t longest = KSM_STOCK_RUNS;

	for (uint32_t i = 0; i < stock->count; i++) {
		if (longest == KSM_STOCK_RUNS ||
		    ksm_run_pages(stock->values[i]) >= ksm_run_pages(stock->values[longest]))
			longest = i;
	}
	return longest;
}

struct ksm_stock_run ksm_stock_cut(struct ksm_stock *stock, uint32_t index, uint32_t pages, uint32_t *entry)
{
	struct ksm_stock_run run = stock->runs[index];

	/* How much of the last page is unused, the lowest bits, is the rest's now. */
	stock->values[index] -= pages << KSM_RUN_SLACK_BITS;
	stock->lengths[index] = (uint8_t)ksm_run_pages(stock->values[index]);
	stock->runs[index] = (struct ksm_stock_run){ (char *)run.block + ((size_t)pages << KSM_PAGE_SHIFT), entry };
	return run;
}

uint32_t ksm_stock_pages(const struct ksm_stock *stock, uint32_t count)
{
	uint32_t pages = 0;

	for (uint32_t i = 0; i < count; i++)
		pages += ksm_run_pages(stock->values[i]);
	return pages;
}

void ksm_stock_drop_oldest(struct ksm_stock *stock, uint32_t count)
{
	stock->count -= count;
	move_down(stock, 0, count, stock->count);
}
