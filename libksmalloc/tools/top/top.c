/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc top`: what merging and sharing save, while it happens. */
#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "prepare.h"
#include "read/clock.h"
#include "selected.h"
#include "show/text.h"
#include "top/frame.h"
#include "top/help.h"
#include "top/live.h"
#include "top/places.h"
#include "top/reader.h"

#define DEFAULT_INTERVAL 1000
/* One frame has rates as well, and so needs two samples. */
#define ONCE_INTERVAL 250

struct top_options {
	struct ksr_selected selected;
	const char *view;
	const char *sort;
	const char *filter;
	const char *root;
	uint64_t interval_ms; /* 0: not given */
	uint64_t width;
	struct ksr_name_options names;
	struct ksr_naming naming; /* what these come to */
	bool once;
	bool list_keys;
};

enum { OPTION_GROUP, OPTION_INTERVAL };

#define AT(member) offsetof(struct top_options, member)

static const struct ksr_option options[] = {
	[OPTION_GROUP] = {"group", "NAME", "Watch the processes of this group; may be given several times.",
			  KSR_OPTION_OWN, 0, 0},
	[OPTION_INTERVAL] = {"interval", "SECONDS", "Measure so often; 1 by default, fractions are allowed.",
			     KSR_OPTION_OWN, 0, 0},
	{"all", NULL, "Watch the processes of all users, not only the caller's.", KSR_OPTION_SWITCH,
	 AT(selected.selection.everyone), 0},
	{"view", "groups|processes|places", "Begin with this table (default groups).", KSR_OPTION_TEXT, AT(view), 0},
	{"sort", "COLUMN", "Sort by this column (default saved).", KSR_OPTION_TEXT, AT(sort), 0},
	{"filter", "TEXT", "Begin with rows that have this text.", KSR_OPTION_TEXT, AT(filter), 0},
	{"once", NULL, "Print one frame as text and end.", KSR_OPTION_SWITCH, AT(once), 0},
	{"width", "N", "Fit that text into N columns, not those of the terminal.", KSR_OPTION_NUMBER, AT(width), 10000},
	KSR_NAME_OPTIONS(AT(names)),
	{"list-keys", NULL, "Print keys and columns as parts of a manual page, and end.", KSR_OPTION_SWITCH,
	 AT(list_keys), 0},
	{"root", "DIR", "Read proc and sys below DIR, a recorded tree, once.", KSR_OPTION_TEXT, AT(root), 0},
};

/* --- options ----------------------------------------------------------------------------------------------- */

static int set(const struct ksr_command *command, size_t option, const char *value, void *user)
{
	struct top_options *chosen = user;
	double seconds;
	char *end;

	if (option == OPTION_GROUP)
		return ksr_selected_add_group(command, &chosen->selected, value);
	seconds = strtod(value, &end);
	if (end == value || *end || !isfinite(seconds) || seconds < KSR_TOP_LEAST_INTERVAL / 1000.0 ||
	    seconds > KSR_TOP_MOST_INTERVAL / 1000.0)
		return ksr_usage_error(command, "--interval '%s' is no time; give seconds from %.1f to %d", value,
				       KSR_TOP_LEAST_INTERVAL / 1000.0, KSR_TOP_MOST_INTERVAL / 1000);
	chosen->interval_ms = (uint64_t)lround(seconds * 1000);
	return 0;
}

static int choose_view(const struct ksr_command *command, const char *name, enum ksr_top_view *view)
{
	for (int i = 0; i < KSR_TOP_VIEW_COUNT; i++) {
		*view = (enum ksr_top_view)i;
		if (strcmp(ksr_top_view_keys[i], name) == 0)
			return 0;
	}
	return ksr_usage_error(command, "--view '%s' is no view; give one of groups, processes, places", name);
}

static int choose_sort(const struct ksr_command *command, const char *name, enum ksr_top_view view,
		       enum ksr_top_column *column)
{
	char names[256] = "";

	for (int i = 0; i < KSR_TOP_COLUMN_COUNT; i++) {
		size_t used = strlen(names);

		*column = (enum ksr_top_column)i;
		if (!ksr_top_column_sorts(*column, view))
			continue;
		if (strcmp(ksr_top_columns[i].key, name) == 0)
			return 0;
		snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", ksr_top_columns[i].key);
	}
	return ksr_usage_error(command, "--sort '%s' is no column of the view %s; give one of %s", name,
			       ksr_top_view_keys[view], names);
}

static int apply(const struct ksr_command *command, const struct top_options *chosen, struct ksr_top_state *state)
{
	struct ksr_top_model *model = &state->model;
	enum ksr_top_column column = KSR_TOP_COLUMN_SAVED;
	enum ksr_top_view view = KSR_TOP_VIEW_GROUPS;
	int status = 0;

	if (chosen->selected.selection.pid_count && !chosen->selected.selection.group_count)
		view = KSR_TOP_VIEW_PROCESSES;
	if (chosen->view)
		status = choose_view(command, chosen->view, &view);
	if (!status && chosen->sort)
		status = choose_sort(command, chosen->sort, view, &column);
	if (status)
		return status;
	model->view = view;
	model->sort[view] = column;
	if (chosen->filter && strlen(chosen->filter) >= KSR_TOP_FILTER_BYTES)
		return ksr_usage_error(command, "--filter is too long; give up to %d bytes", KSR_TOP_FILTER_BYTES - 1);
	snprintf(model->filter, sizeof(model->filter), "%s", chosen->filter ? chosen->filter : "");
	state->wishes.places = view == KSR_TOP_VIEW_PLACES;
	return 0;
}

/* --- one frame --------------------------------------------------------------------------------------------- */

static int read_once(const struct ksr_fs *fs, const struct top_options *chosen, struct ksr_top_state *state)
{
	struct ksr_top_reader *reader = ksr_top_reader_create(fs, &chosen->selected.selection, true);
	struct ksr_top_places *places = ksr_top_places_create(fs, &chosen->selected.selection, &chosen->naming);
	uint64_t begin_ms = ksr_clock_ms();
	struct ksr_top_sample *sample = NULL;
	int error = -ENOMEM;

	if (reader && places)
		sample = ksr_top_reader_sample(reader, 0);
	if (sample && fs->live && !sample->error) {
		struct timespec pause = ksr_clock_time(state->wishes.interval_ms * KSR_CLOCK_MS);

		ksr_top_sample_free(sample);
		nanosleep(&pause, NULL);
		sample = ksr_top_reader_sample(reader, ksr_clock_ms() - begin_ms);
	}
	if (sample && state->wishes.places && !sample->error)
		sample->error = ksr_top_places_add(places, sample);
	if (sample) {
		error = sample->error;
		if (!error)
			error = ksr_top_model_take(&state->model, sample);
		else
			ksr_top_sample_free(sample);
	}
	ksr_top_places_destroy(places);
	ksr_top_reader_destroy(reader);
	return error;
}

static void print_line(const struct ksr_top_line *line)
{
	uint32_t bytes = line->bytes;

	while (bytes && line->text[bytes - 1] == ' ')
		bytes--;
	printf("%.*s\n", (int)bytes, line->text);
}

static int print_once(const struct ksr_command *command, const struct ksr_fs *fs, const struct top_options *chosen,
		      struct ksr_top_state *state, bool utf8)
{
	uint64_t width = chosen->width ? chosen->width : ksr_terminal_width(stdout);
	struct ksr_top_frame frame;
	int error = read_once(fs, chosen, state);

	if (error)
		return ksr_failure(command, "cannot read processes: %s", strerror(-error));
	ksr_top_frame_init(&frame, utf8);
	error = ksr_top_frame_make(&frame, state, width ? (uint32_t)width : KSR_TOP_MOST_WIDTH, 0);
	for (size_t i = 0; i < frame.count && !error; i++)
		print_line(&frame.lines[i]);
	ksr_top_frame_fini(&frame);
	if (error)
		return ksr_failure(command, "out of memory");
	if (ksr_output_end(command, 0))
		return KSR_EXIT_FAILED;
	return state->model.sample->process_count ? KSR_EXIT_OK : KSR_EXIT_FINDINGS;
}

/* --- all of it --------------------------------------------------------------------------------------------- */

static bool wants_colour(void)
{
	const char *none = getenv("NO_COLOR");

	return !none || !none[0];
}

static int watch(const struct ksr_command *command, const struct ksr_fs *fs, const struct top_options *chosen,
		 struct ksr_top_state *state, bool utf8)
{
	struct ksr_top_live live = {fs, &chosen->selected.selection, &chosen->naming, utf8, wants_colour()};
	int error = ksr_top_live_run(&live, state);
	const char *terminal = getenv("TERM");

	if (error == -ENOTTY) {
		fprintf(stderr, "ksmalloc top: nothing can be drawn on a terminal '%s'; this is one frame (--once)\n",
			terminal && !strpbrk(terminal, "\033\n\r") ? terminal : "");
		return print_once(command, fs, chosen, state, utf8);
	}
	return error ? ksr_failure(command, "%s", strerror(-error)) : KSR_EXIT_OK;
}

static int show(const struct ksr_command *command, const struct top_options *chosen, struct ksr_top_state *state)
{
	bool utf8 = setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	bool once = chosen->once || chosen->root || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
	struct ksr_fs fs;
	int error = ksr_fs_init(&fs, chosen->root);
	int status;

	if (error)
		return ksr_usage_error(command, "--root '%s': %s; give a folder with proc and sys",
				       chosen->root ? chosen->root : "/", strerror(-error));
	if (once && !chosen->interval_ms)
		state->wishes.interval_ms = ONCE_INTERVAL;
	status = once ? print_once(command, &fs, chosen, state, utf8) : watch(command, &fs, chosen, state, utf8);
	ksr_fs_fini(&fs);
	return status;
}

static int parse_and_show(const struct ksr_command *command, int argc, char **argv, struct top_options *chosen)
{
	struct ksr_top_state state;
	struct ksr_text text;
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, set, chosen, &status);

	if (first < 0)
		return status;
	if (chosen->list_keys) {
		ksr_top_help_manual(stdout);
		return ksr_output_end(command, 0);
	}
	status = ksr_naming_prepare(command, &chosen->names, &text, &chosen->naming);
	if (status)
		return status;
	ksr_top_state_init(&state, chosen->interval_ms ? chosen->interval_ms : DEFAULT_INTERVAL);
	status = ksr_selected_add_all(command, &chosen->selected, argv + first, (size_t)(argc - first));
	if (!status)
		status = apply(command, chosen, &state);
	if (!status)
		status = show(command, chosen, &state);
	ksr_top_state_fini(&state);
	/* The text stays until the process ends: a reader that was not waited for may still look for names in it. */
	return status;
}

static int top_main(const struct ksr_command *command, int argc, char **argv)
{
	struct top_options chosen = {0};
	int status = ksr_selected_create(&chosen.selected, argc) ? ksr_failure(command, "out of memory") :
								     parse_and_show(command, argc, argv, &chosen);

	ksr_selected_destroy(&chosen.selected);
	return status;
}

const struct ksr_command ksr_command_top = {
	.name = "top",
	.arguments = "[PID...|GROUP...]",
	.summary = "Watch what merging and sharing save, by group, process and place",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.main = top_main,
};
