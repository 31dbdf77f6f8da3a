/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `ksmalloc share`: asks a group's processes for a pass, and says what it has gained. What one process publishes the
 * others find in their next pass only, so that it asks again as long as that is of use.
 */
#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "join/aggregate.h"
#include "join/aside.h"
#include "read/clock.h"
#include "share/group.h"
#include "share/leaving.h"

#define WAIT_SECONDS 20
#define MOST_ROUNDS 20
/* Processes look for requests every 8 seconds at the latest: the next round does not wait for who has not by then. */
#define ROUND_SECONDS 9
#define PAUSE_NS 100000000
/* What is written now and then and becomes equal again is no reason for another round. */
#define LEAST_WORK (256 * 1024)
/* So many rounds without work are made while files are being left: who leaves them may wait for another one to publish. */
#define IDLE_ROUNDS 3

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

static void look(struct ksr_share_group *group, struct ksr_share_member *member)
{
	struct ksr_snapshot snapshot;
	char why[KSR_WHY_BYTES];

	member->is_gone = ksr_snapshot_create(group->fs, member->pid, &snapshot, why) != 0;
	if (member->is_gone)
		return;
	member->aside = snapshot.header.share.aside;
	member->answered = snapshot.header.share.answered;
	member->now = snapshot.header.share.stats;
	member->held = 0;
	memcpy(member->files, snapshot.header.share.files, sizeof(member->files));
	for (size_t i = 0; i < KSMALLOC_MAX_STORE_FILES; i++)
		member->held += member->files[i].inode ? member->files[i].bytes : 0;
	ksr_snapshot_destroy(&snapshot);
}

static bool takes_part(const struct ksr_share_member *member)
{
	return !member->is_gone && ksmalloc_aside_shares(member->aside);
}

/* Is its answer waited for? Of one with threads the keeper makes the pass, which may never have come so far. */
static bool is_awaited(const struct ksr_share_member *member)
{
	return takes_part(member) ||
	       (!member->is_gone && member->aside == KSMALLOC_ASIDE_THREADS && member->has_keeper);
}

static int make_members(struct ksr_share_group *group)
{
	group->members = calloc(group->report.process_count + 1, sizeof(*group->members));
	if (!group->members)
		return -ENOMEM;
	for (size_t i = 0; i < group->report.process_count; i++) {
		const struct ksr_process *process = &group->report.processes[i];
		struct ksr_share_member *member = &group->members[group->count];

		if (!ksr_store_is_asked(&process->snapshot.header))
			continue;
		member->process = process;
		member->pid = process->snapshot.pid;
		member->own_pid = (uint32_t)(process->status.inner_pid ? process->status.inner_pid : member->pid);
		memcpy(member->command, process->status.command, sizeof(member->command));
		member->has_keeper = ksr_share_has_keeper(group->fs, process);
		look(group, member);
		member->before = member->now;
		group->count++;
	}
	return 0;
}

/* --- asking ------------------------------------------------------------------------------------ */

static void note_request(struct ksr_share_member *member, const struct ksr_share_table *table, uint64_t request)
{
	if (!member->was_asked)
		member->first = request;
	member->request = request;
	member->table = *table;
	member->is_asked = member->was_asked = true;
}

/*
 * As a rule all have one table, which is asked once in a round. Not where users or containers have groups of one name,
 * or seeds were given by their paths.
 */
static int ask_by_table(const struct ksr_share_group *group, struct ksr_share_member *member)
{
	struct ksr_share_table table;
	bool is_done = false;
	int64_t request = ksr_share_table_open(group->fs, member->process, &table);

	if (request < 0)
		return (int)request;
	for (size_t i = 0; i < group->count && !is_done; i++) {
		is_done = group->members[i].is_asked && ksr_share_is_same(&group->members[i].table, &table);
		if (is_done)
			request = (int64_t)group->members[i].request;
	}
	if (!is_done)
		request = ksr_share_ask(&table);
	close(table.file);
	if (request < 0)
		return (int)request;
	note_request(member, &table, (uint64_t)request);
	return 0;
}

/* One that has overwritten its environment, as for a title, was asked by those that have its store. */
static void ask_by_sibling(const struct ksr_share_group *group, struct ksr_share_member *member)
{
	uint64_t store = member->process->snapshot.header.keeper.store;

	for (size_t i = 0; i < group->count && !member->is_asked; i++) {
		const struct ksr_share_member *other = &group->members[i];

		if (other->is_asked && other->process->snapshot.header.keeper.store == store)
			note_request(member, &other->table, other->request);
	}
}

/* Those that were not asked in this round; also such as stand aside: their keeper may come. */
static void ask(struct ksr_share_group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		struct ksr_share_member *member = &group->members[i];
		int error = member->is_asked || member->is_gone ? 0 : ask_by_table(group, member);

		group->error = error ? error : group->error;
	}
	for (size_t i = 0; i < group->count; i++)
		ask_by_sibling(group, &group->members[i]);
}

/* Others may have asked meanwhile. A process that answers what nobody has asked deceives about itself alone. */
static bool has_followed(const struct ksr_share_member *member, uint64_t request)
{
	return member->answered - request < UINT64_C(1) << 32;
}

static void look_at_all(struct ksr_share_group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		struct ksr_share_member *member = &group->members[i];

		look(group, member);
		member->has_passed |= member->was_asked && has_followed(member, member->first);
	}
}

static bool is_late(const struct ksr_share_member *member)
{
	return is_awaited(member) && !member->has_passed;
}

/* Nobody is waited for: in this round; or at all. */
static bool have_answered(const struct ksr_share_group *group)
{
	bool all = true;

	for (size_t i = 0; i < group->count; i++) {
		const struct ksr_share_member *member = &group->members[i];

		all = all && (!is_awaited(member) || (member->is_asked && has_followed(member, member->request)));
	}
	return all;
}

static bool have_passed(const struct ksr_share_group *group)
{
	bool all = true;

	for (size_t i = 0; i < group->count; i++)
		all = all && !is_late(&group->members[i]);
	return all;
}

static uint64_t gained_by(const struct ksr_share_member *member)
{
	return ksr_less(member->now.gained_bytes_total, member->before.gained_bytes_total);
}

static uint64_t sum_of_gains(const struct ksr_share_group *group)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < group->count; i++)
		sum += gained_by(&group->members[i]);
	return sum;
}

/* Of files that are given up a member lets go when it has left all of them. */
static uint64_t sum_of_files(const struct ksr_share_group *group)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < group->count; i++)
		sum += group->members[i].held;
	return sum;
}

/* --- rounds ----------------------------------------------------------------------------------- */

/* Bytes of own memory that is not needed any more, and of files that the others may follow in the next round. */
static uint64_t sum_of_work(const struct ksr_share_group *group)
{
	uint64_t sum = sum_of_gains(group);

	for (size_t i = 0; i < group->count; i++)
		sum += ksr_less(group->members[i].now.published_bytes_total, group->members[i].before.published_bytes_total);
	return sum;
}

/* Nobody could be asked, and time does not help. Where there is no table yet, or somebody has it, it does. */
static bool is_forbidden(const struct ksr_share_group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		if (group->members[i].was_asked)
			return false;
	}
	return group->error && group->error != -ENOENT && group->error != -EWOULDBLOCK;
}

static void wait_until(struct ksr_share_group *group, bool (*is_over)(const struct ksr_share_group *group), uint64_t end)
{
	const struct timespec pause = {0, PAUSE_NS};

	for (;;) {
		ask(group);
		look_at_all(group);
		if (is_over(group) || is_forbidden(group) || ksr_clock_seconds() >= end)
			return;
		nanosleep(&pause, NULL);
	}
}

/* One round. True if it has done something. */
static bool ask_once(struct ksr_share_group *group, uint64_t end)
{
	uint64_t before = sum_of_work(group), held = sum_of_files(group);

	for (size_t i = 0; i < group->count; i++)
		group->members[i].is_asked = false;
	wait_until(group, have_answered, ksm_min(end, ksr_clock_seconds() + ROUND_SECONDS));
	group->leaving = ksr_share_leaving(group);
	return sum_of_work(group) >= before + LEAST_WORK || sum_of_files(group) + LEAST_WORK <= held;
}

/*
 * Asks until a round does next to nothing, and then waits for those that have not come by at all. As long as files are being left
 * there are more rounds, since their memory is taken besides that of those that come after them.
 */
static void ask_until_done(struct ksr_share_group *group, uint64_t wait)
{
	uint64_t end = ksr_clock_seconds() + wait;
	int idle = 0;

	for (int round = 0; ksr_clock_seconds() < end; round++) {
		bool is_over = round + 1 >= MOST_ROUNDS && group->leaving == 0;

		idle = ask_once(group, end) ? 0 : idle + 1;
		/* The first round may only have marked what is equal. */
		if (is_over || (round && idle && group->leaving == 0) || idle > IDLE_ROUNDS)
			break;
	}
	wait_until(group, have_passed, end);
}

/* --- what is shown ---------------------------------------------------------------------------- */

struct answer {
	const char *key; /* for programs */
	const char *words;
};

static struct answer answer(const struct ksr_share_member *member)
{
	if (member->is_gone)
		return (struct answer){"ended", "has ended"};
	if (!takes_part(member))
		return (struct answer){ksr_aside_key(member->aside), ksr_aside_words(member->aside)};
	if (!is_late(member))
		return (struct answer){"passed", "has made a pass"};
	if (!member->was_asked)
		return (struct answer){"not_asked", "could not be asked: it has not begun to share, or its group's table "
						    "cannot be found"};
	return (struct answer){"late", "has not come by: it computes, or waits in a call in which nobody can ask it"};
}

static void render_members(const struct ksr_share_group *group, struct ksr_emitter *emitter)
{
	static const struct ksr_column columns[] = {
		{"pid", "PID"}, {"command", "COMMAND"}, {"gained", "GAINED"}, {"shared", "SHARED"},
		{"result", NULL}, {"answer", "ANSWER"},
	};

	ksr_emitter_table_begin(emitter, "processes", columns, KSM_COUNT_OF(columns));
	for (size_t i = 0; i < group->count; i++) {
		const struct ksr_share_member *member = &group->members[i];
		const struct answer said = answer(member);
		struct ksr_cell cells[] = {
			ksr_cell_count((uint64_t)member->pid),
			ksr_cell_text(member->command),
			ksr_cell_bytes(gained_by(member)),
			ksr_cell_bytes(member->is_gone ? 0 : member->now.shared_bytes),
			ksr_cell_text(said.key),
			ksr_cell_sentence(said.words),
		};

		ksr_emitter_row(emitter, cells);
	}
	ksr_emitter_table_end(emitter);
}

static void render_totals(const struct ksr_share_group *group, const struct ksr_totals *now, struct ksr_emitter *emitter)
{
	uint64_t us = 0;

	for (size_t i = 0; i < group->count; i++) {
		const struct ksr_share_member *member = &group->members[i];

		us += ksr_less(member->now.work_us_total, member->before.work_us_total);
	}
	ksr_emitter_section_begin(emitter, "totals");
	ksr_emitter_value(emitter, "gained", "own memory that is not needed any more", ksr_cell_bytes(sum_of_gains(group)));
	ksr_emitter_value(emitter, "shared", "shared by the group's store now", ksr_cell_bytes(now->shared));
	ksr_emitter_value(emitter, "store", "what the store takes", ksr_cell_bytes(now->store));
	ksr_emitter_value(emitter, "saved_by_sharing", "saved by sharing", ksr_cell_bytes(ksr_less(now->shared, now->store)));
	ksr_emitter_value(emitter, "leaving", "of the store, files that processes are leaving: they take memory until all have",
			  ksr_cell_bytes(ksm_min(group->leaving, now->store)));
	ksr_emitter_value(emitter, "milliseconds", "milliseconds that processes spent on it", ksr_cell_count(us / 1000));
	ksr_emitter_section_end(emitter);
}

static int show(const struct ksr_command *command, const struct share_options *chosen, const struct ksr_share_group *group,
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
		if (!takes_part(&group->members[i]) || is_late(&group->members[i]))
			return KSR_EXIT_FINDINGS;
	}
	return KSR_EXIT_OK;
}

/* --- the command ------------------------------------------------------------------------------- */

static int share_group(const struct ksr_command *command, const struct share_options *chosen, const struct ksr_fs *fs,
		       const char *name)
{
	struct ksr_selection selection = {.groups = &name, .group_count = 1};
	struct ksr_share_group group = {.fs = fs};
	int error = ksr_report_create(fs, &selection, &group.report);
	int status;

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
		ask_until_done(&group, chosen->wait);
		status = is_forbidden(&group) ? ksr_failure(command, "the table of group '%s' cannot be written: %s", name,
							    strerror(-group.error)) :
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
