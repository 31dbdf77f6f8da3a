/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lies outside of sites, and the layouts of the groups. Neither table has a
 * row when all processes have the private layout, nothing outside is marked, and no group has a name.
 */
#define _GNU_SOURCE
#include "show/regions.h"

#include <stdlib.h>
#include <string.h>

#include "join/group.h"

#define SHARED_COLUMN 3 /* in text only where processes share by a store */

static const struct ksr_column part_columns[] = {
	{"live", "LIVE"},      {"resident", "RESIDENT"},     {"merged", "MERGED"},
	{"shared", NULL},      {"saved", "SAVED"},           {"saved_percent", "SAVED %"},
	{"fork_shared", NULL},
	{"saved_error", NULL}, {"mergeable", NULL},	     {"processes", "PROCESSES"},
	{"region", NULL},      {"name", "OTHER MEMORY"},
};

void ksr_render_parts(const struct ksr_report *report, struct ksr_emitter *emitter)
{
	struct ksr_column columns[KSM_COUNT_OF(part_columns)];

	memcpy(columns, part_columns, sizeof(columns));
	if (report->totals.sharing_asked)
		columns[SHARED_COLUMN].title = "SHARED";
	ksr_emitter_table_begin(emitter, "regions", columns, KSM_COUNT_OF(columns));
	for (size_t i = 0; i < KSR_PART_COUNT; i++) {
		const struct ksr_part *part = &report->parts[i];
		const struct ksr_memory *memory = &part->memory;
		struct ksr_cell unknown = {.kind = KSR_CELL_NONE};
		struct ksr_cell cells[] = {
			part->has_live ? ksr_cell_bytes(part->live) : unknown,
			ksr_cell_bytes(memory->resident),
			ksr_cell_bytes(memory->merged),
			ksr_cell_bytes(memory->shared),
			ksr_cell_bytes(memory->saved),
			ksr_cell_percent(memory->saved, memory->resident),
			ksr_cell_bytes(memory->fork_shared),
			ksr_cell_bytes(memory->saved_error),
			ksr_cell_bytes(memory->mergeable),
			ksr_cell_count(part->processes),
			ksr_cell_text(ksr_part_key((enum ksr_part_id)i)),
			ksr_cell_text(ksr_part_name((enum ksr_part_id)i)),
		};

		if (part->processes)
			ksr_emitter_row(emitter, cells);
	}
	ksr_emitter_table_end(emitter);
}

static const struct ksr_column group_columns[] = {
	{"group", "GROUP"},
	{"layout", "LAYOUT"},
	{"processes", "PROCESSES"},
	{"apart", "WITHOUT"},
	{"reason", "REASON"},
	{"placed_mappings", "AT EQUAL ADDRESSES"},
	{"places_taken", "ADDRESSES TAKEN"},
};

static bool is_worth_telling(const struct ksr_report *report)
{
	for (size_t i = 0; i < report->group_count; i++) {
		const struct ksr_group *group = &report->groups[i];

		if (group->name[0] || group->layout != KSMALLOC_LAYOUT_PRIVATE || group->failed)
			return true;
	}
	return false;
}

void ksr_render_groups(const struct ksr_report *report, struct ksr_emitter *emitter)
{
	size_t count = is_worth_telling(report) ? report->group_count : 0;

	ksr_emitter_table_begin(emitter, "groups", group_columns, KSM_COUNT_OF(group_columns));
	for (size_t i = 0; i < count; i++) {
		const struct ksr_group *group = &report->groups[i];
		bool shared = group->layout == KSMALLOC_LAYOUT_SHARED;
		struct ksr_cell cells[] = {
			ksr_cell_text(group->name[0] ? group->name : NULL),
			ksr_cell_text(shared ? "shared" : "private"),
			ksr_cell_count(group->processes),
			ksr_cell_count(group->failed),
			ksr_cell_text(group->failed ? strerror(group->failure) : NULL),
			ksr_cell_count(group->placed),
			ksr_cell_count(group->taken),
		};

		ksr_emitter_row(emitter, cells);
	}
	ksr_emitter_table_end(emitter);
}
