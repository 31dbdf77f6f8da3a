/* SPDX-License-Identifier: BSD-2-Clause */
/* An address in a slot behind all of its blocks was never given to anyone. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"

static void misuse(void)
{
	char *block = placed_block();
	const struct ksmalloc_segment_slot *slot = test_slot_of(block);

	free(hide((char *)(uintptr_t)slot->base + 512 * TEST_MIB));
}
