/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mapping outside of slots belongs to one part as a whole: the regions of the
 * shared layout lie apart from each other and from all else.
 */
#define _GNU_SOURCE
#include "join/aggregate.h"

#include <errno.h>
#include <stdlib.h>
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

void ksr_part_add(const struct ksr_snapshot *snapshot, const struct ksr_vma *vma,
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

struct ksr_group *ksr_group_find(struct ksr_report *report, const char *name, uint32_t layout)
{
	struct ksr_group *larger;

	for (size_t i = 0; i < report->group_count; i++) {
		if (report->groups[i].layout == layout && strcmp(report->groups[i].name, name) == 0)
			return &report->groups[i];
	}
	larger = reallocarray(report->groups, report->group_count + 1, sizeof(*larger));
	if (!larger)
		return NULL;
	report->groups = larger;
	larger[report->group_count] = (struct ksr_group){.name = name, .layout = layout};
	return &larger[report->group_count++];
}

int ksr_parts_finish(struct ksr_report *report)
{
	for (size_t i = 0; i < report->process_count; i++) {
		const struct ksr_process *process = &report->processes[i];
		const struct ksmalloc_segment_header *header = &process->snapshot.header;
		const struct ksmalloc_process_stats *stats = &header->stats;
		struct ksr_group *group = ksr_group_find(report, header->group, header->layout);

		if (!group)
			return -ENOMEM;
		group->processes++;
		group->failed += stats->layout_errno != 0;
		if (stats->layout_errno)
			group->failure = (int)ksm_min(stats->layout_errno, 4095);
		group->placed += stats->mmap_placed_total;
		group->taken += stats->place_taken_total;
		if (!process->owner || header->layout != KSMALLOC_LAYOUT_SHARED)
			continue;
		report->parts[KSR_PART_HEAP].live += stats->heap_mapped_bytes;
		report->parts[KSR_PART_MAPPINGS].live += stats->mmap_live_bytes;
	}
	/* A process that mapped all of it before it had a segment counts none. */
	for (size_t i = 0; i < KSR_PART_COUNT; i++)
		report->parts[i].has_live = report->parts[i].live != 0;
	return 0;
}
