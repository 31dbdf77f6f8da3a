/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc why`: why a group's memory is not saved, what each reason is worth, and what to do. */
#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "join/aggregate.h"
#include "prepare.h"
#include "selected.h"
#include "show/kernel.h"
#include "show/why.h"

#define DEFAULT_SECONDS 2
#define DEFAULT_TOP 20

struct why_options {
	struct ksr_output output;
	uint64_t seconds;
	uint64_t top;
	struct ksr_name_options names;
};

#define AT(member) offsetof(struct why_options, member)

static const struct ksr_option options[] = {
	KSR_OUTPUT_OPTIONS("sizes are bytes", AT(output)),
	{"seconds", "N", "Look again after N seconds at what is written and freed (2).", KSR_OPTION_NUMBER, AT(seconds),
	 3600},
	{"top", "N", "Show the first N reasons (20).", KSR_OPTION_NUMBER, AT(top), 1000000},
	KSR_NAME_OPTIONS(AT(names)),
};

static const char *const tables[] = {"findings", "kernel"};

/* What was asked for. */
struct question {
	const struct ksr_command *command;
	const struct why_options *chosen;
	const struct ksr_fs *fs;
	const struct ksr_naming *naming;
	const char *group; /* empty: processes were named by number */
	const char *place; /* NULL: all */
};

static int show(const struct question *question, const struct ksr_report *report, const struct ksr_why *why)
{
	struct ksr_emitter *emitter = ksr_emitter_create(&question->chosen->output, stdout);
	struct ksr_diff_names names;
	size_t shown = 0;
	size_t left = 0;

	if (!emitter || ksr_diff_names_create(question->fs, &why->diff, question->naming, &names)) {
		if (emitter)
			(void)ksr_emitter_finish(emitter);
		return ksr_failure(question->command, "out of memory");
	}
	ksr_render_kernel(question->fs, &report->kernel, emitter);
	ksr_why_say(why, question->group, emitter);
	ksr_why_begin(emitter);
	shown = ksr_why_rows(why, &names, question->group, question->place, (size_t)question->chosen->top, emitter, &left);
	ksr_emitter_table_end(emitter);
	if (left)
		ksr_emitter_note(emitter, "%zu reasons of less are not shown (--top).", left);
	if (!shown)
		ksr_emitter_note(emitter, question->place ? "No reason was found for such a place." :
							    "No reason was found: all that is equal is saved.");
	ksr_diff_names_destroy(&names);
	if (ksr_output_end(question->command, ksr_emitter_finish(emitter)))
		return KSR_EXIT_FAILED;
	return shown ? KSR_EXIT_OK : KSR_EXIT_FINDINGS;
}

static int fail(const struct question *question, const struct ksr_report *report, int error)
{
	for (size_t i = 0; i < report->rejected_count; i++)
		fprintf(stderr, "ksmalloc why: process %d: %s\n", (int)report->rejected[i].pid, report->rejected[i].why);
	if (report->process_count == 0)
		return ksr_failure(question->command, "no process was found that can be read; start programs with 'ksmalloc "
				   "run --group=NAME', and see 'ksmalloc report'");
	if (error == -ESRCH)
		return ksr_failure(question->command, "there are no two processes of a kind to compare; start a second worker");
	return ksr_failure(question->command, "cannot read memory: %s; run it as the user of these processes, or as root",
			   strerror(-error));
}

static int answer(const struct question *question, const struct ksr_selection *selection)
{
	struct ksr_report report;
	struct ksr_why why;
	pid_t *pids;
	int error = ksr_report_create(question->fs, selection, &report);
	int status;

	if (error)
		return ksr_failure(question->command, "cannot read processes: %s", strerror(-error));
	pids = calloc(report.process_count + 1, sizeof(*pids));
	for (size_t i = 0; pids && i < report.process_count; i++)
		pids[i] = report.processes[i].snapshot.pid;
	error = pids ? ksr_why_create(question->fs, &report, pids, report.process_count, question->chosen->seconds * 1000,
				      &why) : -ENOMEM;
	if (error) {
		status = fail(question, &report, error);
	} else {
		status = show(question, &report, &why);
		ksr_why_destroy(&why);
	}
	free(pids);
	ksr_report_destroy(&report);
	return status;
}

/* GROUP [PLACE], or PID PID... [PLACE]. */
static int ask(struct question *question, char **words, size_t count)
{
	struct ksr_selected selected;
	struct ksr_fs fs;
	size_t used = 0;
	int status = 0;

	if (ksr_selected_create(&selected, (int)count) || ksr_fs_init(&fs, NULL)) {
		ksr_selected_destroy(&selected);
		return ksr_failure(question->command, "cannot open /, or out of memory");
	}
	question->fs = &fs;
	while (used < count && ksr_selected_add_process(&selected, words[used]))
		used++;
	if (used == 0) {
		status = ksr_selected_add_group(question->command, &selected, words[0]);
		question->group = words[0];
		used = 1;
	}
	if (!status && count > used + 1)
		status = ksr_usage_error(question->command, "'%s' is one argument too many; give a group and one place",
					 words[used + 1]);
	question->place = count > used ? words[used] : NULL;
	if (!status)
		status = answer(question, &selected.selection);
	ksr_fs_fini(&fs);
	ksr_selected_destroy(&selected);
	return status;
}

static int why_main(const struct ksr_command *command, int argc, char **argv)
{
	struct why_options chosen = {.seconds = DEFAULT_SECONDS, .top = DEFAULT_TOP};
	struct question question = {.command = command, .chosen = &chosen, .group = ""};
	struct ksr_naming naming;
	struct ksr_text text;
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, NULL, &chosen, &status);

	if (first < 0)
		return status;
	if (first == argc)
		return ksr_usage_error(command, "a group is missing; give its name, or two PIDs");
	status = ksr_naming_prepare(command, &chosen.names, &text, &naming);
	if (status)
		return status;
	question.naming = &naming;
	status = ask(&question, argv + first, (size_t)(argc - first));
	ksr_text_free(&text);
	return status;
}

const struct ksr_command ksr_command_why = {
	.name = "why",
	.arguments = "GROUP [PLACE]",
	.summary = "Say why memory is not saved, what that is worth, and what to do",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.tables = tables,
	.table_count = KSM_COUNT_OF(tables),
	.main = why_main,
};
