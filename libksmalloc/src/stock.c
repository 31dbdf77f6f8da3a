/* SPDX-License-Identifier: BSD-2-Clause */
#include "stock.h"

#include "os.h"

#include <string.h>

/* Four values, which the processor compares at once. */
typedef uint32_t lanes __attribute__((vector_size(16), may_alias));
#define NO_LENGTH (KSM_RUN_MAX_PAGES + 1) /* pages that no run has */
#define GROUP 16u /* values that are looked at together */
static_assert(KSM_STOCK_RUNS % GROUP == 0, "values are searched in whole groups");

/* True if a value of the group has so many pages; also one that is not in use any more. */
static bool has_pages(const uint32_t *group, lanes pages)
{
	typedef uint64_t halves __attribute__((vector_size(16)));
	const lanes *four = (const lanes *)group;
	halves found = (halves)((lanes)(four[0] >> KSM_RUN_SLACK_BITS == pages) |
				(lanes)(four[1] >> KSM_RUN_SLACK_BITS == pages) |
				(lanes)(four[2] >> KSM_RUN_SLACK_BITS == pages) |
				(lanes)(four[3] >> KSM_RUN_SLACK_BITS == pages));

	return (found[0] | found[1]) != 0;
}

uint32_t ksm_stock_search(const struct ksm_stock *stock, size_t size)
{
	uint64_t whole = ((uint64_t)size + KSM_PAGE - 1) >> KSM_PAGE_SHIFT;
	uint32_t pages = (uint32_t)ksm_min(whole, NO_LENGTH);
	const lanes all = { pages, pages, pages, pages };
	uint32_t value = ksm_run_entry_of(pages, size);
	uint32_t any = KSM_STOCK_RUNS;
	uint32_t end = stock->count;

	while (end > 0) {
		uint32_t begin = (end - 1) / GROUP * GROUP;

		if (has_pages(stock->values + begin, all)) {
			for (uint32_t i = end; i > begin; i--) {
				if (ksm_run_pages(stock->values[i - 1]) != pages)
					continue;
				/* More of its pages are unused: its last block was not longer. */
				if (stock->values[i - 1] >= value)
					return i - 1;
				any = any == KSM_STOCK_RUNS ? i - 1 : any;
			}
		}
		end = begin;
	}
	return any;
}

void ksm_stock_close_gap(struct ksm_stock *stock, uint32_t index)
{
	uint32_t behind = stock->count - index;

	memmove(&stock->values[index], &stock->values[index + 1], behind * sizeof(stock->values[0]));
	memmove(&stock->runs[index], &stock->runs[index + 1], behind * sizeof(stock->runs[0]));
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
	memmove(stock->values, stock->values + count, stock->count * sizeof(stock->values[0]));
	memmove(stock->runs, stock->runs + count, stock->count * sizeof(stock->runs[0]));
}
