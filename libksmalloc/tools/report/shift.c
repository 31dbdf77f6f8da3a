/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of what siblings have lost because content moved, a line for each group of the shared
 * layout. */
#define _GNU_SOURCE
#include "report/shift.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "join/group.h"
#include "judge/shift.h"

static const struct ksr_column columns[] = {
	{"pages", "PAGES"},
	{"equal", NULL},
	{"equal_percent", "EQUAL %"},
	{"shifted", "SHIFTED"},
	{"shifted_percent", "SHIFTED %"},
	{"first", "FIRST"},
	{"second", "SECOND"},
	{"sampled", NULL},
	{"group", "GROUP"},
};

static bool is_of(const struct ksr_process *process, const struct ksr_group *group)
{
	return process->snapshot.header.layout == group->layout &&
	       strcmp(process->snapshot.header.group, group->name) == 0;
}

static void emit(const struct ksr_group *group, const struct ksr_shift *shift,
		 struct ksr_emitter *emitter)
{
	struct ksr_cell cells[] = {
		ksr_cell_count(shift->pages),
		ksr_cell_count(shift->equal),
		ksr_cell_percent(shift->equal, shift->pages),
		ksr_cell_count(shift->shifted),
		ksr_cell_percent(shift->shifted, shift->pages),
		ksr_cell_count((uint64_t)shift->pids[0]),
		ksr_cell_count((uint64_t)shift->pids[1]),
		ksr_cell_bool(shift->is_sampled),
		ksr_cell_text(group->name),
	};

	ksr_emitter_row(emitter, cells);
}

static int measure(const struct ksr_fs *fs, const struct ksr_report *report,
		   const struct ksr_group *group, struct ksr_shift *shift)
{
	pid_t *pids = calloc(report->process_count + 1, sizeof(*pids));
	size_t count = 0;
	int error;

	if (!pids)
		return -ENOMEM;
	for (size_t i = 0; i < report->process_count; i++) {
		if (is_of(&report->processes[i], group))
			pids[count++] = report->processes[i].snapshot.pid;
	}
	error = ksr_shift_measure(fs, pids, count, shift);
	free(pids);
	return error;
}

void ksr_render_shift(const struct ksr_fs *fs, const struct ksr_report *report,
		      struct ksr_emitter *emitter)
{
	int *errors = calloc(report->group_count + 1, sizeof(*errors));
	bool is_sampled = false;

	ksr_emitter_table_begin(emitter, "shifting", columns, KSM_COUNT_OF(columns));
	for (size_t i = 0; errors && i < report->group_count; i++) {
		const struct ksr_group *group = &report->groups[i];
		struct ksr_shift shift;

		if (group->layout != KSMALLOC_LAYOUT_SHARED)
			continue;
		errors[i] = fs->live ? measure(fs, report, group, &shift) : -ENOTSUP;
		if (errors[i])
			continue;
		emit(group, &shift, emitter);
		is_sampled = is_sampled || shift.is_sampled;
	}
	ksr_emitter_table_end(emitter);
	for (size_t i = 0; errors && i < report->group_count; i++) {
		if (errors[i])
			ksr_emitter_note(emitter, "Group '%s': shifting is unknown: %s.",
					 report->groups[i].name,
					 errors[i] == -ESRCH ? "there are no two workers of a kind"
							     : strerror(-errors[i]));
	}
	if (is_sampled)
		ksr_emitter_note(emitter, "Of large processes a part of the memory was compared.");
	free(errors);
}
