/* SPDX-License-Identifier: BSD-2-Clause */
/* Counting contents: the shares of groups, that a small table still estimates rightly, and pages without their addresses. */
#include <criterion/criterion.h>

#include "estimate/contents.h"
#include "estimate/mask.h"

static XXH128_hash_t hash_of(uint64_t content)
{
	return XXH3_128bits(&content, sizeof(content));
}

Test(pages, test_shares_add_up)
{
	struct ksr_pages *pages = ksr_pages_create(KSM_MIB);
	struct ksr_pages_sum sums[2] = {0};

	/* Three equal pages in group 0, one in group 1: one of four stays. */
	for (int i = 0; i < 3; i++)
		ksr_pages_add(pages, hash_of(1), 0);
	ksr_pages_add(pages, hash_of(1), 1);
	/* And pages of their own, which never merge. */
	for (uint64_t i = 0; i < 10; i++)
		ksr_pages_add(pages, hash_of(100 + i), 1);
	ksr_pages_sum(pages, sums, 2);
	cr_assert_eq(sums[0].pages, 3);
	cr_assert_eq(sums[1].pages, 11);
	/* 3 * 3/4 and 1 * 3/4, rounded. */
	cr_assert_eq(sums[0].mergeable, 2);
	cr_assert_eq(sums[1].mergeable, 1);
	ksr_pages_destroy(pages);
}

Test(pages, test_full_table_samples)
{
	struct ksr_pages *pages = ksr_pages_create(KSM_MIB);
	struct ksr_pages_sum sums[2] = {0};
	const uint64_t contents = 400000;

	for (uint64_t i = 0; i < contents; i++) {
		ksr_pages_add(pages, hash_of(i), 0);
		ksr_pages_add(pages, hash_of(i), 1);
	}
	cr_assert(ksr_pages_factor(pages) > 1);
	ksr_pages_sum(pages, sums, 2);
	for (int i = 0; i < 2; i++) {
		cr_assert(sums[i].pages > contents / 20 * 19 && sums[i].pages < contents / 20 * 21);
		/* Each content is there twice, so half of every group is freed. */
		cr_assert(sums[i].mergeable > sums[i].pages / 2 - contents / 100 &&
			  sums[i].mergeable < sums[i].pages / 2 + contents / 100);
	}
	ksr_pages_destroy(pages);
}

/* Wherever a process may have memory: of two addresses of one mapping nothing is left, of what is in none all. */
Test(pages, test_addresses_become_what_they_point_into)
{
	const uint64_t end = UINT64_C(1) << KSM_ADDRESS_BITS;
	struct ksr_vma vmas[] = {
		{.begin = UINT64_C(1) << 32, .end = (UINT64_C(1) << 32) + KSM_MIB},
		{.begin = end - KSM_MIB, .end = end, .flags = KSR_VMA_FILE},
	};
	const struct ksr_smaps smaps = {.vmas = vmas, .count = 2};
	uint64_t page[] = {vmas[0].begin, vmas[0].end - 8, vmas[1].begin, end - 8, vmas[0].end, 7};
	uint64_t result[KSM_COUNT_OF(page)];
	struct ksr_mask mask;

	cr_assert_eq(ksr_mask_create(&smaps, &mask), 0);
	ksr_mask_page(&mask, (const unsigned char *)page, sizeof(page), (unsigned char *)result);
	cr_assert_eq(result[0], result[1]);
	cr_assert_eq(result[2], result[3]);
	cr_assert_neq(result[0], result[2]);
	cr_assert_eq(result[4], page[4]);
	cr_assert_eq(result[5], page[5]);
	ksr_mask_destroy(&mask);
}
