/* SPDX-License-Identifier: BSD-2-Clause */
/* 10,000 reallocs below the size that is moved by mremap: one advised mapping for the site. */
#include "test.h"

#define COUNT 64

static TEST_NOINLINE void *resize(void *block, size_t size)
{
	return realloc(block, size);
}

int main(void)
{
	void *blocks[COUNT] = { NULL };
	uint64_t state = 6;
	size_t before = test_vma_count();

	for (int i = 0; i < 10000; i++) {
		size_t at = test_random(&state) % COUNT;
		size_t size = 16 * TEST_KIB + test_random(&state) % (600 * TEST_KIB);
		char *block = resize(blocks[at], size);

		CHECK(block != NULL);
		block[0] = block[size - 1] = (char)i;
		blocks[at] = block;
	}
	size_t advised = test_vma_count_flag("mg"), after = test_vma_count();

	CHECK_MSG(advised == 1, "%zu mappings are advised", advised);
	CHECK_MSG(after <= before + TEST_PROCESS_VMAS + 1, "%zu mappings before, %zu after", before, after);
	return 0;
}
