/* SPDX-License-Identifier: BSD-2-Clause */
/* Where no folder can be written (KSMALLOC_STATS_DIR=/proc/nowhere) the segment is a memfd. */
#include "test.h"

#define COUNT 64

int main(void)
{
	void *blocks[COUNT];

	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	CHECK(test_is_placed(blocks[COUNT - 1]));
	struct test_vma vma = test_vma_of(test_segment());

	CHECK_MSG(strstr(vma.name, "/memfd:" KSMALLOC_SEGMENT_PREFIX), "the segment is %s", vma.name);
	return 0;
}
