/* SPDX-License-Identifier: BSD-2-Clause */
#include "stock.h"

#include "os.h"

#include <string.h>

/* Four values, which the processor compares at once. */
typedef uint32_t lanes __attribute__((vector_size(16), may_alias));
#define GROUP 16u /* values that are looked at together */
static_assert(KSM_STOCK_RUNS % GROUP == 0, "values are searched in whole groups");

/* True if a value of the group is in [least, least + span]; also one that is not in use any more. */
static bool has_value(const uint32_t *group, uint32_t least, uint32_t span)
{
	typedef uint64_t halves __attribute__((vector_size(16)));
	const lanes *four = (const lanes *)group;
	const lanes low = { least, least, least, least };
	const lanes most = { span, span, span, span };
	halves found = (halves)((lanes)(four[0] - low <= most) | (lanes)(four[1] - low <= most) |
				(lanes)(four[2] - low <= most) | (lanes)(four[3] - low <= most));

	return (found[0] | found[1]) != 0;
}

/* The newest run whose value is in [least, least + span]. */
static uint32_t search(const struct ksm_stock *stock, uint32_t least, uint32_t span)
{
	uint32_t end = stock->count;

	while (end > 0) {
		uint32_t begin = (end - 1) / GROUP * GROUP;

		if (has_value(stock->values + begin, least, span)) {
			while (end > begin && stock->values[end - 1] - least > span)
				end--;
			if (end > begin)
				return end - 1;
		}
		end = begin;
	}
	return KSM_STOCK_RUNS;
}

uint32_t ksm_stock_search(const struct ksm_stock *stock, size_t size)
{
	const uint32_t slack = (1u << KSM_RUN_SLACK_BITS) - 1;
	uint32_t pages = (uint32_t)((size + KSM_PAGE - 1) >> KSM_PAGE_SHIFT);
	uint32_t value = ksm_run_entry_of(pages, size);
	uint32_t index = search(stock, value, (value | slack) - value);

	return index < KSM_STOCK_RUNS ? index : search(stock, value & ~slack, slack);
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

void ksm_stock_append_oldest(struct ksm_stock *stock, const struct ksm_stock *from,
			  uint32_t count)
{
	memcpy(stock->values + stock->count, from->values, count * sizeof(stock->values[0]));
	memcpy(stock->runs + stock->count, from->runs, count * sizeof(stock->runs[0]));
	stock->count += count;
}
