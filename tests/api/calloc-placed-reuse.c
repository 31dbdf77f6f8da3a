/* SPDX-License-Identifier: BSD-2-Clause */
/* calloc in a slot gives zeros also where a run is used again that was not yet given back. */
#include "test.h"

#define COUNT 40
#define SIZE  (70 * TEST_KIB + 11)

static TEST_NOINLINE void calloc_many(char **blocks)
{
	for (size_t i = 0; i < COUNT; i++) {
		blocks[i] = calloc(1, SIZE);
		CHECK(blocks[i] != NULL);
	}
}

int main(void)
{
	char *blocks[COUNT];
	bool reused = false;
	void *seen = NULL;

	for (int round = 0; round < 20; round++) {
		calloc_many(blocks);
		CHECK(test_is_placed(blocks[COUNT - 1]));
		for (size_t i = 0; i < COUNT; i++) {
			reused |= blocks[i] == seen;
			CHECK_MSG(test_is_zero(blocks[i], SIZE), "round %d, block %zu", round, i);
			CHECK(!test_is_placed(blocks[i]) || test_tail_is_zero(blocks[i], SIZE));
			memset(blocks[i], 0x77, SIZE);
		}
		seen = blocks[COUNT - 1];
		for (size_t i = 0; i < COUNT; i++)
			free(blocks[i]);
	}
	/* Else the test has shown nothing about used memory. */
	CHECK(reused);
	return 0;
}
