/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes between a placed block's end and the end of its page are zero: after
 * malloc, after a realloc that grows or shrinks, and when a run is used again.
 * A page with left-over bytes there would never equal its twin.
 */
#include "test.h"

#define COUNT 48

static void check_all(void *const *blocks, size_t size, const char *when)
{
	size_t placed = 0;

	for (size_t i = 0; i < COUNT; i++) {
		if (!test_is_placed(blocks[i]))
			continue;
		placed++;
		CHECK_MSG(test_tail_is_zero(blocks[i], size), "block %zu of %zu bytes, %s", i, size, when);
	}
	CHECK_MSG(placed >= COUNT / 2, "%zu blocks are placed, %s", placed, when);
}

static void dirty(void *const *blocks, size_t size)
{
	for (size_t i = 0; i < COUNT; i++)
		memset(blocks[i], 0xee, size);
}

static TEST_NOINLINE void resize_all(void **blocks, size_t size)
{
	for (size_t i = 0; i < COUNT; i++) {
		blocks[i] = realloc(blocks[i], size);
		CHECK(blocks[i] != NULL);
	}
}

int main(void)
{
	static const size_t steps[] = { 50001, 45007, 70003, 300001, 299999, 20011, 16391, 120017 };
	void *blocks[COUNT];

	for (int round = 0; round < 6; round++) {
		size_t size = 40000 + 17 * (size_t)round;

		/* In the second round on, the runs are used again, with the bytes of the first. */
		test_alloc_many(blocks, COUNT, size);
		check_all(blocks, size, "malloc");
		dirty(blocks, size);
		for (size_t i = 0; i < TEST_COUNT_OF(steps); i++) {
			resize_all(blocks, steps[i]);
			check_all(blocks, steps[i], "realloc");
			dirty(blocks, steps[i]);
		}
		test_free_many(blocks, COUNT);
	}
	return 0;
}
