/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * getopt_long does the parsing; its own messages are replaced, because they do
 * not say which sub-command is meant nor what to do.
 */
#define _GNU_SOURCE
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ksmalloc/segment.h"
#include "names/human.h"
#include "seed_file.h"
#include "show/emitter.h"

#define MOST_OPTIONS 48
#define LONGEST_NAME 31

/* Values that getopt_long returns: above all characters. */
#define FIRST_VALUE 1000

/* What every sub-command has besides its own options. */
static const struct option common[] = {
	{.name = "help", .val = 'h'},
	{.name = "version", .val = 'V'},
};

static void complain(const struct ksr_command *command, const char *format, va_list args)
{
	char *line = NULL;

	if (vasprintf(&line, format, args) < 0)
		return;
	/* What the caller typed is shown back; it may come from a file or a script. */
	ksr_clean_text(line);
	fprintf(stderr, "ksmalloc%s%s: %s\n", command ? " " : "", command ? command->name : "",
		line);
	free(line);
}

int ksr_usage_error(const struct ksr_command *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(command, format, args);
	va_end(args);
	return KSR_EXIT_USAGE;
}

int ksr_failure(const struct ksr_command *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(command, format, args);
	va_end(args);
	return KSR_EXIT_FAILED;
}

static void help_line(const char *name, const char *argument, const char *text, int width)
{
	int used = printf("  %s%s%s", name, argument && argument[0] != '[' ? " " : "", argument ? argument : "");

	printf("%*s%s\n", used < width ? width - used : 1, "", text);
}

int ksr_output_end(const struct ksr_command *command, int error)
{
	if (!error && fflush(stdout))
		error = -errno;
	else if (!error && ferror(stdout))
		error = -EIO;
	return error ? ksr_failure(command, "cannot write the output: %s", strerror(-error))
		     : KSR_EXIT_OK;
}

int ksr_command_help(const struct ksr_command *command)
{
	size_t width = strlen("-V, --version");

	for (size_t i = 0; i < command->option_count; i++) {
		const struct ksr_option *option = &command->options[i];

		width = ksm_max(width, strlen("-- ") + strlen(option->name) +
					       (option->argument ? strlen(option->argument) : 0));
	}
	width += 4;
	printf("Usage: ksmalloc %s [options]%s%s\n%s.\n\nOptions:\n", command->name,
	       command->arguments[0] ? " " : "", command->arguments, command->summary);
	for (size_t i = 0; i < command->option_count; i++) {
		const struct ksr_option *option = &command->options[i];
		char name[LONGEST_NAME + 3];

		snprintf(name, sizeof(name), "--%s", option->name);
		help_line(name, option->argument, option->help, (int)width);
	}
	help_line("-h, --help", NULL, "Show this text and exit.", (int)width);
	help_line("-V, --version", NULL, "Show the version and exit.", (int)width);
	printf("\nSee ksmalloc-%s(1).\n", command->name);
	return ksr_output_end(command, 0);
}

static int needs_argument(const struct ksr_option *option)
{
	if (!option->argument)
		return no_argument;
	return option->argument[0] == '[' ? optional_argument : required_argument;
}

static void fill_long_options(const struct ksr_command *command, struct option *options)
{
	size_t count = command->option_count;

	for (size_t i = 0; i < count; i++) {
		options[i] = (struct option){
			.name = command->options[i].name,
			.has_arg = needs_argument(&command->options[i]),
			.val = FIRST_VALUE + (int)i,
		};
	}
	memcpy(options + count, common, sizeof(common));
	options[count + KSM_COUNT_OF(common)] = (struct option){0};
}

/* --- mistakes ------------------------------------------------------------------- */

static size_t least_of(size_t a, size_t b, size_t c)
{
	return ksm_min(a, ksm_min(b, c));
}

/* Letters that were left out, added, mistyped, or exchanged with their neighbour. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][LONGEST_NAME + 1];
	size_t *before = rows[0];
	size_t *last = rows[1];
	size_t *row = rows[2];
	size_t bytes = strlen(b);

	for (size_t k = 0; k <= bytes; k++)
		last[k] = k;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t k = 1; k <= bytes; k++) {
			row[k] = least_of(last[k] + 1, row[k - 1] + 1,
					  last[k - 1] + (a[i - 1] != b[k - 1]));
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				row[k] = ksm_min(row[k], before[k - 2] + 1);
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[bytes];
}

/* How many candidates begin with the text, and the last of them. */
static size_t begin_with(const char *text, const char *const *candidates, size_t count,
			 const char **found)
{
	size_t bytes = strlen(text);
	size_t fitting = 0;

	for (size_t i = 0; i < count; i++) {
		if (bytes == 0 || strncmp(candidates[i], text, bytes) != 0)
			continue;
		*found = candidates[i];
		fitting++;
	}
	return fitting;
}

const char *ksr_nearest(const char *text, const char *const *candidates, size_t count)
{
	size_t bytes = strlen(text);
	const char *best = NULL;
	/* One mistake in three letters, and never more than three. */
	size_t most = ksm_min((bytes + 2) / 3, 3);

	if (bytes == 0 || bytes > LONGEST_NAME)
		return NULL;
	if (begin_with(text, candidates, count, &best) == 1)
		return best;
	best = NULL;
	for (size_t i = 0; i < count; i++) {
		size_t distance;

		if (strlen(candidates[i]) > LONGEST_NAME)
			continue;
		distance = edit_distance(text, candidates[i]);
		if (distance > most || distance >= strlen(candidates[i]))
			continue;
		best = candidates[i];
		most = distance ? distance - 1 : 0;
	}
	return best;
}

/* No such option, or several that begin so. */
static int unknown_option(const struct ksr_command *command, const char *text)
{
	const char *names[MOST_OPTIONS + KSM_COUNT_OF(common)];
	const char *nearest = NULL;
	char name[LONGEST_NAME + 1];
	size_t count = 0;

	for (; count < command->option_count; count++)
		names[count] = command->options[count].name;
	for (size_t i = 0; i < KSM_COUNT_OF(common); i++)
		names[count++] = common[i].name;
	/* What stands behind a '=' is the value. */
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text + 2, "="), text + 2);
	if (begin_with(name, names, count, &nearest) > 1)
		return ksr_usage_error(command,
				       "option '--%s' could be one of several, such as --%s; see "
				       "'ksmalloc %s --help'",
				       name, nearest, command->name);
	nearest = ksr_nearest(name, names, count);
	return ksr_usage_error(command,
			       "there is no option '--%s'%s%s%s 'ksmalloc %s --help' lists them",
			       name, nearest ? "; did you mean --" : ";", nearest ? nearest : "",
			       nearest ? "?" : "", command->name);
}

static int bad_option(const struct ksr_command *command, int result, char **argv)
{
	const char *text = argv[optind - 1];

	if (result == ':')
		return ksr_usage_error(command, "option %s needs a value; see 'ksmalloc %s --help'",
				       text, command->name);
	if (optopt == 0)
		return unknown_option(command, text);
	/* A known option with a value behind a '='; the common ones have a letter for their number.
	 */
	if (optopt >= FIRST_VALUE || optopt == 'h' || optopt == 'V')
		return ksr_usage_error(command,
				       "option %.*s takes no value; see 'ksmalloc %s --help'",
				       (int)strcspn(text, "="), text, command->name);
	return ksr_usage_error(command, "there is no option '-%c'; 'ksmalloc %s --help' lists them",
			       optopt, command->name);
}

/* --- values ------------------------------------------------------------------------ */

static int store_number(const struct ksr_command *command, const struct ksr_option *option,
			const char *value, uint64_t *number)
{
	if (ksr_parse_number(value, number) && (option->most == 0 || *number <= option->most))
		return 0;
	if (option->most)
		return ksr_usage_error(command,
				       "--%s '%s' is not a number; give a whole number from 1 to "
				       "%" PRIu64,
				       option->name, value, option->most);
	return ksr_usage_error(command, "--%s '%s' is not a number; give a whole number from 1 on",
			       option->name, value);
}

static int store_format(const struct ksr_command *command, struct ksr_output *output,
			enum ksr_format format)
{
	static const char *const names[] = {
		"text",
#define FORM_NAME(name, option, help) option,
		KSR_FORMS(FORM_NAME)
#undef FORM_NAME
	};

	if (output->format != KSR_FORMAT_TEXT && output->format != format)
		return ksr_usage_error(command, "--%s and --%s exclude each other; give one",
				       names[ksm_min(output->format, format)],
				       names[ksm_max(output->format, format)]);
	output->format = format;
	return 0;
}

static int store_table(const struct ksr_command *command, struct ksr_output *output,
		       const char *value)
{
	char names[256] = "";

	for (size_t i = 0; i < command->table_count; i++) {
		size_t used = strlen(names);

		if (strcmp(command->tables[i], value) == 0) {
			output->table = command->tables[i];
			return 0;
		}
		snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
			 command->tables[i]);
	}
	return ksr_usage_error(command, "--table '%s' is no table; give one of %s", value, names);
}

/* Anything but OWN. */
static int store(const struct ksr_command *command, const struct ksr_option *option,
		 const char *value, void *user)
{
	void *member = (char *)user + option->offset;

	switch (option->kind) {
	case KSR_OPTION_OWN:
		break;
	case KSR_OPTION_SWITCH:
		*(bool *)member = true;
		break;
	case KSR_OPTION_FORM:
		return store_format(command, member, (enum ksr_format)option->most);
	case KSR_OPTION_TABLE:
		return store_table(command, member, value);
	case KSR_OPTION_TEXT:
		*(const char **)member = value;
		break;
	case KSR_OPTION_NUMBER:
		return store_number(command, option, value, member);
	}
	return 0;
}

/* What no option can check alone: JSON and text have all tables, CSV one. */
static int check_table(const struct ksr_command *command, void *user)
{
	for (size_t i = 0; i < command->option_count; i++) {
		const struct ksr_option *option = &command->options[i];
		struct ksr_output *output =
			(struct ksr_output *)(void *)((char *)user + option->offset);

		if (option->kind != KSR_OPTION_TABLE)
			continue;
		if (output->table && output->format != KSR_FORMAT_CSV)
			return ksr_usage_error(command,
					       "--table chooses what --csv writes; add --csv");
		if (!output->table)
			output->table = command->tables[0];
	}
	return 0;
}

int ksr_version_show(const struct ksr_command *command, const struct ksr_output *output)
{
	struct ksr_emitter *emitter = ksr_emitter_create(output, stdout);

	if (!emitter)
		return ksr_failure(command, "out of memory");
	ksr_emitter_section_begin(emitter, "versions");
	ksr_emitter_value(emitter, "ksmalloc", "ksmalloc", ksr_cell_text(KSMALLOC_VERSION));
	ksr_emitter_value(emitter, "segment", "segment version",
			  ksr_cell_count(KSMALLOC_SEGMENT_VERSION));
	ksr_emitter_value(emitter, "json", NULL, ksr_cell_count(KSR_JSON_VERSION));
	ksr_emitter_section_end(emitter);
	return ksr_output_end(command, ksr_emitter_finish(emitter));
}

/* true when the option is one of every sub-command, and the program ends with *status. */
static bool is_common(const struct ksr_command *command, int result, int *status)
{
	if (result == 'h') {
		*status = ksr_command_help(command);
	} else if (result == 'V') {
		*status = ksr_version_show(command, &(struct ksr_output){0});
	} else {
		return false;
	}
	return true;
}

int ksr_options_parse(const struct ksr_command *command, int argc, char **argv,
		      int (*set)(const struct ksr_command *command, size_t option,
				 const char *value, void *user),
		      void *user, int *status)
{
	struct option options[MOST_OPTIONS + KSM_COUNT_OF(common) + 1];
	size_t option;
	int result;

	fill_long_options(command, options);
	opterr = 0;
	optind = 1;
	for (;;) {
		result = getopt_long(argc, argv, command->stop_at_argument ? "+:hV" : ":hV",
				     options, NULL);
		if (result == -1)
			break;
		if (is_common(command, result, status))
			return -1;
		option = (size_t)(result - FIRST_VALUE);
		if (result < FIRST_VALUE)
			*status = bad_option(command, result, argv);
		else if (command->options[option].kind == KSR_OPTION_OWN)
			*status = set(command, option, optarg, user);
		else
			*status = store(command, &command->options[option], optarg, user);
		if (*status)
			return -1;
	}
	*status = check_table(command, user);
	return *status ? -1 : optind;
}

int ksr_group_check(const struct ksr_command *command, const char *name)
{
	if (ksr_seed_group_is_good(name))
		return 0;
	return ksr_usage_error(command,
			       "'%s' cannot name a group; give up to 63 letters, digits, dots, "
			       "dashes or underscores",
			       name);
}

bool ksr_parse_number(const char *text, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return *end == '\0' && errno == 0 && *number > 0;
}

bool ksr_parse_pid(const char *text, pid_t *pid)
{
	uint64_t number;

	if (!ksr_parse_number(text, &number) || number > INT_MAX)
		return false;
	*pid = (pid_t)number;
	return true;
}
