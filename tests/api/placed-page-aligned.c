/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of a site that holds enough are placed, page aligned, and in the slot of that site. */
#include "test.h"

#define COUNT 64

static void try_size(size_t size)
{
	void *blocks[COUNT];
	size_t placed = 0;

	test_alloc_many(blocks, COUNT, size);
	/* All sizes come from one line, and so from one site, which holds too little only at first. */
	for (size_t i = 0; i < COUNT; i++) {
		if (!test_is_placed(blocks[i]))
			continue;
		placed++;
		CHECK_MSG((uintptr_t)blocks[i] % TEST_PAGE == 0, "%zu bytes at %p", size, blocks[i]);
		CHECK(malloc_usable_size(blocks[i]) >= size);
		CHECK(malloc_usable_size(blocks[i]) < size + TEST_PAGE);
	}
	CHECK_MSG(placed * size + 256 * TEST_KIB >= COUNT * size, "%zu of %u blocks of %zu bytes are placed",
		  placed, COUNT, size);
	test_free_many(blocks, COUNT);
}

int main(void)
{
	static const size_t sizes[] = { 16384, 16385, 20000, 65536, 100001, 1 << 20, (3 << 20) + 5 };

	for (size_t i = 0; i < TEST_COUNT_OF(sizes); i++)
		try_size(sizes[i]);
	return 0;
}
