/* SPDX-License-Identifier: BSD-2-Clause */
/* A long random sequence of calls never loses or mixes a byte. */
#include "test.h"

#define SLOTS 256

struct block {
	char *data;
	size_t size;
	uint64_t seed;
};

static size_t random_size(uint64_t *state)
{
	switch (test_random(state) % 8) {
	case 0:
		return 1 + test_random(state) % (2 * TEST_MIB);
	case 1:
	case 2:
		return 16000 + test_random(state) % 1000;
	case 3:
	case 4:
		return 1 + test_random(state) % (200 * TEST_KIB);
	default:
		return 1 + test_random(state) % 2000;
	}
}

static void replace(struct block *block, uint64_t *state)
{
	size_t size = random_size(state);

	if (block->data) {
		CHECK_MSG(test_matches(block->data, block->size, block->seed), "a block of %zu changed",
			  block->size);
		if (test_random(state) % 2) {
			free(block->data);
			block->data = NULL;
			return;
		}
		block->data = realloc(block->data, size);
		CHECK(block->data != NULL);
		CHECK(test_matches(block->data, size < block->size ? size : block->size, block->seed));
	} else if (test_random(state) % 4 == 0) {
		block->data = calloc(1, size);
		CHECK(block->data != NULL);
		CHECK_MSG(test_is_zero(block->data, size), "calloc of %zu is not zero", size);
	} else {
		block->data = malloc(size);
		CHECK(block->data != NULL);
	}
	block->size = size;
	block->seed = test_random(state);
	test_fill(block->data, size, block->seed);
}

int main(void)
{
	static struct block blocks[SLOTS];
	uint64_t state = 20240229;

	for (int i = 0; i < 30000; i++)
		replace(&blocks[test_random(&state) % SLOTS], &state);
	return 0;
}
