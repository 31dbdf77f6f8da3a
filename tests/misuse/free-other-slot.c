/* SPDX-License-Identifier: BSD-2-Clause */
/* An address in the part of the span where no site lives is noticed. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"

static void misuse(void)
{
	placed_block();
	const struct ksmalloc_segment_header *header = test_segment();
	uintptr_t address = (uintptr_t)header->span_base;

	/* The first 1 GiB stretch that is no slot. */
	while (test_slot_of((void *)address))
		address += 1024 * TEST_MIB;
	free(hide((void *)address));
}
