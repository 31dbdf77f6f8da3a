/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Was: a program at its limit that had freed all of its blocks got none of another size: freed slabs waited for the next
 * use of their length, beside each other.
 */
#include "test.h"

#define ROOM (64 * TEST_MIB)

/* Slabs of 1 to 7 pages, and blocks that have no slab. */
static const size_t sizes[] = { 64, 48, 320, 1800, 80, 7000, 14000, 15000, 1280, 160 };

/* How many bytes there are in blocks of this size. Each keeps the one before it. */
static size_t use_up(size_t size)
{
	size_t bytes = 0;
	void **last = NULL;
	void **block;

	errno = 0;
	while ((block = malloc(size)) != NULL) {
		*block = last;
		last = block;
		bytes += size;
	}
	CHECK(errno == ENOMEM);
	while (last) {
		block = last;
		last = *block;
		free(block);
	}
	return bytes;
}

int main(void)
{
	free(malloc(test_opaque(100)));
	test_limit_memory(ROOM);
	for (size_t i = 0; i < TEST_COUNT_OF(sizes); i++) {
		size_t bytes = use_up(sizes[i]);

		CHECK_MSG(bytes > ROOM / 2, "%zu MiB in blocks of %zu bytes", bytes / TEST_MIB, sizes[i]);
	}
	return 0;
}
