/* SPDX-License-Identifier: BSD-2-Clause */
/* The page bookkeeping of a slot, alone and against a model that is too simple to be wrong. */
#include "slot/run.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define PAGES (8 * KSM_CHUNK_PAGES)

static struct ksm_runs runs;

static void setup(void)
{
	ksm_runs_init(&runs, PAGES, false);
}

TestSuite(run, .init = setup);

/* Takes the lowest run of pages and returns its first page. */
static int64_t take(uint32_t pages, uint32_t align)
{
	int64_t page = ksm_runs_find(&runs, pages, align);
	uint32_t kept;

	if (page >= 0)
		cr_assert_eq(ksm_runs_take(&runs, (uint32_t)page, pages, (uint64_t)pages << 12, 0,
					   &kept), 0);
	return page;
}

Test(run, takes_the_lowest_address_first)
{
	for (int64_t i = 0; i < 100; i++)
		cr_assert_eq(take(16, 1), i * 16);
	ksm_runs_release(&runs, 32);
	ksm_runs_release(&runs, 160);
	cr_assert_eq(take(4, 1), 32);
	cr_assert_eq(take(16, 1), 160, "12 free pages at 36 are too few");
	cr_assert_eq(take(12, 1), 36);
	cr_assert(ksm_runs_check(&runs));
}

Test(run, finds_a_run_across_chunks)
{
	cr_assert_eq(take(KSM_CHUNK_PAGES - 3, 1), 0);
	cr_assert_eq(take(10, 1), KSM_CHUNK_PAGES - 3);
	cr_assert_eq(take(3 * KSM_CHUNK_PAGES, 1), KSM_CHUNK_PAGES + 7);
	ksm_runs_release(&runs, KSM_CHUNK_PAGES - 3);
	cr_assert_eq(take(10, 1), KSM_CHUNK_PAGES - 3);
	cr_assert(ksm_runs_check(&runs));
}

Test(run, aligns)
{
	cr_assert_eq(take(3, 1), 0);
	cr_assert_eq(take(2, 16), 16);
	cr_assert_eq(take(KSM_CHUNK_PAGES, KSM_CHUNK_PAGES), KSM_CHUNK_PAGES);
	cr_assert_eq(take(13, 1), 3, "the gap before an aligned run is used");
	cr_assert(ksm_runs_check(&runs));
}

Test(run, fills_to_the_last_page_and_no_further)
{
	cr_assert_eq(take(PAGES, 1), 0);
	cr_assert_eq(take(1, 1), -1);
	ksm_runs_release(&runs, 0);
	cr_assert_eq(take(PAGES + 1, 1), -1);
	cr_assert_eq(take(PAGES - 1, 1), 0);
	cr_assert_eq(take(1, 1), PAGES - 1);
	cr_assert_eq(take(1, 1), -1);
	cr_assert(ksm_runs_check(&runs));
}

Test(run, tells_the_size_that_was_asked_for)
{
	uint32_t kept;
	uint64_t bytes;
	uint16_t owner;

	cr_assert_eq(ksm_runs_take(&runs, 5, 3, 8193, 0, &kept), 0);
	cr_assert_eq(ksm_runs_block(&runs, 5, &bytes, &owner), 3);
	cr_assert_eq(bytes, 8193);
	cr_assert_eq(ksm_runs_block(&runs, 6, &bytes, &owner), 0, "no block starts inside of another");
	cr_assert(ksm_runs_is_used(&runs, 7));
	cr_assert_not(ksm_runs_is_used(&runs, 8));
}

Test(run, remembers_owners_only_where_asked)
{
	struct ksm_runs shared;
	uint32_t kept;
	uint64_t bytes;
	uint16_t owner;

	ksm_runs_init(&shared, PAGES, true);
	cr_assert_eq(ksm_runs_take(&shared, 0, 1, 4096, 4095, &kept), 0);
	cr_assert_eq(ksm_runs_block(&shared, 0, &bytes, &owner), 1);
	cr_assert_eq(owner, 4095);
}

Test(run, counts_kept_pages_until_they_are_clean)
{
	uint32_t kept;
	uint32_t page;

	cr_assert_eq(take(100, 1), 0);
	cr_assert_eq(take(10, 1), 100);
	ksm_runs_release(&runs, 0);
	cr_assert_eq(runs.kept_pages, 100);
	cr_assert(ksm_runs_is_dirty(&runs, 99));
	cr_assert_eq(ksm_runs_highest_kept(&runs, PAGES, &page), 100);
	cr_assert_eq(page, 0);
	ksm_runs_clean(&runs, 30, 70);
	cr_assert_eq(runs.kept_pages, 30);
	cr_assert_eq(ksm_runs_take(&runs, 0, 40, 40 << 12, 0, &kept), 0);
	cr_assert_eq(kept, 30, "only 30 of the 40 pages may hold old bytes");
	cr_assert(ksm_runs_check(&runs));
}

Test(run, finds_kept_runs_from_the_top)
{
	uint32_t page = 0;

	cr_assert_eq(take(PAGES, 1), 0);
	ksm_runs_release(&runs, 0);
	ksm_runs_clean(&runs, 0, PAGES);
	cr_assert_eq(ksm_runs_highest_kept(&runs, PAGES, &page), 0);
	cr_assert_eq(take(PAGES / 2, 1), 0);
	cr_assert_eq(take(7, 1), PAGES / 2);
	ksm_runs_release(&runs, 0);
	cr_assert_eq(ksm_runs_highest_kept(&runs, PAGES, &page), PAGES / 2);
	cr_assert_eq(page, 0);
	ksm_runs_release(&runs, PAGES / 2);
	cr_assert_eq(ksm_runs_highest_kept(&runs, PAGES, &page), PAGES / 2 + 7);
	cr_assert_eq(ksm_runs_highest_kept(&runs, 3, &page), 3, "the part below the bound");
	cr_assert_eq(page, 0);
}

Test(run, resizes_in_place_where_there_is_room)
{
	uint32_t kept;
	uint64_t bytes;
	uint16_t owner;

	cr_assert_eq(take(8, 1), 0);
	cr_assert_eq(take(8, 1), 8);
	cr_assert_not(ksm_runs_can_resize(&runs, 0, 9));
	cr_assert_neq(ksm_runs_resize(&runs, 0, 9, 9 << 12, &kept), 0);
	cr_assert_eq(ksm_runs_resize(&runs, 8, 1000, 1000 << 12, &kept), 0);
	cr_assert_eq(ksm_runs_resize(&runs, 8, 4, 16000, &kept), 0);
	cr_assert_eq(ksm_runs_block(&runs, 8, &bytes, &owner), 4);
	cr_assert_eq(bytes, 16000);
	cr_assert_eq(runs.used_pages, 12);
	cr_assert_eq(runs.kept_pages, 996);
	cr_assert_eq(ksm_runs_resize(&runs, 8, 10, 10 << 12, &kept), 0);
	cr_assert_eq(kept, 6);
	cr_assert(ksm_runs_check(&runs));
}

/* --- against a model: one byte a page ----------------------------------------------------- */

static struct {
	char used[PAGES];
	char dirty[PAGES];
	uint32_t length[PAGES];	/* of the block that starts here */
} model;

static int64_t model_find(uint32_t pages, uint32_t align)
{
	for (uint32_t page = 0; page + pages <= PAGES; page += align) {
		uint32_t i = 0;

		while (i < pages && !model.used[page + i])
			i++;
		if (i == pages)
			return page;
	}
	return -1;
}

static uint32_t model_set(uint32_t page, uint32_t pages)
{
	uint32_t kept = 0;

	for (uint32_t i = page; i < page + pages; i++) {
		kept += (uint32_t)(model.dirty[i] && !model.used[i]);
		model.used[i] = model.dirty[i] = 1;
	}
	return kept;
}

static void model_take(uint32_t pages, uint32_t align)
{
	int64_t page = ksm_runs_find(&runs, pages, align);
	uint32_t kept;

	cr_assert_eq(page, model_find(pages, align));
	if (page < 0)
		return;
	cr_assert_eq(ksm_runs_take(&runs, (uint32_t)page, pages, (uint64_t)pages << 12, 0, &kept), 0);
	cr_assert_eq(kept, model_set((uint32_t)page, pages));
	model.length[page] = pages;
}

static uint32_t any_block(void)
{
	uint32_t start = (uint32_t)rand() % PAGES;

	for (uint32_t i = 0; i < PAGES; i++) {
		if (model.length[(start + i) % PAGES])
			return (start + i) % PAGES;
	}
	return PAGES;
}

static void model_release(void)
{
	uint32_t page = any_block();

	if (page == PAGES)
		return;
	ksm_runs_release(&runs, page);
	memset(model.used + page, 0, model.length[page]);
	model.length[page] = 0;
}

static void model_resize(void)
{
	uint32_t page = any_block();
	uint32_t pages = 1 + (uint32_t)rand() % 200;
	bool fits = true;
	uint32_t kept;

	if (page == PAGES)
		return;
	for (uint32_t i = page + model.length[page]; i < page + pages; i++)
		fits = fits && i < PAGES && !model.used[i];
	cr_assert_eq(ksm_runs_can_resize(&runs, page, pages), fits);
	if (!fits)
		return;
	cr_assert_eq(ksm_runs_resize(&runs, page, pages, (uint64_t)pages << 12, &kept), 0);
	if (pages > model.length[page])
		cr_assert_eq(kept, model_set(page + model.length[page], pages - model.length[page]));
	else
		memset(model.used + page + pages, 0, model.length[page] - pages);
	model.length[page] = pages;
}

static void model_clean(void)
{
	uint32_t page;
	uint32_t pages = ksm_runs_highest_kept(&runs, PAGES, &page);
	uint32_t top = PAGES;
	uint32_t low;

	while (top > 0 && !(model.dirty[top - 1] && !model.used[top - 1]))
		top--;
	for (low = top; low > 0 && model.dirty[low - 1] && !model.used[low - 1];)
		low--;
	cr_assert_eq(pages, top - low);
	if (pages == 0)
		return;
	cr_assert_eq(page, low);
	ksm_runs_clean(&runs, page, pages);
	memset(model.dirty + page, 0, pages);
}

static void model_kept_from(void)
{
	uint32_t page = (uint32_t)rand() % PAGES;
	uint32_t most = (uint32_t)rand() % 300;
	uint32_t count = 0;

	while (count < most && page + count < PAGES && model.dirty[page + count] && !model.used[page + count])
		count++;
	cr_assert_eq(ksm_runs_kept_from(&runs, page, most), count);
}

Test(run, agrees_with_a_model)
{
	srand(1);
	for (int step = 0; step < 20000; step++) {
		switch (rand() % 8) {
		case 0:
		case 1:
		case 2:
			model_take(1 + (uint32_t)rand() % (rand() % 16 ? 24 : 900),
				   1u << (rand() % 4 ? 0 : rand() % 7));
			break;
		case 3:
		case 4:
			model_release();
			break;
		case 5:
			model_resize();
			break;
		case 6:
			model_release();
			break;
		default:
			if (rand() % 8 == 0)
				model_clean();
			break;
		}
		model_kept_from();
		if (step % 64 == 0)
			cr_assert(ksm_runs_check(&runs), "after step %d", step);
	}
}
