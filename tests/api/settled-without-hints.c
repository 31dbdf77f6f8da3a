/* SPDX-License-Identifier: BSD-2-Clause */
/* On a kernel that takes no hints the explicit calls say so, and nothing else happens. */
#include "test.h"

#define COUNT 32
#define SIZE  (64 * TEST_KIB)

int main(void)
{
	static void *blocks[COUNT];
	const struct ksmalloc_process_stats *stats;

	if (test_takes_hints())
		test_skip("this kernel takes hints: tests/kernel has the tests");
	errno = 4711;
	CHECK(ksmalloc_settled(NULL) == -EOPNOTSUPP);
	CHECK(ksmalloc_merge_now(NULL, 0) == -EOPNOTSUPP);
	test_alloc_many(blocks, COUNT, SIZE);
	for (size_t i = 0; i < COUNT; i++)
		test_fill(blocks[i], SIZE, i);
	CHECK(test_is_placed(blocks[COUNT - 1]));
	errno = 4711;
	CHECK(ksmalloc_merge_now(NULL, KSMALLOC_MERGE_TRY) == -EOPNOTSUPP);
	CHECK(ksmalloc_merge_now(blocks[COUNT - 1], 0) == -EOPNOTSUPP);
	CHECK(ksmalloc_merge_now(blocks[COUNT - 1], 2) == -EINVAL);
	CHECK(ksmalloc_settled(blocks[COUNT - 1]) == -EOPNOTSUPP);
	CHECK(ksmalloc_settled(blocks) == -EINVAL);
	CHECK(ksmalloc_settled((char *)blocks[COUNT - 1] + 4096) == -EINVAL);
	CHECK(errno == 4711);
	/* What was said is there for reports. */
	CHECK(test_site_of(blocks[COUNT - 1])->stability == KSMALLOC_STABILITY_SETTLED);
	CHECK(test_site_of(blocks[COUNT - 1])->hint == 0);
	stats = &test_segment()->stats;
	CHECK(stats->settled_sites == 1);
	for (int i = test_opaque(0); i < 10000; i++)
		free(test_opaque(0) ? NULL : malloc(TEST_MIB));
	CHECK(stats->hints_total == 0 && stats->hint_failed_total == 0);
	CHECK(stats->samples_total == 0 && stats->merge_now_pages_total == 0);
	for (size_t i = 0; i < COUNT; i++)
		CHECK(test_matches(blocks[i], SIZE, i));
	return 0;
}
