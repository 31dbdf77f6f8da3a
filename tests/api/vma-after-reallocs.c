/* SPDX-License-Identifier: BSD-2-Clause */
/* 10,000 reallocs that grow, shrink and move blocks leave the slot one mapping. */
#include "test.h"

#define COUNT 64

static TEST_NOINLINE void *resize(void *block, size_t size)
{
	return realloc(block, size);
}

int main(void)
{
	void *blocks[COUNT] = { NULL };
	uint64_t state = 5;
	size_t before = test_vma_count();

	for (int i = 0; i < 10000; i++) {
		size_t at = test_random(&state) % COUNT;
		size_t size = 16 * TEST_KIB + test_random(&state) % (i % 50 ? 300 * TEST_KIB : 6 * TEST_MIB);
		char *block = resize(blocks[at], size);

		CHECK(block != NULL);
		block[0] = block[size - 1] = (char)i;
		blocks[at] = block;
	}
	CHECK(test_is_placed(blocks[0]));
	size_t advised = test_vma_count_flag("mg"), after = test_vma_count();

	CHECK(advised >= 1);
	/*
	 * Moves by mremap are limited to 256 a process, and each may leave two mappings more;
	 * ten thousand copies must leave none.
	 */
	CHECK_MSG(advised <= 2 + 2 * 256, "%zu mappings are advised", advised);
	CHECK_MSG(after <= before + TEST_PROCESS_VMAS + advised, "%zu mappings before, %zu after", before, after);
	return 0;
}
