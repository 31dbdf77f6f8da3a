/* SPDX-License-Identifier: BSD-2-Clause */
/* Where no folder can be written (KSMALLOC_STATS_DIR=/proc/nowhere) the segment stays memory. */
#include "test.h"

#define COUNT 64

int main(void)
{
	void *blocks[COUNT];

	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	CHECK(test_is_placed(blocks[COUNT - 1]));
	struct test_vma vma = test_vma_of(test_segment());

	CHECK_MSG(vma.name[0] == '\0', "the segment is %s", vma.name);
	CHECK(test_segment()->stats.segment_failed_total == 1);
	CHECK(test_segment()->stats.segment_errno != 0);
	return 0;
}
