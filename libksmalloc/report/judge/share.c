/* SPDX-License-Identifier: BSD-2-Clause */
/* Notes are sorted by row, so that a question looks at those of its row only. */
#define _GNU_SOURCE
#include "judge/share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read/grow.h"
#include "read/search.h"

struct page {
	uint32_t row;
	uint32_t origin;
	enum ksr_page_class class;
};

struct ksr_shares {
	struct page *pages; /* by row, then origin */
	size_t count;
	struct ksr_share *answer;
	size_t room;
};

static int compare_pages(const void *left, const void *right)
{
	const struct page *a = left;
	const struct page *b = right;

	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	return a->origin < b->origin ? -1 : a->origin > b->origin;
}

/*
 * Of blocks that stand for others where they lie, one on the page tells best whose blocks are there; else it is for whom that
 * memory was taken.
 */
static uint32_t origin_of(const struct ksr_marks *marks, uint64_t page, uint64_t page_bytes)
{
	const struct ksmalloc_segment_mark *mark = ksr_marks_sample_in(marks, page, page + page_bytes);

	/* The middle of the page: a mark need not begin or end on one. */
	if (!mark)
		mark = ksr_marks_owner_at(marks, page + page_bytes / 2);
	if (!mark)
		mark = ksr_marks_block_at(marks, page);
	return mark ? mark->origin : 0;
}

int ksr_shares_create(const struct ksr_marks *marks, const struct ksr_notes *notes, uint64_t page_bytes,
		      struct ksr_shares **result)
{
	struct ksr_shares *shares = calloc(1, sizeof(*shares));

	*result = NULL;
	if (shares)
		shares->pages = calloc(notes->count + 1, sizeof(*shares->pages));
	if (!shares || !shares->pages) {
		ksr_shares_destroy(shares);
		return -ENOMEM;
	}
	for (size_t i = 0; i < notes->count; i++) {
		const struct ksr_note *note = &notes->list[i];

		shares->pages[shares->count++] =
			(struct page){note->row, origin_of(marks, note->address, page_bytes), note->class};
	}
	qsort(shares->pages, shares->count, sizeof(*shares->pages), compare_pages);
	*result = shares;
	return 0;
}

void ksr_shares_destroy(struct ksr_shares *shares)
{
	if (!shares)
		return;
	free(shares->pages);
	free(shares->answer);
	free(shares);
}

static uint64_t row_of(const void *element)
{
	return ((const struct page *)element)->row;
}

static size_t first_of(const struct ksr_shares *shares, uint32_t row)
{
	return ksr_search_from(shares->pages, shares->count, sizeof(*shares->pages), row_of, row);
}

size_t ksr_shares_of(struct ksr_shares *shares, uint32_t row, enum ksr_page_class class, bool any,
		     const struct ksr_share **list)
{
	size_t count = 0;

	for (size_t i = first_of(shares, row); i < shares->count && shares->pages[i].row == row; i++) {
		const struct page *page = &shares->pages[i];

		if (!any && page->class != class)
			continue;
		if (count == 0 || shares->answer[count - 1].origin != page->origin) {
			struct ksr_share *larger = ksr_grow(shares->answer, count, &shares->room, sizeof(*larger));

			if (!larger)
				return 0;
			shares->answer = larger;
			shares->answer[count++] = (struct ksr_share){.origin = page->origin};
		}
		shares->answer[count - 1].pages++;
	}
	*list = shares->answer;
	return count;
}
