/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "report/why.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "join/group.h"
#include "show/why.h"

#define INTERVAL_MS 1000
/* Rows of a group. */
#define ROWS_MOST 10
/* Each group takes a moment. */
#define GROUPS_MOST 8

/* The reasons of one group, and their names. */
struct answer {
	const char *group;
	struct ksr_why why;
	struct ksr_diff_names names;
	bool is_there;
};

static int ask(const struct ksr_fs *fs, const struct ksr_report *report, const struct ksr_group *group,
	       const struct ksr_naming *naming, struct answer *answer)
{
	pid_t *pids = calloc(report->process_count + 1, sizeof(*pids));
	size_t count = 0;
	int error = pids ? 0 : -ENOMEM;

	for (size_t i = 0; pids && i < report->process_count; i++) {
		const struct ksmalloc_segment_header *header = &report->processes[i].snapshot.header;

		if (header->layout == group->layout && strcmp(header->group, group->name) == 0)
			pids[count++] = report->processes[i].snapshot.pid;
	}
	if (!error)
		error = ksr_why_create(fs, report, pids, count, INTERVAL_MS, &answer->why);
	free(pids);
	if (error)
		return error;
	error = ksr_diff_names_create(fs, &answer->why.diff, naming, &answer->names);
	if (error)
		ksr_why_destroy(&answer->why);
	answer->is_there = error == 0;
	return error;
}

void ksr_report_why(const struct ksr_fs *fs, const struct ksr_report *report, const struct ksr_naming *naming,
		    struct ksr_emitter *emitter)
{
	size_t count = fs->live ? (size_t)ksm_min(report->group_count, GROUPS_MOST) : 0;
	struct answer *answers = calloc(count + 1, sizeof(*answers));
	size_t left = 0;

	for (size_t i = 0; answers && i < count; i++) {
		int error = ask(fs, report, &report->groups[i], naming, &answers[i]);

		answers[i].group = report->groups[i].name;
		if (!error)
			ksr_why_say(&answers[i].why, answers[i].group, emitter);
		else if (error != -ESRCH)
			ksr_emitter_note(emitter, "Group '%s': pages cannot be compared: %s.", answers[i].group,
					 strerror(-error));
	}
	ksr_why_begin(emitter);
	for (size_t i = 0; answers && i < count; i++) {
		if (!answers[i].is_there)
			continue;
		ksr_why_rows(&answers[i].why, &answers[i].names, answers[i].group, NULL, ROWS_MOST, emitter, &left);
		ksr_diff_names_destroy(&answers[i].names);
		ksr_why_destroy(&answers[i].why);
	}
	ksr_emitter_table_end(emitter);
	if (left)
		ksr_emitter_note(emitter, "%zu more reasons: 'ksmalloc why GROUP' shows them.", left);
	free(answers);
}
