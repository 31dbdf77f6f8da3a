/* SPDX-License-Identifier: BSD-2-Clause */
/* A request of no bytes gives a block of its own that can be freed and resized. */
#include "test.h"

int main(void)
{
	void *first = malloc(0), *second = malloc(0), *third = calloc(0, 8), *fourth = calloc(8, 0);

	CHECK(first && second && third && fourth);
	CHECK(first != second && second != third && third != fourth);
	first = realloc(first, 100);
	CHECK(first != NULL);
	test_fill(first, 100, 1);
	CHECK(test_matches(first, 100, 1));
	free(first);
	free(second);
	free(third);
	free(fourth);
	free(NULL);
	return 0;
}
