/* SPDX-License-Identifier: BSD-2-Clause */
/* A static program gets the library's malloc from the archive, placed blocks and the segment included. */
#include "test.h"

#include <pthread.h>

#define COUNT 64

static void *in_thread(void *blocks)
{
	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	return NULL;
}

int main(void)
{
	void *blocks[COUNT];
	pthread_t thread;

	CHECK(test_segment() != NULL && test_segment()->slots.count == 0);
	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	for (size_t i = 0; i < COUNT; i++)
		test_fill(blocks[i], 64 * TEST_KIB, i);
	CHECK(test_is_placed(blocks[COUNT - 1]));
	CHECK(test_has_flag(blocks[COUNT - 1], "mg"));
	for (size_t i = 0; i < COUNT; i++)
		CHECK(test_matches(blocks[i], 64 * TEST_KIB, i));
	test_free_many(blocks, COUNT);
	CHECK(pthread_create(&thread, NULL, in_thread, blocks) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	test_free_many(blocks, COUNT);
	return 0;
}
