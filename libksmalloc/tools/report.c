/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc report`: savings per allocation site. */
#define _GNU_SOURCE
#include "command.h"

#include <stdlib.h>
#include <string.h>

#include "render.h"

enum option_id {
	OPTION_ALL,
	OPTION_JSON,
	OPTION_CSV,
	OPTION_FRAMES,
	OPTION_SORT,
	OPTION_TOP,
	OPTION_NO_SYMBOLS,
	OPTION_WHY,
	OPTION_COUNTERS,
	OPTION_EMPTY,
	OPTION_ROOT,
};

static const struct ksr_option options[] = {
	[OPTION_ALL] = {"all", NULL, "Read the processes of all users, not only the caller's."},
	[OPTION_JSON] = {"json", NULL, "Write JSON; sizes are bytes."},
	[OPTION_CSV] = {"csv", NULL, "Write CSV; sizes are bytes."},
	[OPTION_FRAMES] = {"frames", "N", "Show N lines of the stack below each site."},
	[OPTION_SORT] = {"sort", "COLUMN", "Sort by this column, highest first (default saved)."},
	[OPTION_TOP] = {"top", "N", "Show the first N sites only."},
	[OPTION_NO_SYMBOLS] = {"no-symbols", NULL, "Open no program files; show module+0xoffset."},
	[OPTION_WHY] = {"why", NULL, "Say why a site does not merge."},
	[OPTION_COUNTERS] = {"counters", NULL, "Show what a patched kernel counts for each site."},
	[OPTION_EMPTY] = {"empty", NULL, "Show sites that hold no memory now, too."},
	[OPTION_ROOT] = {"root", "DIR", "Read proc and sys below DIR: a recorded tree."},
};

struct report_options {
	struct ksr_render_options render;
	enum ksr_format format;
	const char *root;
	bool everyone;
	bool no_symbols;
};

static int set_number(const struct ksr_command *command, size_t option, const char *value,
		      uint64_t *number)
{
	if (ksr_parse_number(value, number))
		return 0;
	return ksr_usage_error(command, "--%s '%s' is not a number; give a whole number from 1 on",
			       options[option].name, value);
}

static int set_sort(const struct ksr_command *command, const char *value,
		    struct report_options *chosen)
{
	char columns[256];

	chosen->render.sort = value;
	if (ksr_render_knows_column(value))
		return 0;
	ksr_render_columns(columns, sizeof(columns));
	return ksr_usage_error(command, "--sort '%s' is no column; give one of %s", value, columns);
}

static int set(const struct ksr_command *command, size_t option, const char *value, void *user)
{
	struct report_options *chosen = user;

	switch ((enum option_id)option) {
	case OPTION_ALL:
		chosen->everyone = true;
		break;
	case OPTION_JSON:
		chosen->format = KSR_FORMAT_JSON;
		break;
	case OPTION_CSV:
		chosen->format = KSR_FORMAT_CSV;
		break;
	case OPTION_FRAMES:
		return set_number(command, option, value, &chosen->render.frames);
	case OPTION_SORT:
		return set_sort(command, value, chosen);
	case OPTION_TOP:
		return set_number(command, option, value, &chosen->render.top);
	case OPTION_NO_SYMBOLS:
		chosen->no_symbols = true;
		break;
	case OPTION_WHY:
		chosen->render.why = true;
		break;
	case OPTION_COUNTERS:
		chosen->render.counters = true;
		break;
	case OPTION_EMPTY:
		chosen->render.empty = true;
		break;
	case OPTION_ROOT:
		chosen->root = value;
		break;
	}
	return 0;
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
			fputs("ksmalloc report: no process with a segment was found; start "
			      "programs "
			      "with 'ksmalloc run'\n",
			      stderr);
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

	first = ksr_options_parse(command, argc, argv, set, &chosen, &status);
	if (first < 0)
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
