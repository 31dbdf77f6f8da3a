/* SPDX-License-Identifier: BSD-2-Clause */
/* Notes are sorted by row, so that a question looks at those of its row only. */
#define _GNU_SOURCE
#include "judge/share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read/grow.h"
#include "read/search.h"

struct range {
	uint64_t begin;
	uint64_t end;
	uint32_t origin;
};

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

static int compare_ranges(const void *left, const void *right)
{
	const struct range *a = left;
	const struct range *b = right;

	return a->begin < b->begin ? -1 : a->begin > b->begin;
}

static int compare_pages(const void *left, const void *right)
{
	const struct page *a = left;
	const struct page *b = right;

	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	return a->origin < b->origin ? -1 : a->origin > b->origin;
}

/* The marks that cover whole pages: a small block says nothing of those around it. */
static struct range *read_ranges(const struct ksr_space *space, size_t *count)
{
	uint32_t marks = space->has_segment ? space->snapshot.header.marks.count : 0;
	struct range *ranges = calloc((size_t)marks + 1, sizeof(*ranges));

	*count = 0;
	for (uint32_t i = 0; ranges && i < marks; i++) {
		struct ksmalloc_segment_mark mark;

		if (ksr_snapshot_mark(&space->snapshot, i, &mark) && mark.bytes >= space->page_bytes)
			ranges[(*count)++] = (struct range){mark.address, mark.address + mark.bytes, mark.origin};
	}
	if (ranges)
		qsort(ranges, *count, sizeof(*ranges), compare_ranges);
	return ranges;
}

static uint64_t begin_of(const void *element)
{
	return ((const struct range *)element)->begin;
}

/* Marks of several kinds may lie in each other: the one that begins last is the most exact. */
static uint32_t origin_of(const struct range *ranges, size_t count, uint64_t address)
{
	size_t end = ksr_search_above(ranges, count, sizeof(*ranges), begin_of, address);

	for (size_t back = 0; end > 0 && back < 8; back++, end--) {
		if (address < ranges[end - 1].end)
			return ranges[end - 1].origin;
	}
	return 0;
}

int ksr_shares_create(const struct ksr_space *space, const struct ksr_notes *notes, struct ksr_shares **result)
{
	struct ksr_shares *shares = calloc(1, sizeof(*shares));
	size_t count = 0;
	struct range *ranges = read_ranges(space, &count);

	*result = NULL;
	if (shares)
		shares->pages = calloc(notes->count + 1, sizeof(*shares->pages));
	if (!shares || !shares->pages || !ranges) {
		ksr_shares_destroy(shares);
		free(ranges);
		return -ENOMEM;
	}
	for (size_t i = 0; i < notes->count; i++) {
		const struct ksr_note *note = &notes->list[i];

		shares->pages[shares->count++] =
			(struct page){note->row, origin_of(ranges, count, note->address), note->class};
	}
	qsort(shares->pages, shares->count, sizeof(*shares->pages), compare_pages);
	free(ranges);
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
