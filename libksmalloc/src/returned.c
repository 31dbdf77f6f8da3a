/* SPDX-License-Identifier: BSD-2-Clause */
#include "returned.h"

#include "keep.h"
#include "meta.h"
#include "stat.h"

#include <stdatomic.h>

/* Some hundred runs: programs hand over as many blocks before the other thread gets its turn. */
#define STOCKS 5u

#define LENGTHS 64u

#define UNSEEN ((int64_t)(KSM_MIB >> KSM_PAGE_SHIFT))

struct ksm_returned {
	atomic_flag busy; /* tried, never waited for. Protects the other members. */
	struct ksmalloc_segment_tally *tally;
	int64_t pages; /* of all stocks */
	int64_t seen;  /* of them, in the counts of all pools */
	/* How many runs there are of each length, modulo LENGTHS: most searches in vain need not begin. */
	uint16_t lengths[LENGTHS];
	struct ksm_stock stocks[STOCKS];
};

static atomic_int_fast64_t all_pages; /* of all pools */

/* The pool's returned runs with their flag, or NULL. */
static struct ksm_returned *enter(struct ksm_pool *pool)
{
	struct ksm_returned *returned = __atomic_load_n(&pool->returned, __ATOMIC_ACQUIRE);

	if (!returned || atomic_flag_test_and_set_explicit(&returned->busy, memory_order_acquire))
		return NULL;
	return returned;
}

static void leave(struct ksm_returned *returned)
{
	atomic_flag_clear_explicit(&returned->busy, memory_order_release);
}

/*
 * Counts pages that come, or go if there are less than none. They are at hand meanwhile. What all pools
 * count together sees that when it is a MiB more or less: processors' caches need not wait for each run.
 */
static void count_pages(struct ksm_returned *returned, int64_t pages)
{
	int64_t unseen;

	returned->pages += pages;
	ksm_stat_set(&returned->tally->cached_bytes, (uint64_t)returned->pages << KSM_PAGE_SHIFT);
	unseen = returned->pages - returned->seen;
	if (unseen < UNSEEN && unseen > -UNSEEN && returned->pages > 0)
		return;
	returned->seen = returned->pages;
	atomic_fetch_add_explicit(&all_pages, unseen, memory_order_relaxed);
	ksm_keep_at_hand(unseen);
}

static uint16_t *count_of_length(struct ksm_returned *returned, uint64_t pages)
{
	return &returned->lengths[pages % LENGTHS];
}

/* Counts the oldest runs of the stock as come or gone. */
static void count_lengths(struct ksm_returned *returned, const struct ksm_stock *stock, uint32_t count,
			  int change)
{
	for (uint32_t i = 0; i < count; i++) {
		uint16_t *length = count_of_length(returned, ksm_run_pages(stock->values[i]));

		*length = (uint16_t)(*length + change);
	}
}

KSM_COLD static void make(struct ksm_pool *pool)
{
	struct ksmalloc_segment_tally *tally = ksm_stat_add_tally();
	struct ksm_returned *returned = tally ? ksm_meta_alloc(sizeof(*returned)) : NULL;
	struct ksm_returned *none = NULL;

	if (!returned)
		return;
	returned->tally = tally;
	tally->site = pool->site;
	/* Another thread may have been faster: two rows of the table are lost then, once a pool. */
	__atomic_compare_exchange_n(&pool->returned, &none, returned, false, __ATOMIC_RELEASE,
				    __ATOMIC_RELAXED);
}

bool ksm_returned_give(struct ksm_pool *pool, const struct ksm_stock *stock, uint32_t count,
		       int64_t most)
{
	uint32_t pages = ksm_stock_pages(stock, count);
	struct ksm_returned *returned;
	uint32_t i = 0;

	if (atomic_load_explicit(&all_pages, memory_order_relaxed) + pages > most)
		return false;
	if (!__atomic_load_n(&pool->returned, __ATOMIC_RELAXED))
		make(pool);
	returned = enter(pool);
	if (!returned)
		return false;
	while (i < STOCKS && returned->stocks[i].count + count > KSM_STOCK_RUNS)
		i++;
	if (i < STOCKS) {
		ksm_stock_append_oldest(&returned->stocks[i], stock, count);
		count_lengths(returned, stock, count, 1);
		count_pages(returned, pages);
	}
	leave(returned);
	return i < STOCKS;
}

bool ksm_returned_take(struct ksm_pool *pool, size_t size, struct ksm_stock_run *run, uint32_t *value)
{
	uint64_t pages = ((uint64_t)size + KSM_PAGE - 1) >> KSM_PAGE_SHIFT;
	struct ksm_returned *returned = enter(pool);
	uint32_t index = KSM_STOCK_RUNS;
	bool has_any;

	if (!returned)
		return false;
	has_any = *count_of_length(returned, pages) > 0;
	for (uint32_t i = 0; has_any && i < STOCKS && index == KSM_STOCK_RUNS; i++) {
		struct ksm_stock *stock = &returned->stocks[i];

		index = ksm_stock_search(stock, size);
		if (index == KSM_STOCK_RUNS)
			continue;
		*value = stock->values[index];
		*run = ksm_stock_take(stock, index);
		--*count_of_length(returned, pages);
		count_pages(returned, -(int64_t)ksm_run_pages(*value));
	}
	leave(returned);
	return index < KSM_STOCK_RUNS;
}

bool ksm_returned_drain(struct ksm_pool *pool, struct ksm_stock *stock)
{
	struct ksm_returned *returned = enter(pool);
	uint32_t i = 0;

	if (!returned)
		return false;
	while (i < STOCKS && returned->stocks[i].count == 0)
		i++;
	if (i < STOCKS) {
		*stock = returned->stocks[i];
		count_lengths(returned, stock, stock->count, -1);
		ksm_stock_drop_oldest(&returned->stocks[i], stock->count);
		count_pages(returned, -(int64_t)ksm_stock_pages(stock, stock->count));
	}
	leave(returned);
	return i < STOCKS;
}
