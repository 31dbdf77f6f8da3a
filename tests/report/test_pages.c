/* SPDX-License-Identifier: BSD-2-Clause */
/* Counting contents: the shares of groups, and that a small table still estimates rightly. */
#include <criterion/criterion.h>

#include "estimate/contents.h"

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
