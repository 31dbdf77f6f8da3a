/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/share_fill.h"

#include <string.h>

static unsigned char *page_of(uintptr_t address, uint32_t page)
{
	return (unsigned char *)(address + ((uintptr_t)page << KSM_PAGE_SHIFT));
}

/* From the first page to the last one. */
static struct ksm_share_run range_of(const struct ksm_share_set *pages)
{
	struct ksm_share_run run = { 0, 0 }, range = { 0, 0 };

	while (ksm_share_next_run(pages, &run)) {
		if (range.end == 0)
			range.begin = run.begin;
		range.end = run.end;
	}
	return range;
}

bool ksm_share_can_fill(struct ksm_share_work *work)
{
	if (work->filler == KSM_SHARE_NOT_ASKED) {
		work->filler = ksm_os_open_filler();
		if (work->filler < 0)
			work->filler = KSM_SHARE_NO_FILLER;
	}
	return work->filler >= 0;
}

void ksm_share_end_filling(struct ksm_share_work *work)
{
	if (work->filler >= 0)
		ksm_os_close(work->filler);
	work->filler = KSM_SHARE_NOT_ASKED;
}

/* What failed here would fail again, each time for a file that gets pages which nobody sees. */
static void stop_filling(struct ksm_share_work *work)
{
	ksm_share_end_filling(work);
	work->filler = KSM_SHARE_NO_FILLER;
}

/* False if not all of them could be. */
static bool fill_runs(const struct ksm_share_work *work, uintptr_t address, const struct ksm_share_set *pages,
		      struct ksm_share_set *filled)
{
	struct ksm_share_run run = { 0, 0 };

	while (ksm_share_next_run(pages, &run)) {
		const unsigned char *from = work->saved + ((size_t)run.begin << KSM_PAGE_SHIFT);
		size_t bytes = (size_t)(run.end - run.begin) << KSM_PAGE_SHIFT;

		if (ksm_os_fill(work->filler, page_of(address, run.begin), from, bytes) != 0)
			return false;
		for (uint32_t page = run.begin; page < run.end; page++)
			ksm_share_add(filled, page);
	}
	return true;
}

void ksm_share_fill(struct ksm_share_work *work, uintptr_t address, const struct ksm_share_set *pages,
		    struct ksm_share_set *filled)
{
	const struct ksm_share_run range = range_of(pages);
	const size_t bytes = (size_t)(range.end - range.begin) << KSM_PAGE_SHIFT;
	bool is_whole;

	memset(filled, 0, sizeof(*filled));
	if (!bytes || !ksm_share_can_fill(work))
		return;
	if (ksm_os_begin_filling(work->filler, page_of(address, range.begin), bytes) != 0) {
		stop_filling(work);
		return;
	}
	is_whole = fill_runs(work, address, pages, filled);
	/* Else closing it lets go of the pages. */
	if (ksm_os_end_filling(work->filler, page_of(address, range.begin), bytes) != 0 || !is_whole)
		stop_filling(work);
}
