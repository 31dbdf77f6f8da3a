/* SPDX-License-Identifier: BSD-2-Clause */
#include "join/own.h"

void ksr_own_add_part(const struct ksr_snapshot *snapshot, const struct ksr_vma *vma,
		      const struct ksr_memory *memory, struct ksr_own_memory *own)
{
	bool shared = snapshot->header.layout == KSMALLOC_LAYOUT_SHARED;
	enum ksr_part_id part = ksr_part_of(snapshot, vma);
	struct ksr_memory counted = *memory;

	if (part == KSR_PART_COUNT && memory->merged)
		part = KSR_PART_OTHERS;
	if (part == KSR_PART_COUNT ||
	    !(shared || memory->merged || (vma->flags & KSR_VMA_MERGEABLE)))
		return;
	/* Of a file only written pages are the process's own; the others belong to the file. */
	if (part == KSR_PART_FILES) {
		counted.resident =
			ksm_max(ksm_min(vma->anonymous, counted.resident), counted.merged);
		counted.fork_shared = 0;
	}
	if (counted.resident == 0 && counted.swapped == 0 && counted.shared == 0)
		return;
	ksr_memory_add(&own->parts[part], &counted);
	own->has_part[part] = true;
}
