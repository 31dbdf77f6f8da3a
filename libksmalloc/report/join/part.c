/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mapping outside of slots belongs to one part as a whole: the regions of the
 * shared layout lie apart from each other and from all else.
 */
#include "join/part.h"

#include <string.h>

static const char *const part_keys[] = {
#define KEY(name, key, text) key,
	KSR_PARTS(KEY)
#undef KEY
};

static const char *const part_names[] = {
#define TEXT(name, key, text) text,
	KSR_PARTS(TEXT)
#undef TEXT
};

const char *ksr_part_key(enum ksr_part_id part)
{
	return part < KSR_PART_COUNT ? part_keys[part] : "?";
}

const char *ksr_part_name(enum ksr_part_id part)
{
	return part < KSR_PART_COUNT ? part_names[part] : "?";
}

static bool is_within(uint64_t address, uint64_t base, uint64_t bytes)
{
	return bytes && address >= base && address - base < bytes;
}

enum ksr_part_id ksr_part_of(const struct ksr_snapshot *snapshot, const struct ksr_vma *vma)
{
	const struct ksmalloc_segment_header *header = &snapshot->header;

	if (vma->flags & KSR_VMA_SHARED)
		return KSR_PART_COUNT;
	if (vma->flags & KSR_VMA_SPECIAL)
		return strcmp(vma->name, "[stack]") == 0 ? KSR_PART_STACKS : KSR_PART_COUNT;
	if ((vma->flags & KSR_VMA_FILE) && !(vma->flags & KSR_VMA_STORE))
		return KSR_PART_FILES;
	if (strcmp(vma->name, "[heap]") == 0)
		return KSR_PART_BRK;
	if (is_within(vma->begin, header->heap_base, header->heap_bytes))
		return KSR_PART_HEAP;
	if (is_within(vma->begin, header->mapping_base, header->mapping_bytes))
		return KSR_PART_MAPPINGS;
	return KSR_PART_OTHERS;
}
