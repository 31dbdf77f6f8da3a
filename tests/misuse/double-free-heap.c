/* SPDX-License-Identifier: BSD-2-Clause */
/* Freeing twice a block that is large but not placed is noticed. */
#define EXPECTED "ksmalloc: double free"
#include "misuse.h"

static void misuse(void)
{
	char *block = malloc(100 * TEST_KIB);

	free(hide(block));
	free(hide(block));
}
