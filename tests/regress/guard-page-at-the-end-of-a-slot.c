/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block's own pages may be made unreadable, also at the end of what is mapped of a slot: what the
 * slot grows by afterwards is ordinary memory.
 */
#include "test.h"

#include <sys/mman.h>

#define COUNT 400
#define SIZE  (64 * TEST_KIB)

int main(void)
{
	static char *blocks[COUNT];

	for (size_t i = test_opaque(0); i < COUNT; i++) {
		blocks[i] = malloc(SIZE);
		CHECK(blocks[i] != NULL);
		test_fill(blocks[i], SIZE - TEST_PAGE, i);
		CHECK(mprotect(blocks[i] + SIZE - TEST_PAGE, TEST_PAGE, PROT_NONE) == 0);
	}
	for (size_t i = 0; i < COUNT; i++) {
		CHECK(test_matches(blocks[i], SIZE - TEST_PAGE, i));
		CHECK(mprotect(blocks[i] + SIZE - TEST_PAGE, TEST_PAGE, PROT_READ | PROT_WRITE) == 0);
		free(blocks[i]);
	}
	return 0;
}
