/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/newest.h"

#include "slot/keep.h"
#include "layout/layout.h"

void ksm_newest_note_locked(struct ksm_slot *slot, uint32_t page, uint32_t pages, uint32_t length, bool falls)
{
	struct ksm_row *row = &slot->pool->newest;

	if (slot->pool->has_owners || ksm_layout_is_shared() || ksm_layout_has_seed())
		return;
	if (row->slot == slot && row->length == length && row->page + row->pages == page) {
		row->pages += pages;
		row->falls = false;
	} else if (row->slot == slot && row->length == length && page + pages == row->page) {
		row->page = page;
		row->pages += pages;
		row->falls = true;
	} else {
		*row = (struct ksm_row){ slot, page, pages, length, falls };
	}
}

/* The newest runs of a row, of which there are as many. */
static struct ksm_newest_runs end_of(const struct ksm_row *row, uint32_t count)
{
	uint32_t page = row->falls ? row->page : row->page + row->pages - count * row->length;

	return (struct ksm_newest_runs){ row->slot, page, count, row->falls };
}

bool ksm_newest_take_locked(struct ksm_pool *pool, uint32_t length, uint32_t most, struct ksm_newest_runs *runs)
{
	struct ksm_row *row = &pool->newest;
	struct ksm_newest_runs found;
	uint32_t pages;

	if (row->length != length || row->pages < KSM_NEWEST_ROW * length || ksm_keep_earned() == 0)
		return false;
	found = end_of(row, (uint32_t)ksm_min(most, row->pages / length));
	pages = found.count * length;
	if (ksm_runs_kept_from(&found.slot->runs, found.page, pages) < pages) {
		/* Somebody else has used some of them since, or they were given back. */
		row->length = 0;
		return false;
	}
	row->pages -= pages;
	if (row->falls)
		row->page += pages;
	*runs = found;
	return found.count > 0;
}
