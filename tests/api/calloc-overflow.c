/* SPDX-License-Identifier: BSD-2-Clause */
/* A product that does not fit gives NULL and ENOMEM, never a small block. */
#include "test.h"

static void expect_failure(size_t count, size_t size)
{
	void *block;

	errno = 0;
	block = calloc(count, size);
	CHECK_MSG(block == NULL, "calloc(%zu, %zu) gave %p", count, size, block);
	CHECK(errno == ENOMEM);
	errno = 0;
	block = reallocarray(NULL, count, size);
	CHECK_MSG(block == NULL, "reallocarray(NULL, %zu, %zu) gave %p", count, size, block);
	CHECK(errno == ENOMEM);
}

int main(void)
{
	volatile size_t half = (size_t)1 << 32;

	expect_failure(half, half);
	expect_failure(SIZE_MAX, 2);
	expect_failure(2, SIZE_MAX);
	expect_failure(SIZE_MAX, SIZE_MAX);
	expect_failure(half + 1, half);
	expect_failure(SIZE_MAX / 3 + 1, 3);
	/* The old block stays as it was when its resizing overflows. */
	char *kept = malloc(64);

	CHECK(kept != NULL);
	test_fill(kept, 64, 2);
	CHECK(reallocarray(kept, half, half) == NULL);
	CHECK(test_matches(kept, 64, 2));
	free(kept);
	return 0;
}
