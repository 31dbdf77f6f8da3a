/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc report`: what is saved, by whom, and where. */
#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "join/aggregate.h"
#include "prepare.h"
#include "report/forms.h"
#include "report/shift.h"
#include "report/why.h"
#include "selected.h"
#include "show/kernel.h"
#include "show/report.h"

struct report_options {
	struct ksr_render_options render;
	struct ksr_output output;
	struct ksr_form_choice form;
	const char *root;
	const char *by;
	struct ksr_name_options names;
	bool shifting;
	struct ksr_selected selected;
};

#define AT(member) offsetof(struct report_options, member)
#define FORM_OPTION(name, option, help) {option, NULL, help, KSR_OPTION_FORM, AT(output), KSR_FORMAT_##name},

static const struct ksr_option options[] = {
	{"all", NULL, "Read the processes of all users, not only the caller's.", KSR_OPTION_SWITCH,
	 AT(selected.selection.everyone), 0},
	{"group", "NAME", "Read the processes of this group; may be given several times.",
	 KSR_OPTION_OWN, 0, 0},
	KSR_FORMS(FORM_OPTION)
	{"table", "NAME", "Choose the table of --csv.", KSR_OPTION_TABLE, AT(output), 0},
	{"value", "VALUE", "Choose the value of --folded (default held).", KSR_OPTION_TEXT, AT(form.value), 0},
	{"save", "FILE", "Save the report, for 'ksmalloc compare'.", KSR_OPTION_TEXT, AT(form.save), 0},
	KSR_WIDTH_OPTION(AT(output)),
	{"frames", "N", "Show N lines of the stack below each site.", KSR_OPTION_NUMBER,
	 AT(render.frames), 0},
	{"sort", "COLUMN", "Sort by this column, highest first (default saved).", KSR_OPTION_TEXT,
	 AT(render.sort), 0},
	{"top", "N", "Show the first N sites only.", KSR_OPTION_NUMBER, AT(render.top), 0},
	{"why", NULL, "Say why memory is not saved, of each place and, as 'ksmalloc why' does, page by page.", KSR_OPTION_SWITCH, AT(render.why), 0},
	{"counters", NULL, "Show what a patched kernel counts for each site.", KSR_OPTION_SWITCH,
	 AT(render.counters), 0},
	{"by", "function|stack|file|module|language", "One row for each of these (default function).", KSR_OPTION_TEXT, AT(by), 0},
	{"details", NULL, "Show the tables of sites, regions, groups and totals instead.", KSR_OPTION_SWITCH,
	 AT(render.details), 0},
	KSR_NAME_OPTIONS(AT(names)),
	{"empty", NULL, "Show sites that hold no memory now, too.", KSR_OPTION_SWITCH,
	 AT(render.empty), 0},
	{"shifting", NULL,
	 "Compare two workers of each group: what share of pages differs because content moved.",
	 KSR_OPTION_SWITCH, AT(shifting), 0},
	{"root", "DIR", "Read proc and sys below DIR: a recorded tree.", KSR_OPTION_TEXT, AT(root),
	 0},
};

static const char *const tables[] = {"sites", "places", "summary", "kinds", "proposals", "regions",
				     "groups", "stores", "aside", "totals", "kernel", "shifting", "findings",
				     KSR_FORM_TABLES};

static int check_sort(const struct ksr_command *command, const char *sort)
{
	char columns[256];

	if (ksr_render_knows_column(sort))
		return 0;
	ksr_render_columns(columns, sizeof(columns));
	return ksr_usage_error(command, "--sort '%s' is no column; give one of %s", sort, columns);
}

static int check_by(const struct ksr_command *command, struct report_options *chosen)
{
	enum ksr_place_key key = 0;

	if (!chosen->by)
		return 0;
	while (key < KSR_PLACE_KEY_COUNT && strcmp(ksr_place_key_name(key), chosen->by) != 0)
		key++;
	chosen->render.by = key;
	if (key < KSR_PLACE_KEY_COUNT)
		return 0;
	return ksr_usage_error(command, "--by '%s' is no kind of row; give function, stack, file, module or language",
			       chosen->by);
}

/* These are about the tables of sites. */
static void choose_details(struct report_options *chosen)
{
	chosen->render.details = chosen->render.details || chosen->render.counters || chosen->render.empty ||
				 chosen->render.sort;
	if (!chosen->render.sort)
		chosen->render.sort = "saved";
}

/* --group is the only option that has no place in a struct. */
static int set(const struct ksr_command *command, size_t option, const char *value, void *user)
{
	(void)option;
	return ksr_selected_add_group(command, &((struct report_options *)user)->selected, value);
}

static int show(const struct ksr_command *command, const struct ksr_fs *fs,
		const struct report_options *chosen, const struct ksr_naming *naming, struct ksr_report *report)
{
	struct ksr_symbols *symbols = ksr_symbols_create_for(fs, naming);
	struct ksr_emitter *emitter = ksr_emitter_create(&chosen->output, stdout);
	int forms;
	int error;

	if (!symbols || !emitter) {
		ksr_symbols_destroy(symbols);
		return ksr_failure(command, "out of memory");
	}
	ksr_render_kernel(fs, &report->kernel, emitter);
	ksr_render_report(report, symbols, &chosen->render, emitter);
	if (chosen->shifting)
		ksr_render_shift(fs, report, emitter);
	if (chosen->render.why)
		ksr_report_why(fs, report, naming, emitter);
	forms = ksr_forms_write(command, fs, report, symbols, &chosen->form, emitter);
	error = ksr_emitter_finish(emitter);
	ksr_symbols_destroy(symbols);
	if (forms || ksr_output_end(command, error))
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
		      ? "ksmalloc report: no statistics can be read, see below\n"
		      : "ksmalloc report: no process with statistics was found; start programs with "
			"'ksmalloc run'\n",
	      stderr);
}

static int report_processes(const struct ksr_command *command, struct report_options *chosen,
			    const struct ksr_naming *naming)
{
	const struct ksr_selection *selection = &chosen->selected.selection;
	struct ksr_report report;
	struct ksr_fs fs;
	int error = ksr_fs_init(&fs, chosen->root);
	int status;

	if (error)
		return ksr_usage_error(command, "--root '%s': %s; give a folder with proc and sys",
				       chosen->root ? chosen->root : "/", strerror(-error));
	chosen->render.is_live = fs.live;
	error = ksr_report_create(&fs, selection, &report);
	if (error) {
		status = ksr_failure(command, "cannot read processes: %s", strerror(-error));
	} else {
		if (report.process_count == 0)
			say_none(selection, &report);
		status = show(command, &fs, chosen, naming, &report);
		ksr_report_destroy(&report);
	}
	ksr_fs_fini(&fs);
	return status;
}

static int name_and_report(const struct ksr_command *command, struct report_options *chosen)
{
	struct ksr_naming naming;
	struct ksr_text text;
	int status = ksr_naming_prepare(command, &chosen->names, &text, &naming);

	if (status)
		return status;
	status = report_processes(command, chosen, &naming);
	ksr_text_free(&text);
	return status;
}

static int parse_and_report(const struct ksr_command *command, int argc, char **argv,
			    struct report_options *chosen)
{
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, set, chosen, &status);

	if (first < 0)
		return status;
	choose_details(chosen);
	status = check_sort(command, chosen->render.sort);
	if (!status)
		status = ksr_forms_check(command, &chosen->output, chosen->render.top, &chosen->form);
	if (!status)
		status = check_by(command, chosen);
	if (!status)
		status = ksr_selected_add_all(command, &chosen->selected, argv + first, (size_t)(argc - first));
	return status ? status : name_and_report(command, chosen);
}

static int report_main(const struct ksr_command *command, int argc, char **argv)
{
	struct report_options chosen = {0};
	int status = ksr_selected_create(&chosen.selected, argc) ? ksr_failure(command, "out of memory") :
								     parse_and_report(command, argc, argv, &chosen);

	ksr_selected_destroy(&chosen.selected);
	return status;
}

const struct ksr_command ksr_command_report = {
	.name = "report",
	.arguments = "[PID...|GROUP...]",
	.summary = "Show what merging and sharing save, and where the memory is",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.tables = tables,
	.table_count = KSM_COUNT_OF(tables),
	.main = report_main,
};
