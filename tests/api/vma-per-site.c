/* SPDX-License-Identifier: BSD-2-Clause */
/* 100,000 live blocks of one site lie in one mapping, and the process gains a handful of others. */
#include "test.h"

#define COUNT 100000
#define SIZE  (16 * TEST_KIB)

int main(void)
{
	static void *blocks[COUNT];
	size_t before = test_vma_count(), advised_before = test_vma_count_flag("mg");

	/* Not touched: 100,000 blocks are 1.6 GB of address space, more than one slot holds. */
	test_alloc_many(blocks, COUNT, SIZE);
	CHECK(test_is_placed(blocks[COUNT - 1]));
	size_t advised = test_vma_count_flag("mg") - advised_before, after = test_vma_count();

	/* 1.6 GB need two slots of 1 GiB. */
	CHECK_MSG(advised >= 1 && advised <= 2, "%zu mappings are advised", advised);
	CHECK_MSG(after <= before + TEST_PROCESS_VMAS + advised, "%zu mappings before, %zu after", before, after);

	/* Freeing every second block, in any order, splits nothing. */
	for (size_t i = 0; i < COUNT; i += 2)
		free(blocks[(i * 7) % COUNT]);
	CHECK_MSG(test_vma_count() <= after + 2, "%zu mappings after every second block was freed",
		  test_vma_count());
	for (size_t i = 1; i < COUNT; i += 2)
		free(blocks[(i * 7) % COUNT]);
	return 0;
}
