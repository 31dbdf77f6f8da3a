/* SPDX-License-Identifier: BSD-2-Clause */
/* Every block of malloc, calloc and realloc is aligned for any type, in all sizes up to 80 KiB. */
#include "test.h"

#define ALIGNMENT _Alignof(max_align_t)

static size_t needed(size_t size)
{
	/* A block of 8 bytes cannot hold a type that needs 16. */
	return size < ALIGNMENT ? sizeof(void *) : ALIGNMENT;
}

int main(void)
{
	for (size_t size = 1; size < 80 * TEST_KIB; size += size < 2048 ? 1 : 61) {
		void *block = malloc(size), *zeroed = calloc(1, size), *resized = realloc(malloc(1), size);

		CHECK(block && zeroed && resized);
		CHECK((uintptr_t)block % needed(size) == 0);
		CHECK((uintptr_t)zeroed % needed(size) == 0);
		CHECK((uintptr_t)resized % needed(size) == 0);
		free(block);
		free(zeroed);
		free(resized);
	}
	return 0;
}
