/* SPDX-License-Identifier: BSD-2-Clause */
/* An address where nothing is mapped is not a block; looking at it must not be a fault. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"
#include <sys/mman.h>

static void misuse(void)
{
	char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(map, 1 << 20);
	free(hide(map));
}
