/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `ksmalloc share`: asks a group's processes for a pass, and says what it has gained. What one process publishes the
 * others find in their next pass only, so that it asks again as long as that is of use.
 */
#define _GNU_SOURCE
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "share_ask.h"

#define WAIT_SECONDS 20
#define MOST_ROUNDS 4
#define PAUSE_NS 100000000

struct share_options {
	struct ksr_output output;
	uint64_t wait;
};

#define AT(member) offsetof(struct share_options, member)

static const struct ksr_option options[] = {
	{"wait", "SECONDS", "Wait so long for answers, at most (20).", KSR_OPTION_NUMBER, AT(wait), 3600},
	KSR_OUTPUT_OPTIONS("sizes are bytes", AT(output)),
};

static const char *const tables[] = {"processes", "totals"};

/* A process that was there at the beginning. */
struct member {
	pid_t pid;
	char command[64];
	uint32_t aside;
	bool is_gone;
	bool is_late; /* it has not answered the last request */
	uint64_t answered;
	struct ksmalloc_share_stats before;
	struct ksmalloc_share_stats now;
};

struct group {
	const struct ksr_fs *fs;
	struct ksr_report report; /* as of the beginning */
	struct member *members;
	size_t count;
};

static void look(struct group *group, struct member *member)
{
	struct ksr_snapshot snapshot;
	char why[KSR_WHY_BYTES];

	member->is_gone = ksr_snapshot_create(group->fs, member->pid, &snapshot, why) != 0;
	if (member->is_gone)
		return;
	member->aside = snapshot.header.share.aside;
	member->answered = snapshot.header.share.answered;
	member->now = snapshot.header.share.stats;
	ksr_snapshot_destroy(&snapshot);
}

static bool takes_part(const struct member *member)
{
	return !member->is_gone && (member->aside == KSMALLOC_ASIDE_NOT || member->aside == KSMALLOC_ASIDE_FILE_SIZE);
}

static int make_members(struct group *group)
{
	group->members = calloc(group->report.process_count + 1, sizeof(*group->members));
	if (!group->members)
		return -ENOMEM;
	for (size_t i = 0; i < group->report.process_count; i++) {
		const struct ksr_process *process = &group->report.processes[i];
		struct member *member = &group->members[group->count];

		if (!ksr_store_is_asked(&process->snapshot.header))
			continue;
		member->pid = process->snapshot.pid;
		memcpy(member->command, process->status.command, sizeof(member->command));
		look(group, member);
		member->before = member->now;
		group->count++;
	}
	return 0;
}

/* Any of them will do: all have one table. */
static int64_t ask(const struct group *group)
{
	int64_t request = -ENOENT;

	for (size_t i = 0; i < group->report.process_count && request < 0; i++) {
		const struct ksr_process *process = &group->report.processes[i];

		if (ksr_store_is_asked(&process->snapshot.header))
			request = ksr_share_ask(group->fs, process);
	}
	return request;
}

/* True if none is waited for. Numbers are compared for equality: who has written them is not trusted. */
static bool have_answered(struct group *group, uint64_t request)
{
	bool all = true;

	for (size_t i = 0; i < group->count; i++) {
		look(group, &group->members[i]);
		group->members[i].is_late = takes_part(&group->members[i]) && group->members[i].answered != request;
		all = all && !group->members[i].is_late;
	}
	return all;
}

static uint64_t gained_by(const struct member *member)
{
	return member->now.gained_bytes_total - ksm_min(member->before.gained_bytes_total, member->now.gained_bytes_total);
}

static uint64_t sum_of_gains(const struct group *group)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < group->count; i++)
		sum += gained_by(&group->members[i]);
	return sum;
}

static uint64_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

static void wait_for_answers(struct group *group, uint64_t request, uint64_t end)
{
	const struct timespec pause = {0, PAUSE_NS};

	while (!have_answered(group, request) && seconds_now() < end)
		nanosleep(&pause, NULL);
}

/* Asks until a round gains nothing; negative if nobody could be asked. */
static int64_t ask_until_done(struct group *group, uint64_t wait)
{
	uint64_t end = seconds_now() + wait;
	int64_t request = 0;

	for (int round = 0; round < MOST_ROUNDS && request >= 0; round++) {
		uint64_t before = sum_of_gains(group);

		request = ask(group);
		if (request >= 0)
			wait_for_answers(group, (uint64_t)request, end);
		/* The first round may only have marked what is equal. */
		if ((round && sum_of_gains(group) == before) || seconds_now() >= end)
			break;
	}
	return request;
}

/* --- what is shown ---------------------------------------------------------------------------- */

static const char *answer(const struct member *member)
{
	if (member->is_gone)
		return "has ended";
	if (!takes_part(member))
		return ksr_aside_words(member->aside);
	if (member->is_late)
		return "has not come by: it computes, or waits in a call in which nobody can ask it";
	return "has made a pass";
}

static void render_members(const struct group *group, struct ksr_emitter *emitter)
{
	static const struct ksr_column columns[] = {
		{"pid", "PID"}, {"command", "COMMAND"}, {"gained", "GAINED"}, {"shared", "SHARED"}, {"answer", "ANSWER"},
	};

	ksr_emitter_table_begin(emitter, "processes", columns, KSM_COUNT_OF(columns));
	for (size_t i = 0; i < group->count; i++) {
		const struct member *member = &group->members[i];
		struct ksr_cell cells[] = {
			ksr_cell_count((uint64_t)member->pid),		  ksr_cell_text(member->command),
			ksr_cell_bytes(gained_by(member)),
			ksr_cell_bytes(member->is_gone ? 0 : member->now.shared_bytes), ksr_cell_sentence(answer(member)),
		};

		ksr_emitter_row(emitter, cells);
	}
	ksr_emitter_table_end(emitter);
}

static void render_totals(const struct group *group, const struct ksr_totals *now, struct ksr_emitter *emitter)
{
	uint64_t us = 0;

	for (size_t i = 0; i < group->count; i++) {
		const struct member *member = &group->members[i];

		us += member->now.work_us_total - ksm_min(member->before.work_us_total, member->now.work_us_total);
	}
	ksr_emitter_section_begin(emitter, "totals");
	ksr_emitter_value(emitter, "gained", "own memory that is not needed any more", ksr_cell_bytes(sum_of_gains(group)));
	ksr_emitter_value(emitter, "shared", "shared by the group's store now", ksr_cell_bytes(now->shared));
	ksr_emitter_value(emitter, "store", "what the store takes", ksr_cell_bytes(now->store));
	ksr_emitter_value(emitter, "saved_by_sharing", "saved by sharing", ksr_cell_bytes(ksr_less(now->shared, now->store)));
	ksr_emitter_value(emitter, "milliseconds", "milliseconds that processes spent on it", ksr_cell_count(us / 1000));
	ksr_emitter_section_end(emitter);
}

static int show(const struct ksr_command *command, const struct share_options *chosen, const struct group *group,
		const struct ksr_selection *selection)
{
	struct ksr_emitter *emitter = ksr_emitter_create(&chosen->output, stdout);
	struct ksr_report now;
	int error;

	if (!emitter)
		return ksr_failure(command, "out of memory");
	render_members(group, emitter);
	error = ksr_report_create(group->fs, selection, &now);
	if (!error) {
		render_totals(group, &now.totals, emitter);
		ksr_report_destroy(&now);
	}
	error = ksr_emitter_finish(emitter);
	if (ksr_output_end(command, error))
		return KSR_EXIT_FAILED;
	for (size_t i = 0; i < group->count; i++) {
		if (!takes_part(&group->members[i]) || group->members[i].is_late)
			return KSR_EXIT_FINDINGS;
	}
	return KSR_EXIT_OK;
}

/* --- the command ------------------------------------------------------------------------------- */

static int share_group(const struct ksr_command *command, const struct share_options *chosen, const struct ksr_fs *fs,
		       const char *name)
{
	struct ksr_selection selection = {.groups = &name, .group_count = 1};
	struct group group = {.fs = fs};
	int error = ksr_report_create(fs, &selection, &group.report);
	int status;
	int64_t request;

	if (error)
		return ksr_failure(command, "cannot read processes: %s", strerror(-error));
	error = make_members(&group);
	if (error) {
		status = ksr_failure(command, "out of memory");
	} else if (group.count == 0) {
		ksr_failure(command, "no process of group '%s' that can be read was asked to share; start it with "
				     "'ksmalloc run --share --group=%s'", name, name);
		status = KSR_EXIT_FINDINGS;
	} else {
		request = ask_until_done(&group, chosen->wait);
		status = request < 0 ? ksr_failure(command, "the table of group '%s' cannot be written: %s", name,
						   strerror((int)-request)) :
				       show(command, chosen, &group, &selection);
	}
	free(group.members);
	ksr_report_destroy(&group.report);
	return status;
}

static int share_main(const struct ksr_command *command, int argc, char **argv)
{
	struct share_options chosen = {.wait = WAIT_SECONDS};
	struct ksr_fs fs;
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, NULL, &chosen, &status);

	if (first < 0)
		return status;
	if (first == argc)
		return ksr_usage_error(command, "a group is missing; 'ksmalloc report' shows those that there are");
	if (first + 1 < argc)
		return ksr_usage_error(command, "'%s' is one argument too many; give one group", argv[first + 1]);
	if (ksr_group_check(command, argv[first]))
		return KSR_EXIT_USAGE;
	if (ksr_fs_init(&fs, NULL))
		return ksr_failure(command, "cannot open /");
	status = share_group(command, &chosen, &fs, argv[first]);
	ksr_fs_fini(&fs);
	return status;
}

const struct ksr_command ksr_command_share = {
	.name = "share",
	.arguments = "GROUP",
	.summary = "Ask a group's processes to share now, and say what it gains",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.tables = tables,
	.table_count = KSM_COUNT_OF(tables),
	.main = share_main,
};
