/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "join/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

uint64_t ksr_group_stored(const struct ksr_group *group, uint64_t shared)
{
	/* What is in somebody's memory is there, whatever is said of files. */
	return ksr_scale(ksm_max(group->store, group->store_pss), shared, group->shared);
}

int ksr_groups_finish(struct ksr_report *report)
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
