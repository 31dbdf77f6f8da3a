/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages of a comparison are named by the small blocks on them that stand for others, and else by whom their memory was taken for. */
#include <criterion/criterion.h>

#include "judge/share.h"

#define PAGE UINT64_C(4096)
#define ROW 7u

static uint64_t pages_of(const struct ksr_share *list, size_t count, uint32_t origin)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < count; i++)
		pages += list[i].origin == origin ? list[i].pages : 0;
	return pages;
}

Test(share, test_samples_name_their_pages_and_pieces_the_others)
{
	struct ksmalloc_segment_mark owners[] = {
		{100 * PAGE, 10 * PAGE, 10 * PAGE, 1, KSMALLOC_MARK_HEAP, 0},
		/* It begins within a page, most of which it has. */
		{120 * PAGE + 64, PAGE - 64, PAGE, 4, KSMALLOC_MARK_POOL, 0},
	};
	struct ksmalloc_segment_mark samples[] = {
		{101 * PAGE, 64, 2 * PAGE, 2, KSMALLOC_MARK_SMALL, 0},
		{101 * PAGE + 128, 64, 9 * PAGE, 3, KSMALLOC_MARK_SMALL, 0},
		{102 * PAGE - 64, 64, PAGE, 2, KSMALLOC_MARK_SMALL, 0},
		{103 * PAGE, 64, PAGE, 2, KSMALLOC_MARK_SMALL, 0},
	};
	const struct ksr_marks marks = {.owners = owners, .owner_count = 2, .samples = samples, .sample_count = 4};
	const struct ksr_share *list = NULL;
	struct ksr_shares *shares;
	struct ksr_notes notes = {0};
	size_t count;

	for (uint64_t page = 100; page < 105; page++)
		ksr_notes_add(&notes, ROW, page * PAGE, page == 104 ? KSR_PAGE_OTHER : KSR_PAGE_EQUAL);
	ksr_notes_add(&notes, ROW, 120 * PAGE, KSR_PAGE_EQUAL);
	ksr_notes_add(&notes, ROW, 130 * PAGE, KSR_PAGE_EQUAL);
	ksr_notes_add(&notes, ROW + 1, 103 * PAGE, KSR_PAGE_EQUAL);
	cr_assert_eq(ksr_shares_create(&marks, &notes, PAGE, &shares), 0);
	count = ksr_shares_of(shares, ROW, KSR_PAGE_EQUAL, false, &list);
	cr_assert_eq(pages_of(list, count, 0), 1, "page 130 is nobody's");
	cr_assert_eq(pages_of(list, count, 1), 2, "pages 100 and 102");
	cr_assert_eq(pages_of(list, count, 2), 1, "page 103");
	cr_assert_eq(pages_of(list, count, 3), 1, "page 101 has most of the third's");
	cr_assert_eq(pages_of(list, count, 4), 1, "page 120");
	ksr_shares_destroy(shares);
	ksr_notes_free(&notes);
}
