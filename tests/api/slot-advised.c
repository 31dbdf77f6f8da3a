/* SPDX-License-Identifier: BSD-2-Clause */
/* A slot is mergeable and without huge pages from its first byte to its last, also as it grows. */
#include "test.h"

#define COUNT 600
#define SIZE  (64 * TEST_KIB)

int main(void)
{
	static void *blocks[COUNT];
	size_t placed = 0;

	test_alloc_many(blocks, COUNT, SIZE);
	for (size_t i = 0; i < COUNT; i += 7) {
		if (!test_is_placed(blocks[i]))
			continue;
		placed++;
		CHECK_MSG(test_has_flag(blocks[i], "mg"), "block %zu is not mergeable", i);
		CHECK_MSG(test_has_flag(blocks[i], "nh"), "block %zu may get huge pages", i);
		CHECK(test_slot_of(blocks[i])->flags & KSMALLOC_SLOT_ADVISED);
		CHECK(test_site_of(blocks[i])->flags & KSMALLOC_SITE_ADVISED);
		CHECK(test_site_of(blocks[i])->state == KSMALLOC_SITE_PLACED);
		/* Slots are 1 GiB large and 1 GiB aligned. */
		CHECK(test_slot_of(blocks[i])->base % (1024 * TEST_MIB) == 0);
	}
	CHECK(placed > COUNT / 7 - 2);
	CHECK(test_segment()->stats.advise_failed_total == 0);
	return 0;
}
