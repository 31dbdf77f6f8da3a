/* SPDX-License-Identifier: BSD-2-Clause */
/* 20,000 frames deep, with frames up to 100 KB large, malloc works, and recursion makes no new sites. */
#include "test.h"

#include <alloca.h>
#include <pthread.h>

#define DEPTH 20000

static void *blocks[DEPTH / 50 + 1];

static TEST_NOINLINE void recurse(int depth)
{
	volatile char frame[64];

	frame[0] = (char)depth;
	if (depth % 50 == 0) {
		void *block = malloc(30000);

		CHECK(block != NULL);
		test_fill(block, 30000, (uint64_t)depth);
		blocks[depth / 50] = block;
	}
	if (depth > 0)
		recurse(depth - 1);
	CHECK(frame[0] == (char)depth);
}

static TEST_NOINLINE void with_alloca(size_t size)
{
	char *stack = alloca(size);
	void *block;

	memset(stack, 0x11, size);
	block = malloc(20000 + size);
	CHECK(block != NULL);
	test_fill(block, 20000, size);
	CHECK(test_matches(block, 20000, size));
	free(block);
	for (size_t i = 0; i < size; i += 511)
		CHECK(stack[i] == 0x11);
}

static void *on_large_stack(void *data)
{
	recurse(DEPTH);
	for (size_t size = 1; size < 100000; size = size * 5 / 4 + 1)
		with_alloca(size);
	return data;
}

int main(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	CHECK(pthread_attr_setstacksize(&attributes, 256 * TEST_MIB) == 0);
	CHECK(pthread_create(&thread, &attributes, on_large_stack, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	for (int i = 0; i <= DEPTH / 50; i++)
		CHECK(test_matches(blocks[i], 30000, (uint64_t)i * 50));
	/* Recursion is folded: blocks from the middle of it share a site. */
	CHECK(test_is_placed(blocks[100]) && test_is_placed(blocks[200]));
	CHECK(test_site_of(blocks[100]) == test_site_of(blocks[200]));
	return 0;
}
