/* SPDX-License-Identifier: BSD-2-Clause */
/* An address that no process can have is not a block. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"

static void misuse(void)
{
	free(hide((void *)(uintptr_t)0x4141414141414140));
}
