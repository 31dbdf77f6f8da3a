/* SPDX-License-Identifier: BSD-2-Clause */
/* An address that the program mapped itself is not a block. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"
#include <sys/mman.h>

static void misuse(void)
{
	char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	free(hide(map));
}
