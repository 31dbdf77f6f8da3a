/* SPDX-License-Identifier: BSD-2-Clause */
#include "judge/exclusion.h"

#include <errno.h>
#include <stdlib.h>

#include "join/part.h"

/* A stretch of addresses that was to be kept out. */
struct stretch {
	uint64_t begin;
	uint64_t end;
};

/* The slots that are to be kept out: private ones, those of denied sites and their nursery. */
static int find_stretches(const struct ksr_snapshot *snapshot, struct stretch **result, size_t *count)
{
	uint32_t slots = snapshot->header.slots.count;
	struct stretch *stretches = calloc(slots + 1u, sizeof(*stretches));

	*count = 0;
	*result = stretches;
	if (!stretches)
		return -ENOMEM;
	for (uint32_t i = 0; i < slots; i++) {
		struct ksmalloc_segment_slot slot;
		struct ksmalloc_segment_site site;

		ksr_snapshot_slot(snapshot, i, &slot);
		ksr_snapshot_site(snapshot, slot.site, &site);
		if (!(slot.flags & KSMALLOC_SLOT_EXEMPT) &&
		    ((slot.flags & KSMALLOC_SLOT_NURSERY) || !(site.flags & KSMALLOC_SITE_DENIED)))
			continue;
		stretches[(*count)++] = (struct stretch){slot.base, slot.base + slot.mapped_bytes};
	}
	return 0;
}

static bool is_in_slot(const struct ksr_snapshot *snapshot, const struct ksr_vma *vma)
{
	const struct ksmalloc_segment_header *header = &snapshot->header;

	return vma->begin >= header->span_base &&
	       vma->begin - header->span_base < header->span_bytes;
}

static void add_vma(const struct ksr_process *process, const struct ksr_vma *vma,
		    const struct stretch *stretches, size_t count, struct ksr_exclusion *exclusion)
{
	enum ksr_part_id part = ksr_part_of(&process->snapshot, vma);

	if (!(vma->flags & KSR_VMA_MERGEABLE))
		return;
	if (is_in_slot(&process->snapshot, vma)) {
		for (size_t i = 0; i < count; i++)
			if (vma->begin < stretches[i].end && vma->end > stretches[i].begin)
				exclusion->leaking += vma->rss;
		return;
	}
	/* The stack of a process that inherited it is not marked. */
	exclusion->is_whole |= part == KSR_PART_STACKS ||
			       process->snapshot.header.layout != KSMALLOC_LAYOUT_SHARED;
	if (part != KSR_PART_COUNT && part != KSR_PART_HEAP)
		exclusion->beside += vma->anonymous;
}

/* Denied sites that have no slot, or none yet, say that something is denied, too. */
static bool has_denied_site(const struct ksr_snapshot *snapshot)
{
	for (uint32_t i = 0; i < snapshot->header.sites.count; i++) {
		struct ksmalloc_segment_site site;

		ksr_snapshot_site(snapshot, i, &site);
		if (site.flags & KSMALLOC_SITE_DENIED)
			return true;
	}
	return false;
}

int ksr_exclusion_find(const struct ksr_process *process, struct ksr_exclusion *exclusion)
{
	struct stretch *stretches;
	size_t count;
	int error = find_stretches(&process->snapshot, &stretches, &count);

	*exclusion = (struct ksr_exclusion){0};
	if (error)
		return error;
	exclusion->is_asked = count || has_denied_site(&process->snapshot);
	for (size_t i = 0; i < process->smaps.count; i++)
		add_vma(process, &process->smaps.vmas[i], stretches, count, exclusion);
	free(stretches);
	return 0;
}
