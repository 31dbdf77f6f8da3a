/* SPDX-License-Identifier: BSD-2-Clause */
/* Freeing a small block twice is noticed, as far as that costs nothing. */
#define EXPECTED "ksmalloc: double free"
#include "misuse.h"

static void misuse(void)
{
	char *block = malloc(64);

	free(hide(block));
	free(hide(block));
}
