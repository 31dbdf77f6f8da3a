/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc report`: savings per allocation site. */
#define _GNU_SOURCE
#include "command.h"

#include <stdlib.h>
#include <string.h>

#include "render.h"

struct report_options {
	struct ksr_render_options render;
	enum ksr_format format;
	const char *root;
	bool everyone;
	bool no_symbols;
};

#define AT(member) offsetof(struct report_options, member)

static const struct ksr_option options[] = {
	{"all", NULL, "Read the processes of all users, not only the caller's.", KSR_OPTION_SWITCH,
	 AT(everyone), 0},
	{"json", NULL, "Write JSON; sizes are bytes.", KSR_OPTION_JSON, AT(format), 0},
	{"csv", NULL, "Write CSV; sizes are bytes.", KSR_OPTION_CSV, AT(format), 0},
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
	{"root", "DIR", "Read proc and sys below DIR: a recorded tree.", KSR_OPTION_TEXT, AT(root),
	 0},
};

static int check_sort(const struct ksr_command *command, const char *sort)
{
	char columns[256];

	if (ksr_render_knows_column(sort))
		return 0;
	ksr_render_columns(columns, sizeof(columns));
	return ksr_usage_error(command, "--sort '%s' is no column; give one of %s", sort, columns);
}

/* Digits are processes, everything else names groups. The arrays have room for all arguments. */
static void sort_arguments(char **arguments, size_t count, pid_t *pids, const char **groups,
			   struct ksr_selection *selection)
{
	for (size_t i = 0; i < count; i++) {
		if (ksr_parse_pid(arguments[i], &pids[selection->pid_count]))
			selection->pid_count++;
		else
			groups[selection->group_count++] = arguments[i];
	}
	selection->pids = pids;
	selection->groups = groups;
}

static int show(const struct ksr_command *command, const struct ksr_fs *fs,
		const struct report_options *chosen, struct ksr_report *report)
{
	struct ksr_symbols *symbols = ksr_symbols_create(fs, !chosen->no_symbols);
	struct ksr_emitter *emitter = ksr_emitter_create(chosen->format, stdout);
	int error;

	if (!symbols || !emitter) {
		ksr_symbols_destroy(symbols);
		return ksr_failure(command, "out of memory");
	}
	ksr_render_report(report, symbols, &chosen->render, emitter);
	error = ksr_emitter_finish(emitter);
	ksr_symbols_destroy(symbols);
	if (error)
		return ksr_failure(command, "cannot write the report: %s", strerror(-error));
	return report->process_count ? KSR_EXIT_OK : KSR_EXIT_FINDINGS;
}

/* Of processes that were named by number there are notes already. */
static void say_none(const struct ksr_selection *selection, const struct ksr_report *report)
{
	for (size_t i = 0; i < selection->group_count; i++)
		fprintf(stderr,
			"ksmalloc report: no process of group '%s' was found%s; 'ksmalloc report' "
			"shows those of all groups\n",
			selection->groups[i],
			report->unreadable ? " among those that can be read" : "");
	if (selection->pid_count || selection->group_count)
		return;
	fputs(report->rejected_count
		      ? "ksmalloc report: no segment can be read, see below\n"
		      : "ksmalloc report: no process with a segment was found; start programs with "
			"'ksmalloc run'\n",
	      stderr);
}

static int report_processes(const struct ksr_command *command, const struct report_options *chosen,
			    const struct ksr_selection *selection)
{
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

static int report_main(const struct ksr_command *command, int argc, char **argv)
{
	struct report_options chosen = {.render = {.sort = "saved"}};
	struct ksr_selection selection = {0};
	const char **groups;
	int status = 0;
	pid_t *pids;
	int first;

	first = ksr_options_parse(command, argc, argv, NULL, &chosen, &status);
	if (first < 0)
		return status;
	status = check_sort(command, chosen.render.sort);
	if (status)
		return status;
	pids = calloc((size_t)(argc - first) + 1, sizeof(*pids));
	groups = calloc((size_t)(argc - first) + 1, sizeof(*groups));
	if (pids && groups) {
		sort_arguments(argv + first, (size_t)(argc - first), pids, groups, &selection);
		selection.everyone = chosen.everyone;
		status = report_processes(command, &chosen, &selection);
	} else {
		status = ksr_failure(command, "out of memory");
	}
	free(pids);
	free(groups);
	return status;
}

const struct ksr_command ksr_command_report = {
	.name = "report",
	.arguments = "[PID...|GROUP...]",
	.summary = "Show what merging saves, per allocation site",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.main = report_main,
};
