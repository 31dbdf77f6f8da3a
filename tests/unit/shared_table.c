/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries of slices with shared pages, and how they are found in ranges that may be as large as the address space. */
#include "store/shared_table.h"

#include "layout/span.h"
#include "store/shared.h"

#include <criterion/criterion.h>

#define GIB   (KSM_MIB << 10)
#define BASE  (UINT64_C(1) << 45)
#define OUT   (UINT64_C(1) << 46) /* addresses that lie above the span, wherever it would be by chance */
#define END   (UINT64_C(1) << KSM_ADDRESS_BITS)
#define STEPS 20000

static uintptr_t span;

static void setup(void)
{
	size_t length;

	ksm_span_init((void *)UINTPTR_MAX);
	ksm_span_map.base = BASE;
	span = ksm_align_up(ksm_span_upper_half(&length), GIB);
}

TestSuite(shared_table, .init = setup, .timeout = KSM_CASE_SECONDS);

static void share(uintptr_t address)
{
	struct ksm_share_set pages = { 0 };

	ksm_share_add(&pages, (uint32_t)(address >> KSM_PAGE_SHIFT) % KSM_SHARE_PAGES);
	ksm_shared_add(ksm_shared_find(address, true), 2, &pages);
}

/* What of the range has pages, in the order of the addresses. */
static size_t list(uintptr_t begin, uintptr_t end, uintptr_t *found, size_t most)
{
	size_t count = 0;

	for (uintptr_t at = ksm_shared_skip_to_pages(begin, end); at < end && count < most;
	     at = ksm_shared_skip_to_pages(at, end)) {
		found[count++] = ksm_align_down(at, KSM_SHARE_SLICE);
		at = found[count - 1] + KSM_SHARE_SLICE;
	}
	return count;
}

Test(shared_table, slices_with_pages_are_found_wherever_they_lie)
{
	const uintptr_t slices[] = {
		16 * KSM_MIB, 3 * GIB + 2 * KSM_MIB, span, span + 2 * KSM_MIB, span + 5 * GIB - 2 * KSM_MIB,
		span + 5 * GIB, OUT + 2 * GIB, OUT + 2 * GIB + 2 * KSM_MIB, OUT + 900 * GIB,
		/* Where the kernel puts what it chooses a place for: libraries and stacks. */
		END - 3 * KSM_SHARE_SLICE, END - KSM_SHARE_SLICE,
	};
	uintptr_t found[KSM_COUNT_OF(slices) + 1];

	for (size_t i = 0; i < KSM_COUNT_OF(slices); i++)
		share(slices[i] + 7 * KSM_PAGE);
	/* Entries that have no page. */
	cr_assert_not_null(ksm_shared_find(OUT + 4 * KSM_MIB, true));
	cr_assert_not_null(ksm_shared_find(span + 3 * GIB, true));
	cr_assert_null(ksm_shared_find(END, true), "no process has memory there");
	cr_assert_eq(list(0, UINTPTR_MAX - KSM_SHARE_SLICE, found, KSM_COUNT_OF(found)), KSM_COUNT_OF(slices));
	for (size_t i = 0; i < KSM_COUNT_OF(slices); i++)
		cr_assert_eq(found[i], slices[i], "%zu: %lx is not %lx", i, found[i], slices[i]);
}

Test(shared_table, a_range_begins_and_ends_where_it_says)
{
	const uintptr_t places[] = { 16 * KSM_MIB, span, OUT };

	for (size_t i = 0; i < KSM_COUNT_OF(places); i++) {
		uintptr_t slice = places[i], end = slice + KSM_SHARE_SLICE;

		share(slice);
		cr_assert_eq(ksm_shared_skip_to_pages(slice - 2 * GIB < slice ? slice - 2 * GIB : 0, slice), slice);
		cr_assert_eq(ksm_shared_skip_to_pages(slice - KSM_PAGE, end), slice);
		cr_assert_eq(ksm_shared_skip_to_pages(slice + KSM_PAGE, end), slice + KSM_PAGE, "it lies in the slice");
		cr_assert_eq(ksm_shared_skip_to_pages(end, end + 3 * KSM_PAGE), end + 3 * KSM_PAGE);
		cr_assert_eq(ksm_shared_skip_to_pages(end, end), end);
	}
}

Test(shared_table, forgetting_a_range_leaves_what_lies_beside_it)
{
	const uintptr_t places[] = { 16 * KSM_MIB, span + GIB - KSM_SHARE_SLICE, OUT };
	uintptr_t found[2];

	for (size_t i = 0; i < KSM_COUNT_OF(places); i++) {
		uintptr_t begin = places[i], end = begin + 2 * KSM_SHARE_SLICE;

		for (uintptr_t at = begin; at < end; at += KSM_PAGE)
			share(at);
		ksm_shared_forget((void *)(begin + 3 * KSM_PAGE), end - begin - 5 * KSM_PAGE);
		cr_assert_eq(ksm_share_count(&ksm_shared_find(begin, false)->layers[2].mapped), 3);
		cr_assert_eq(ksm_share_count(&ksm_shared_find(end - 1, false)->layers[2].mapped), 2);
		ksm_shared_forget((void *)begin, end - begin);
		cr_assert_eq(list(begin, end, found, 2), 0);
	}
}

/* By slices it would be 2e11 looks, which take an hour. */
Test(shared_table, large_ranges_cost_no_look_at_each_slice)
{
	for (uintptr_t i = 0; i < 64; i++)
		share(OUT + i * i * GIB);
	share(span + 8 * GIB);
	for (uintptr_t i = 0; i < STEPS; i++) {
		uintptr_t begin = OUT + 5000 * GIB + i * KSM_SHARE_SLICE;

		cr_assert_eq(ksm_shared_skip_to_pages(begin, begin + (UINT64_C(1) << 44)), begin + (UINT64_C(1) << 44));
		ksm_shared_forget((void *)(span + 9 * GIB), 1000 * GIB);
	}
}
