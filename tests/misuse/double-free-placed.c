/* SPDX-License-Identifier: BSD-2-Clause */
/* Freeing a placed block twice is noticed at the second free. */
#define EXPECTED "ksmalloc: double free"
#include "misuse.h"

static void misuse(void)
{
	char *block = placed_block();

	free(hide(block));
	free(hide(block));
}
