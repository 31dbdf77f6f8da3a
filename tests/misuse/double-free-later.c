/* SPDX-License-Identifier: BSD-2-Clause */
/* The second free is noticed also after other blocks were freed and their memory given back. */
#define EXPECTED "ksmalloc: double free"
#include "misuse.h"

static void misuse(void)
{
	char *block = placed_block();
	void *others[COUNT];

	free(hide(block));
	test_alloc_many(others, COUNT, 3 * LARGE);
	test_free_many(others, COUNT);
	malloc_trim(0);
	free(hide(block));
}
