/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks have the alignment that was asked for, up to 4 MiB, small and large, and keep their bytes. */
#include "test.h"

#define MANY 24

static void *aligned(int call, size_t alignment, size_t size)
{
	void *block = NULL;

	switch (call) {
	case 0:
		CHECK(posix_memalign(&block, alignment, size) == 0);
		return block;
#ifndef KSM_TEST_PREFIXED
	case 1:
		return memalign(alignment, size);
#endif
	default:
		return aligned_alloc(alignment, size);
	}
}

static void try_one(int call, size_t alignment, size_t size)
{
	void *blocks[MANY];

	for (size_t i = 0; i < MANY; i++) {
		blocks[i] = aligned(call, alignment, size);
		CHECK_MSG(blocks[i] != NULL, "call %d, alignment %zu, size %zu", call, alignment, size);
		CHECK_MSG((uintptr_t)blocks[i] % alignment == 0, "%p is not aligned to %zu (size %zu)",
			  blocks[i], alignment, size);
		test_fill(blocks[i], size, i);
	}
	for (size_t i = 0; i < MANY; i++) {
		CHECK_MSG(test_matches(blocks[i], size, i), "alignment %zu, size %zu overlap",
			  alignment, size);
		CHECK(malloc_usable_size(blocks[i]) >= size);
		if (i % 2)
			free(blocks[i]);
	}
	/* Every second block is resized: its bytes must come along, the alignment need not. */
	for (size_t i = 0; i < MANY; i += 2) {
		blocks[i] = realloc(blocks[i], size * 2);
		CHECK(blocks[i] != NULL);
		CHECK(test_matches(blocks[i], size, i));
		free(blocks[i]);
	}
}

int main(void)
{
	static const size_t sizes[] = { 1, 100, 5000, 16384, 20000, 70001, 300000 };

	for (int call = 0; call < 3; call++)
		for (size_t alignment = sizeof(void *); alignment <= 4 * TEST_MIB; alignment *= 2)
			for (size_t i = 0; i < TEST_COUNT_OF(sizes); i++)
				try_one(call, alignment, sizes[i]);
	return 0;
}
