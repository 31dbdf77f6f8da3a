/* SPDX-License-Identifier: BSD-2-Clause */
/* mallinfo2 counts what the program holds: it grows and shrinks with 100 MiB of blocks. */
#include "test.h"

#define COUNT 200
#define SIZE  (512 * TEST_KIB)

static size_t held(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

int main(void)
{
	void *blocks[COUNT];
	size_t before = held();

	test_alloc_many(blocks, COUNT, SIZE);
	size_t during = held();

	CHECK_MSG(during >= before + COUNT * SIZE, "%zu before, %zu with 100 MiB more", before, during);
	CHECK_MSG(during <= before + 2 * COUNT * SIZE, "%zu before, %zu with 100 MiB more", before, during);
	test_free_many(blocks, COUNT);
	size_t after = held();

	CHECK_MSG(after <= before + COUNT * SIZE / 4, "%zu before, %zu after", before, after);
	return 0;
}
