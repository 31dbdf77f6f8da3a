/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc compare`: what has changed between two reports. */
#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compare/render.h"
#include "join/aggregate.h"
#include "prepare.h"
#include "selected.h"
#include "show/draw.h"
#include "show/saved.h"

/* Rows of a table on a terminal, unless --top says another number. */
#define ROWS_OF_TEXT 20

struct compare_options {
	struct ksr_output output;
	uint64_t top;
	const char *sort;
	const char *root;
	struct ksr_name_options names;
	bool stacks;
	struct ksr_selected selected;
};

#define AT(member) offsetof(struct compare_options, member)

static const struct ksr_option options[] = {
	{"all", NULL, "Read the processes of all users, not only the caller's.", KSR_OPTION_SWITCH,
	 AT(selected.selection.everyone), 0},
	{"group", "NAME", "Compare with the processes of this group; may be given several times.", KSR_OPTION_OWN, 0, 0},
	KSR_OUTPUT_OPTIONS("sizes are bytes", AT(output)),
	{"sort", "VALUE", "Sort by the change of this value (default private).", KSR_OPTION_TEXT, AT(sort), 0},
	{"top", "N", "Show the first N origins only (text: 20).", KSR_OPTION_NUMBER, AT(top), 0},
	{"stacks", NULL, "Compare each stack by itself, also where several have one name.", KSR_OPTION_SWITCH, AT(stacks), 0},
	KSR_NAME_OPTIONS(AT(names)),
	{"root", "DIR", "Read proc and sys below DIR: a recorded tree.", KSR_OPTION_TEXT, AT(root), 0},
};

static const char *const tables[] = {"origins", "unshared", "groups", "totals", "compared"};

/* --group is the only option that has no place in a struct. */
static int set(const struct ksr_command *command, size_t option, const char *value, void *user)
{
	(void)option;
	return ksr_selected_add_group(command, &((struct compare_options *)user)->selected, value);
}

static int read_saved(const struct ksr_command *command, const char *path, struct ksr_picture *picture)
{
	char why[KSR_SAVED_WHY];

	if (ksr_saved_read(path, picture, why) == 0)
		return KSR_EXIT_OK;
	return ksr_failure(command, "'%s' %s", path, why);
}

static int draw_processes(const struct ksr_command *command, const struct compare_options *chosen,
			  const struct ksr_naming *naming, const struct ksr_fs *fs, struct ksr_picture *picture)
{
	struct ksr_symbols *symbols = ksr_symbols_create_for(fs, naming);
	struct ksr_report report;
	int error = symbols ? ksr_report_create(fs, &chosen->selected.selection, &report) : -ENOMEM;

	if (error) {
		ksr_symbols_destroy(symbols);
		return ksr_failure(command, "cannot read processes: %s", strerror(-error));
	}
	error = ksr_draw(fs, &report, symbols, picture);
	for (size_t i = 0; i < report.rejected_count; i++)
		(void)ksr_failure(command, "process %d: %s", (int)report.rejected[i].pid, report.rejected[i].why);
	if (!error && report.process_count == 0)
		(void)ksr_failure(command, "no process with statistics was found to compare with");
	ksr_report_destroy(&report);
	ksr_symbols_destroy(symbols);
	return error ? ksr_failure(command, "cannot add up the processes: %s", strerror(-error)) : KSR_EXIT_OK;
}

static int read_processes(const struct ksr_command *command, const struct compare_options *chosen,
			  struct ksr_picture *picture)
{
	struct ksr_naming naming;
	struct ksr_text text;
	struct ksr_fs fs;
	int status = ksr_naming_prepare(command, &chosen->names, &text, &naming);
	int error = status ? 0 : ksr_fs_init(&fs, chosen->root);

	if (status)
		return status;
	if (error) {
		status = ksr_usage_error(command, "--root '%s': %s; give a folder with proc and sys",
					 chosen->root ? chosen->root : "/", strerror(-error));
	} else {
		status = draw_processes(command, chosen, &naming, &fs, picture);
		ksr_fs_fini(&fs);
	}
	ksr_text_free(&text);
	return status;
}

static int show(const struct ksr_command *command, const struct compare_options *chosen,
		const struct ksr_compare_options *view, const struct ksr_picture pictures[2])
{
	struct ksr_comparison comparison;
	struct ksr_emitter *emitter = ksr_emitter_create(&chosen->output, stdout);
	int error = ksr_comparison_create(&pictures[0], &pictures[1], chosen->stacks, &comparison);
	int status;

	if (emitter && !error)
		ksr_render_comparison(&comparison, view, emitter);
	status = emitter ? ksr_emitter_finish(emitter) : -ENOMEM;
	ksr_comparison_destroy(&comparison);
	return error ? ksr_failure(command, "out of memory") : ksr_output_end(command, status);
}

/* A file if it is one; else a process or a group. */
static int sort_arguments(const struct ksr_command *command, struct compare_options *chosen, char **arguments,
			  size_t count, const char **file)
{
	struct stat status;
	int error = 0;

	*file = NULL;
	for (size_t i = 0; i < count && !error; i++) {
		if (i == 0 && (strchr(arguments[i], '/') || (stat(arguments[i], &status) == 0 && !S_ISDIR(status.st_mode))))
			*file = arguments[i];
		else
			error = ksr_selected_add(command, &chosen->selected, arguments[i]);
	}
	if (!error && *file && (chosen->selected.selection.pid_count || chosen->selected.selection.group_count))
		return ksr_usage_error(command, "'%s' is a second report; no processes are compared with it", *file);
	return error;
}

static int compare(const struct ksr_command *command, struct compare_options *chosen, char **arguments, size_t count)
{
	struct ksr_compare_options view = {.sort = KSR_VALUE_PRIVATE, .top = chosen->top};
	struct ksr_picture pictures[2] = {{.error = 0}, {.error = 0}};
	const char *file;
	int status;

	if (count == 0)
		return ksr_usage_error(command, "a saved report is missing; 'ksmalloc report --save FILE' makes one");
	if (chosen->sort && !ksr_value_find(chosen->sort, &view.sort))
		return ksr_usage_error(command, "--sort '%s' is no value; see 'ksmalloc compare --help'", chosen->sort);
	if (!view.top && chosen->output.format == KSR_FORMAT_TEXT)
		view.top = ROWS_OF_TEXT;
	status = sort_arguments(command, chosen, arguments + 1, count - 1, &file);
	if (!status && file && (chosen->names.machinery || chosen->names.sysroot || chosen->names.no_symbols))
		status = ksr_usage_error(command, "--machinery, --sysroot and --no-symbols are of no use for two saved reports: their names "
					 "were found when they were saved");
	if (!status)
		status = read_saved(command, arguments[0], &pictures[0]);
	if (!status)
		status = file ? read_saved(command, file, &pictures[1]) : read_processes(command, chosen, &pictures[1]);
	if (!status)
		status = show(command, chosen, &view, pictures);
	ksr_picture_fini(&pictures[0]);
	ksr_picture_fini(&pictures[1]);
	return status;
}

static int compare_main(const struct ksr_command *command, int argc, char **argv)
{
	struct compare_options chosen = {0};
	int status = KSR_EXIT_OK;
	int first;

	if (ksr_selected_create(&chosen.selected, argc)) {
		status = ksr_failure(command, "out of memory");
	} else {
		first = ksr_options_parse(command, argc, argv, set, &chosen, &status);
		if (first >= 0)
			status = compare(command, &chosen, argv + first, (size_t)(argc - first));
	}
	ksr_selected_destroy(&chosen.selected);
	return status;
}

const struct ksr_command ksr_command_compare = {
	.name = "compare",
	.arguments = "FILE [FILE|PID...|GROUP...]",
	.summary = "Show what has changed since a report was saved",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.tables = tables,
	.table_count = KSM_COUNT_OF(tables),
	.main = compare_main,
};
