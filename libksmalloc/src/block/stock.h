/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stock: a few freed runs, in the order in which they were put.
 *
 * What it is: the set that magazines and returned runs are made of: search by size, and the oldest first when
 * there are too many. Pure bookkeeping.
 * What it is not: memory, or a decision who may have it.
 *
 * Locking: the owner's. Failure: none.
 */
#ifndef KSM_STOCK_H
#define KSM_STOCK_H

#include "base.h"
#include "slot/run.h"

#define KSM_STOCK_RUNS 64u

struct ksm_stock_run {
	void *block;
	uint32_t *entry;	/* of its first page, see run.h */
};

/* The oldest stands first; what is searched for stands apart. */
struct ksm_stock {
	/* The lowest bits of their numbers of pages, which the processor compares sixteen at once. */
	_Alignas(16) uint8_t lengths[KSM_STOCK_RUNS];
	/* What their entries were when they were blocks. */
	uint32_t values[KSM_STOCK_RUNS];
	uint32_t count;
	struct ksm_stock_run runs[KSM_STOCK_RUNS];
};

/*
 * The newest run of as many pages as size bytes take, of those that a shorter block had if there is
 * one: nothing of its tail needs to be cleared. KSM_STOCK_RUNS if there is none.
 */
uint32_t ksm_stock_search(const struct ksm_stock *stock, size_t size);

/* Closes the gap that a run leaves which was not the newest; count is without it. */
KSM_COLD void ksm_stock_close_gap(struct ksm_stock *stock, uint32_t index);

/* The longest of the runs, and the newest of those that are; KSM_STOCK_RUNS if there is none. */
uint32_t ksm_stock_longest(const struct ksm_stock *stock);

/*
 * Takes the first pages of the run at an index, which has more of them. What is left stays in its place in the order:
 * entry is that of its first page.
 */
struct ksm_stock_run ksm_stock_cut(struct ksm_stock *stock, uint32_t index, uint32_t pages, uint32_t *entry);

/* The pages of the oldest runs. */
uint32_t ksm_stock_pages(const struct ksm_stock *stock, uint32_t count);

/* Takes the oldest runs out. */
void ksm_stock_drop_oldest(struct ksm_stock *stock, uint32_t count);

/* Adds a run as the newest; there is room for it. */
KSM_INLINE void ksm_stock_put(struct ksm_stock *stock, struct ksm_stock_run run, uint32_t value)
{
	stock->runs[stock->count] = run;
	stock->values[stock->count] = value;
	stock->lengths[stock->count] = (uint8_t)ksm_run_pages(value);
	stock->count++;
}

/* Takes the run at an index out; its value was read before. */
KSM_INLINE struct ksm_stock_run ksm_stock_take(struct ksm_stock *stock, uint32_t index)
{
	struct ksm_stock_run run = stock->runs[index];

	stock->count--;
	if (ksm_unlikely(index != stock->count))
		ksm_stock_close_gap(stock, index);
	return run;
}

#endif
