/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc diff`: why the pages of two workers differ. */
#define _GNU_SOURCE
#include "commands.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diff/render.h"
#include "diff/stop.h"
#include "pages/events.h"
#include "pages/folders.h"
#include "pages/scan.h"
#include "prepare.h"
#include "read/kernel.h"
#include "show/causes.h"
#include "show/kernel.h"

#define DEFAULT_TOP 10

struct diff_options {
	struct ksr_output output;
	const char *site;
	uint64_t top;
	uint64_t few;
	bool stop;
	struct ksr_name_options names;
	struct ksr_naming naming; /* what these come to */
};

#define AT(member) offsetof(struct diff_options, member)

static const struct ksr_option options[] = {
	KSR_OUTPUT_OPTIONS("figures are pages and words", AT(output)),
	{"top", "N", "Show the first N reasons and variables (10).", KSR_OPTION_NUMBER, AT(top),
	 1000000},
	{"site", "TEXT", "Compare only sites and regions whose name has TEXT.", KSR_OPTION_TEXT,
	 AT(site), 0},
	{"few", "N", "Call it few words up to N words of 8 bytes (16).", KSR_OPTION_NUMBER, AT(few),
	 256},
	KSR_NAME_OPTIONS(AT(names)),
	{"stop", NULL, "Stop both processes while they are read.", KSR_OPTION_SWITCH, AT(stop), 0},
};

static const char *const tables[] = {"rows",	  "first",  "events", "reasons",
				     "variables", "totals", "kernel"};

/* true when a row has the text in its name or is the site of that id. */
static bool choose_rows(struct ksr_diff *diff, const struct ksr_diff_names *names, const char *text)
{
	bool any = false;

	for (size_t i = 0; i < diff->row_count; i++) {
		struct ksr_diff_row *row = &diff->rows[i];
		char id[24];

		snprintf(id, sizeof(id), "%012" PRIx64, row->id);
		row->wanted = strstr(names->rows[i], text) ||
			      (row->kind == KSR_REGION_SITE && strcmp(id, text) == 0);
		any = any || row->wanted;
	}
	return any;
}

/* Before all figures, since it explains most of them. */
static void note_folder(const struct ksr_fs *fs, const struct ksr_diff *diff,
			struct ksr_emitter *emitter)
{
	struct ksr_folder_change change;
	char text[PATH_MAX + 256];

	if (!ksr_folder_changed(fs, diff->spaces, 2, &change))
		return;
	ksr_folder_change_text(&change, text, sizeof(text));
	text[0] = (char)toupper((unsigned char)text[0]);
	ksr_emitter_note(emitter, "%s. To do: %s.", text, ksr_folder_advice);
}

static int show(const struct ksr_command *command, const struct diff_options *chosen,
		const struct ksr_fs *fs, const struct ksr_diff *diff, struct ksr_diff_names *names)
{
	struct ksr_emitter *emitter = ksr_emitter_create(&chosen->output, stdout);
	struct ksr_kernel kernel;

	if (!emitter)
		return ksr_failure(command, "out of memory");
	ksr_kernel_read(fs, &kernel);
	ksr_render_kernel(fs, &kernel, emitter);
	note_folder(fs, diff, emitter);
	ksr_diff_render(diff, names, chosen->top, emitter);
	return ksr_output_end(command, ksr_emitter_finish(emitter));
}

static int show_scanned(const struct ksr_command *command, const struct diff_options *chosen,
			const struct ksr_fs *fs, const struct ksr_diff *diff)
{
	struct ksr_diff_names names;
	int status;

	if (ksr_diff_names_create(fs, diff, &chosen->naming, &names))
		return ksr_failure(command, "out of memory");
	status = show(command, chosen, fs, diff, &names);
	ksr_diff_names_destroy(&names);
	return status;
}

/* Names are needed before the scan only where they choose what is compared. */
static int choose(const struct ksr_command *command, const struct diff_options *chosen,
		  const struct ksr_fs *fs, struct ksr_diff *diff)
{
	struct ksr_diff_names names;
	bool any;

	if (!chosen->site)
		return 0;
	if (ksr_diff_names_create(fs, diff, &chosen->naming, &names))
		return ksr_failure(command, "out of memory");
	any = choose_rows(diff, &names, chosen->site);
	ksr_diff_names_destroy(&names);
	if (any)
		return 0;
	return ksr_usage_error(command, "--site '%s' is in no name; leave it away to see them all",
			       chosen->site);
}

static int scan(const struct ksr_command *command, const struct diff_options *chosen,
		const struct ksr_fs *fs, struct ksr_diff *diff)
{
	int status = choose(command, chosen, fs, diff);
	int error;

	if (status)
		return status;
	diff->few = chosen->few;
	error = ksr_events_create(fs, diff->spaces, &diff->events);
	if (!error)
		error = ksr_diff_scan_places(fs, diff);
	/* Symbols and types take longer than the memory: nobody stands still for them. */
	ksr_continue_processes();
	if (error)
		return ksr_failure(command, "cannot read memory: %s", strerror(-error));
	return show_scanned(command, chosen, fs, diff);
}

/* Memory needs more rights than what was read so far, where Yama restricts ptrace. */
static int check_memory(const struct ksr_command *command, const struct ksr_fs *fs, pid_t pid)
{
	int fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/mem", (int)pid);
	char why[KSR_WHY_BYTES];

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	ksr_process_why(fs, pid, fd, why);
	return ksr_failure(command, "process %d: %s", (int)pid, why);
}

static int compare(const struct ksr_command *command, const struct diff_options *chosen,
		   const struct ksr_fs *fs, const pid_t pids[2])
{
	struct ksr_space spaces[2] = {0};
	char why[KSR_WHY_BYTES];
	struct ksr_diff diff;
	int status = 0;
	int created = 0;

	while (created < 2 && !status) {
		if (ksr_space_create(fs, pids[created], &spaces[created], why))
			status = ksr_failure(command, "process %d: %s", (int)pids[created], why);
		else
			created++;
	}
	for (int i = 0; i < 2 && !status; i++)
		status = check_memory(command, fs, pids[i]);
	if (!status && ksr_diff_create(&spaces[0], &spaces[1], &diff))
		status = ksr_failure(command, "out of memory");
	else if (!status) {
		status = scan(command, chosen, fs, &diff);
		ksr_diff_destroy(&diff);
	}
	while (created > 0)
		ksr_space_destroy(&spaces[--created]);
	return status;
}

static int stop_and_compare(const struct ksr_command *command, const struct diff_options *chosen,
			    const pid_t pids[2])
{
	struct ksr_fs fs;
	int error = ksr_fs_init(&fs, NULL);
	int status;

	if (error)
		return ksr_failure(command, "cannot open /: %s", strerror(-error));
	if (chosen->stop)
		error = ksr_stop_processes(&fs, pids, 2);
	if (error) {
		ksr_fs_fini(&fs);
		return ksr_failure(command, "--stop: cannot stop the processes: %s",
				   strerror(-error));
	}
	status = compare(command, chosen, &fs, pids);
	ksr_continue_processes();
	ksr_fs_fini(&fs);
	return status;
}

static int name_and_compare(const struct ksr_command *command, struct diff_options *chosen, const pid_t pids[2])
{
	struct ksr_text text;
	int status = ksr_naming_prepare(command, &chosen->names, &text, &chosen->naming);

	if (status)
		return status;
	status = stop_and_compare(command, chosen, pids);
	ksr_text_free(&text);
	return status;
}

static int diff_main(const struct ksr_command *command, int argc, char **argv)
{
	struct diff_options chosen = {.top = DEFAULT_TOP, .few = KSR_FEW_WORDS};
	int status = 0;
	pid_t pids[2];
	int first = ksr_options_parse(command, argc, argv, NULL, &chosen, &status);

	if (first < 0)
		return status;
	if (argc - first != 2)
		return ksr_usage_error(command, "%d processes were given; give two PIDs",
				       argc - first);
	for (int i = 0; i < 2; i++) {
		if (!ksr_parse_pid(argv[first + i], &pids[i]))
			return ksr_usage_error(command, "'%s' is not a process id; give numbers",
					       argv[first + i]);
		/* With --stop nobody would let it go on. */
		if (pids[i] == getpid())
			return ksr_usage_error(command,
					       "%d is this command itself; give two others",
					       (int)pids[i]);
	}
	if (pids[0] == pids[1])
		return ksr_usage_error(command, "both are process %d; give two different PIDs",
				       (int)pids[0]);
	return name_and_compare(command, &chosen, pids);
}

const struct ksr_command ksr_command_diff = {
	.name = "diff",
	.arguments = "PID PID",
	.summary = "Say, page by page, why the memory of two workers differs",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.tables = tables,
	.table_count = KSM_COUNT_OF(tables),
	.main = diff_main,
};
