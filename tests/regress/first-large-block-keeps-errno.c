/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * No call that succeeds changes errno, the first one that needs a slot neither, which sets up what that takes.
 */
#include "test.h"

static void check_one(size_t size)
{
	void *block;

	errno = EXDEV;
	block = malloc(size);
	CHECK(block != NULL);
	CHECK_MSG(errno == EXDEV, "malloc(%zu) made errno %d", size, errno);
	free(block);
	CHECK_MSG(errno == EXDEV, "free of %zu bytes made errno %d", size, errno);
}

int main(void)
{
	check_one(100);
	/* The first large one, one from another stack, and more than a nursery takes. */
	check_one(80 * TEST_KIB);
	check_one(90 * TEST_KIB);
	check_one(4 * TEST_MIB);
	return 0;
}
