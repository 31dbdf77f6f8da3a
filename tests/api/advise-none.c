/* SPDX-License-Identifier: BSD-2-Clause */
/* With KSMALLOC_ADVISE=none blocks are placed all the same, and nothing is mergeable. */
#include "test.h"

#define COUNT 64

int main(void)
{
	void *blocks[COUNT];

	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	CHECK(test_is_placed(blocks[COUNT - 1]));
	CHECK(test_vma_count_flag("mg") == 0);
	CHECK(!(test_slot_of(blocks[COUNT - 1])->flags & KSMALLOC_SLOT_ADVISED));
	void *asked = ksmalloc_malloc_mergeable(100);

	CHECK(asked != NULL);
	CHECK(test_vma_count_flag("mg") == 0);
	free(asked);
	return 0;
}
