/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that cannot have its site's lock takes a part of what it has at hand, and nothing is lost by that. */
#include "block/placed.h"

#include "block/block.h"
#include "draw.h"
#include "block/magazine.h"
#include "system/option.h"
#include "site/site.h"
#include "layout/span.h"
#include "site/thread.h"

#include <criterion/criterion.h>
#include <ksmalloc/ksmalloc.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES(count) ((size_t)(count) << 12)
#define BLOCKS	     40
#define LONG_BLOCK   32 /* pages */

static struct ksm_site *site;

/* Runs of one length are at hand, all of whose bytes were written. */
static void setup(void)
{
	char *blocks[BLOCKS];

	cr_assert_eq(ksmalloc_label_begin("placed"), 0);
	site = ksm_site_current(0, 0);
	for (uint32_t i = 0; i < BLOCKS; i++) {
		blocks[i] = ksmalloc_malloc(PAGES(LONG_BLOCK));
		cr_assert(ksm_span_holds(blocks[i]));
		memset(blocks[i], 7, PAGES(LONG_BLOCK));
	}
	for (uint32_t i = 0; i < BLOCKS; i++)
		ksmalloc_free(blocks[i]);
	cr_assert(site->magazines && site->magazines->held.count > 0 && site->magazines->placed_pool);
}

/* What waits for the lock waits for ever. */
TestSuite(placed, .init = setup, .timeout = KSM_CASE_SECONDS);

static char *take_without_lock(size_t size)
{
	char *block;

	pthread_mutex_lock(&site->lock);
	block = ksmalloc_malloc(size);
	pthread_mutex_unlock(&site->lock);
	return block;
}

Test(placed, a_part_of_a_run_at_hand_serves_who_cannot_have_the_lock)
{
	const struct ksm_magazine *magazine = site->magazines;
	uint32_t count = magazine->held.count;
	size_t size = PAGES(5) - 100;
	char *first = take_without_lock(size);
	char *rest;

	cr_assert_eq(magazine->held.count, count, "the rest stays at hand");
	cr_assert_eq(ksm_thread_self->cached_pages, ksm_stock_pages(&magazine->held, count));
	for (size_t i = size; i < PAGES(5); i++)
		cr_assert_eq(first[i], 0, "its last page ends in zeros");
	rest = take_without_lock(PAGES(LONG_BLOCK - 5));
	cr_assert_eq(rest, first + PAGES(5));
	cr_assert_eq(magazine->held.count, count - 1);
	memset(first, 1, size);
	memset(rest, 2, PAGES(LONG_BLOCK - 5));
	cr_assert_eq(first[size - 1], 1);
	ksmalloc_free(first);
	ksmalloc_free(rest);
	cr_assert_eq(ksm_thread_self->cached_pages, ksm_stock_pages(&magazine->held, magazine->held.count));
}

Test(placed, what_was_cut_up_is_one_run_again_in_its_pool)
{
	struct ksm_slot *slot;
	char *block = take_without_lock(PAGES(6));

	slot = ksm_block_slot(block);
	ksmalloc_free(take_without_lock(PAGES(9) + 1));
	ksmalloc_free(block);
	ksm_magazine_flush_all(ksm_thread_self);
	cr_assert_eq(slot->runs.used_pages, 0);
	cr_assert(ksm_runs_check(&slot->runs));
}

Test(placed, zeros_are_asked_for_there_too)
{
	char *block;

	pthread_mutex_lock(&site->lock);
	block = ksmalloc_calloc(1, PAGES(9));
	pthread_mutex_unlock(&site->lock);
	for (size_t i = 0; i < PAGES(9); i++)
		cr_assert_eq(block[i], 0);
}

/* --- random use ----------------------------------------------------------------------------- */

#define LIVE	200
#define STEPS	40000
#define LONGEST PAGES(40)
#define MARK	64 /* bytes that are written at the end of each page, and at the block's own */

static struct live {
	unsigned char *p;
	size_t size;
	unsigned char byte;
} live[LIVE];

static uint32_t parts_taken;
static bool writes_tails;

/* Writes to each page of the block, or compares: what is left of it anywhere is seen later. */
static void mark(const struct live *block, bool compare)
{
	for (size_t end = PAGES(1); end < block->size + PAGES(1); end += PAGES(1)) {
		size_t last = ksm_min(end, block->size);

		for (size_t i = last < MARK ? 0 : last - MARK; i < last; i++) {
			cr_assert(!compare || block->p[i] == block->byte, "byte %zu of %zu", i, block->size);
			block->p[i] = block->byte;
		}
	}
}

/* What lies behind the block in its last page is zero, and all of its pages that were written are if asked. */
static void check_zeros(const struct live *block, bool all)
{
	for (size_t i = block->size; i < ksm_align_up(block->size, PAGES(1)); i++)
		cr_assert_eq(block->p[i], 0, "byte %zu of %zu", i, block->size);
	for (size_t end = PAGES(1); all && end <= block->size; end += PAGES(1))
		for (size_t i = end - MARK; i < end; i++)
			cr_assert_eq(block->p[i], 0, "byte %zu of %zu", i, block->size);
}

/* True if a call for so many bytes need not wait for the site's lock, and could not have it. */
static bool has_longer_run(size_t size)
{
	const struct ksm_magazine *magazine = site->magazines;
	uint32_t longest = ksm_stock_longest(&magazine->held);

	return longest < KSM_STOCK_RUNS && ksm_run_pages(magazine->held.values[longest]) > ksm_run_pages_for(size) &&
	       ksm_magazine_live(magazine) + (int64_t)size <= magazine->high_water;
}

static void make(struct live *block)
{
	bool zeros = draw(4) == 0;
	bool locked;

	block->size = ksm_options.threshold + draw(LONGEST);
	block->byte = (unsigned char)(1 + draw(255));
	locked = draw(2) && has_longer_run(block->size);
	if (locked)
		pthread_mutex_lock(&site->lock);
	block->p = zeros ? ksmalloc_calloc(1, block->size) : ksmalloc_malloc(block->size);
	if (locked)
		pthread_mutex_unlock(&site->lock);
	parts_taken += locked;
	cr_assert(ksm_span_holds(block->p));
	check_zeros(block, zeros);
	mark(block, false);
}

static void resize(struct live *block)
{
	size_t before = block->size;
	struct live kept;

	block->size = ksm_options.threshold + draw(LONGEST);
	block->p = ksmalloc_realloc(block->p, block->size);
	cr_assert(ksm_span_holds(block->p));
	kept = (struct live){ block->p, ksm_min(before, block->size) & ~(PAGES(1) - 1), block->byte };
	mark(&kept, true);
	check_zeros(block, false);
	mark(block, false);
}

static void drop(struct live *block)
{
	mark(block, true);
	if (writes_tails)
		memset(block->p + block->size, 9, ksmalloc_usable_size(block->p) - block->size);
	ksmalloc_free(block->p);
	block->p = NULL;
}

/* Another thread frees some of the blocks, and has them in its magazine or returns them. */
static void *drop_some(void *argument)
{
	for (uint32_t i = 0; i < LIVE; i++)
		if (live[i].p && i % 3)
			drop(&live[i]);
	return argument;
}

static void let_another_thread_drop_some(void)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, drop_some, NULL), 0);
	pthread_join(thread, NULL);
}

/* All that is counted is what there is. */
static void check_counts(void)
{
	const struct ksmalloc_site_stats *stats = &site->record->stats;
	const struct ksm_magazine *magazine = site->magazines;
	uint64_t at_hand = ksm_stock_pages(&magazine->held, magazine->held.count);
	uint64_t used = 0, pages = 0, bytes = 0;

	for (uint32_t i = 0; i < LIVE; i++) {
		bytes += live[i].p ? live[i].size : 0;
		pages += live[i].p ? ksm_run_pages_for(live[i].size) : 0;
	}
	for (const struct ksm_slot *slot = magazine->pool->first; slot; slot = slot->next) {
		/* Runs that are set aside belong to no block. */
		cr_assert(at_hand > 0 || ksm_runs_check(&slot->runs));
		used += slot->runs.used_pages;
	}
	cr_assert_null(magazine->next_of_site);
	cr_assert_eq(stats->live_bytes + (uint64_t)ksm_magazine_live(magazine), bytes);
	cr_assert_geq(stats->peak_bytes, bytes);
	cr_assert_eq(stats->placed_bytes, PAGES(used));
	cr_assert_eq(ksm_thread_self->cached_pages, at_hand);
	cr_assert_eq(magazine->tally->cached_bytes, PAGES(at_hand));
	/* Others may be on their way to another thread. */
	cr_assert_geq(used, pages + at_hand);
	cr_assert(at_hand > 0 || used == pages);
}

static void use(uint32_t steps)
{
	for (uint32_t step = 0; step < steps; step++) {
		struct live *block = &live[draw(LIVE)];

		if (!block->p)
			make(block);
		else if (draw(8) == 0)
			resize(block);
		else
			drop(block);
		if (step % 4096 == 4095)
			let_another_thread_drop_some();
		if (step % 1024 == 1023)
			ksm_magazine_flush_all(ksm_thread_self);
		if (step % 256 == 255)
			check_counts();
	}
}

static void end_use(void)
{
	for (uint32_t i = 0; i < LIVE; i++)
		if (live[i].p)
			drop(&live[i]);
	ksm_magazine_flush_all(ksm_thread_self);
	check_counts();
	cr_assert_eq(site->record->stats.placed_bytes, 0);
}

Test(placed, random_use_with_and_without_the_lock)
{
	use(STEPS);
	cr_assert_gt(parts_taken, STEPS / 20, "%u parts of runs were taken: the test shows nothing", parts_taken);
	writes_tails = true;
	use(STEPS / 4);
	end_use();
}

/* A child goes on with the parts that were taken before, and its parent with its own. */
Test(placed, random_use_in_parent_and_child)
{
	int status = 1;
	pid_t pid;

	use(STEPS / 4);
	pid = fork();
	if (pid == 0) {
		use(STEPS / 4);
		end_use();
		_exit(0);
	}
	cr_assert_gt(pid, 0);
	use(STEPS / 8);
	end_use();
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}
