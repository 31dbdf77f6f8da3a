/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that cannot have its site's lock takes a part of what it has at hand, and nothing is lost by that. */
#include "placed.h"

#include "block.h"
#include "magazine.h"
#include "site.h"
#include "span.h"
#include "thread.h"

#include <criterion/criterion.h>
#include <ksmalloc/ksmalloc.h>
#include <string.h>

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
TestSuite(placed, .init = setup, .timeout = 60);

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
