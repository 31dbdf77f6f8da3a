/* SPDX-License-Identifier: BSD-2-Clause */
#include "join/own.h"

void ksr_own_add_piece(enum ksr_part_id part, const struct ksr_memory *memory, bool is_told, struct ksr_own_memory *own)
{
	if (part == KSR_PART_COUNT || ksr_memory_is_empty(memory))
		return;
	if (!is_told) {
		ksr_memory_add(&own->beyond[part], memory);
		return;
	}
	ksr_memory_add(&own->parts[part], memory);
	own->has_part[part] = true;
}
