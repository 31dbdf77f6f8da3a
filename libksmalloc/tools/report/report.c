/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc report`: savings per allocation site. */
#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "join/aggregate.h"
#include "report/shift.h"
#include "show/kernel.h"
#include "show/report.h"

struct report_options {
	struct ksr_render_options render;
	struct ksr_output output;
	const char *root;
	bool no_symbols;
	bool shifting;
	struct ksr_selection selection;
	/* What the selection points to, with room for all words of the command line. */
	pid_t *pids;
	const char **groups;
};

#define AT(member) offsetof(struct report_options, member)

static const struct ksr_option options[] = {
	{"all", NULL, "Read the processes of all users, not only the caller's.", KSR_OPTION_SWITCH,
	 AT(selection.everyone), 0},
	{"group", "NAME", "Read the processes of this group; may be given several times.",
	 KSR_OPTION_OWN, 0, 0},
	KSR_OUTPUT_OPTIONS("sizes are bytes", AT(output)),
	{"frames", "N", "Show N lines of the stack below each site.", KSR_OPTION_NUMBER,
	 AT(render.frames), 0},
	{"sort", "COLUMN", "Sort by this column, highest first (default saved).", KSR_OPTION_TEXT,
	 AT(render.sort), 0},
	{"top", "N", "Show the first N sites only.", KSR_OPTION_NUMBER, AT(render.top), 0},
	{"no-symbols", NULL, "Open no program files; show module+0xoffset.", KSR_OPTION_SWITCH,
	 AT(no_symbols), 0},
	{"why", NULL, "Say why a site does not merge.", KSR_OPTION_SWITCH, AT(render.why), 0},
	{"counters", NULL, "Show what a patched kernel counts for each site.", KSR_OPTION_SWITCH,
	 AT(render.counters), 0},
	{"empty", NULL, "Show sites that hold no memory now, too.", KSR_OPTION_SWITCH,
	 AT(render.empty), 0},
	{"shifting", NULL,
	 "Compare two workers of each group: what share of pages differs because content moved.",
	 KSR_OPTION_SWITCH, AT(shifting), 0},
	{"root", "DIR", "Read proc and sys below DIR: a recorded tree.", KSR_OPTION_TEXT, AT(root),
	 0},
};

static const char *const tables[] = {"sites", "regions", "groups", "stores", "aside", "totals", "kernel", "shifting"};

static int check_sort(const struct ksr_command *command, const char *sort)
{
	char columns[256];

	if (ksr_render_knows_column(sort))
		return 0;
	ksr_render_columns(columns, sizeof(columns));
	return ksr_usage_error(command, "--sort '%s' is no column; give one of %s", sort, columns);
}

static int add_group(const struct ksr_command *command, struct report_options *chosen,
		     const char *name)
{
	chosen->groups[chosen->selection.group_count++] = name;
	return ksr_group_check(command, name);
}

/* --group is the only option that has no place in a struct. */
static int set(const struct ksr_command *command, size_t option, const char *value, void *user)
{
	(void)option;
	return add_group(command, user, value);
}

/* Digits are processes, everything else names groups. */
static int sort_arguments(const struct ksr_command *command, struct report_options *chosen,
			  char **arguments, size_t count)
{
	struct ksr_selection *selection = &chosen->selection;
	int status = 0;

	for (size_t i = 0; i < count && !status; i++) {
		if (ksr_parse_pid(arguments[i], &chosen->pids[selection->pid_count]))
			selection->pid_count++;
		else
			status = add_group(command, chosen, arguments[i]);
	}
	selection->pids = chosen->pids;
	selection->groups = chosen->groups;
	return status;
}

static int show(const struct ksr_command *command, const struct ksr_fs *fs,
		const struct report_options *chosen, struct ksr_report *report)
{
	struct ksr_symbols *symbols = ksr_symbols_create(fs, !chosen->no_symbols);
	struct ksr_emitter *emitter = ksr_emitter_create(&chosen->output, stdout);
	int error;

	if (!symbols || !emitter) {
		ksr_symbols_destroy(symbols);
		return ksr_failure(command, "out of memory");
	}
	ksr_render_kernel(fs, &report->kernel, emitter);
	ksr_render_report(report, symbols, &chosen->render, emitter);
	if (chosen->shifting)
		ksr_render_shift(fs, report, emitter);
	error = ksr_emitter_finish(emitter);
	ksr_symbols_destroy(symbols);
	if (ksr_output_end(command, error))
		return KSR_EXIT_FAILED;
	return report->process_count ? KSR_EXIT_OK : KSR_EXIT_FINDINGS;
}

/* Of processes that were named by number there are notes, but a number may be meant as a name. */
static void say_none(const struct ksr_selection *selection, const struct ksr_report *report)
{
	for (size_t i = 0; i < selection->group_count; i++)
		fprintf(stderr,
			"ksmalloc report: no process of group '%s' was found%s; 'ksmalloc report' "
			"shows those of all groups\n",
			selection->groups[i],
			report->unreadable ? " among those that can be read" : "");
	for (size_t i = 0; i < report->rejected_count && selection->pid_count; i++) {
		if (report->rejected[i].error == -ESRCH)
			fprintf(stderr,
				"ksmalloc report: numbers are processes; a group of that name is "
				"--group=%d\n",
				(int)report->rejected[i].pid);
	}
	if (selection->pid_count || selection->group_count)
		return;
	fputs(report->rejected_count
		      ? "ksmalloc report: no segment can be read, see below\n"
		      : "ksmalloc report: no process with a segment was found; start programs with "
			"'ksmalloc run'\n",
	      stderr);
}

static int report_processes(const struct ksr_command *command, const struct report_options *chosen)
{
	const struct ksr_selection *selection = &chosen->selection;
	struct ksr_report report;
	struct ksr_fs fs;
	int error = ksr_fs_init(&fs, chosen->root);
	int status;

	if (error)
		return ksr_usage_error(command, "--root '%s': %s; give a folder with proc and sys",
				       chosen->root ? chosen->root : "/", strerror(-error));
	error = ksr_report_create(&fs, selection, &report);
	if (error) {
		status = ksr_failure(command, "cannot read processes: %s", strerror(-error));
	} else {
		if (report.process_count == 0)
			say_none(selection, &report);
		status = show(command, &fs, chosen, &report);
		ksr_report_destroy(&report);
	}
	ksr_fs_fini(&fs);
	return status;
}

static int parse_and_report(const struct ksr_command *command, int argc, char **argv,
			    struct report_options *chosen)
{
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, set, chosen, &status);

	if (first < 0)
		return status;
	status = check_sort(command, chosen->render.sort);
	if (!status)
		status = sort_arguments(command, chosen, argv + first, (size_t)(argc - first));
	return status ? status : report_processes(command, chosen);
}

static int report_main(const struct ksr_command *command, int argc, char **argv)
{
	struct report_options chosen = {.render = {.sort = "saved"}};
	int status;

	chosen.pids = calloc((size_t)argc + 1, sizeof(*chosen.pids));
	chosen.groups = calloc((size_t)argc + 1, sizeof(*chosen.groups));
	if (chosen.pids && chosen.groups)
		status = parse_and_report(command, argc, argv, &chosen);
	else
		status = ksr_failure(command, "out of memory");
	free(chosen.pids);
	free(chosen.groups);
	return status;
}

const struct ksr_command ksr_command_report = {
	.name = "report",
	.arguments = "[PID...|GROUP...]",
	.summary = "Show what merging saves, per allocation site",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.tables = tables,
	.table_count = KSM_COUNT_OF(tables),
	.main = report_main,
};
