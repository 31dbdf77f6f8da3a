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

#define MOST_OPTIONS 32

/* Values that getopt_long returns: above all characters. */
#define FIRST_VALUE 1000
#define HELP_VALUE 999

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

void ksr_command_help(const struct ksr_command *command, FILE *output)
{
	fprintf(output, "Usage: ksmalloc %s [options]%s%s\n%s.\n\nOptions:\n", command->name,
		command->arguments[0] ? " " : "", command->arguments, command->summary);
	for (size_t i = 0; i < command->option_count; i++) {
		const struct ksr_option *option = &command->options[i];
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", option->name, option->argument ? " " : "",
			 option->argument ? option->argument : "");
		fprintf(output, "  %-22s %s\n", left, option->help);
	}
	fprintf(output, "  %-22s %s\n", "--help", "Show this text and exit.");
	fprintf(output, "\nSee ksmalloc-%s(1).\n", command->name);
}

static void fill_long_options(const struct ksr_command *command, struct option *options)
{
	size_t count = command->option_count;

	for (size_t i = 0; i < count; i++) {
		options[i] = (struct option){
			.name = command->options[i].name,
			.has_arg = command->options[i].argument ? required_argument : no_argument,
			.val = FIRST_VALUE + (int)i,
		};
	}
	options[count] = (struct option){.name = "help", .val = HELP_VALUE};
	options[count + 1] = (struct option){0};
}

static int bad_option(const struct ksr_command *command, int result, char **argv)
{
	const char *text = argv[optind - 1];

	if (result == ':')
		return ksr_usage_error(command, "option %s needs a value; see 'ksmalloc %s --help'",
				       text, command->name);
	return ksr_usage_error(command, "unknown option or value in '%s'; see 'ksmalloc %s --help'",
			       text, command->name);
}

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
	return ksr_usage_error(command,
			       "--%s '%s' is not a number; give a whole number from 1 on",
			       option->name, value);
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
	case KSR_OPTION_JSON:
		*(enum ksr_format *)member = KSR_FORMAT_JSON;
		break;
	case KSR_OPTION_CSV:
		*(enum ksr_format *)member = KSR_FORMAT_CSV;
		break;
	case KSR_OPTION_TEXT:
		*(const char **)member = value;
		break;
	case KSR_OPTION_NUMBER:
		return store_number(command, option, value, member);
	}
	return 0;
}

int ksr_options_parse(const struct ksr_command *command, int argc, char **argv,
		      int (*set)(const struct ksr_command *command, size_t option,
				 const char *value, void *user),
		      void *user, int *status)
{
	struct option options[MOST_OPTIONS + 2];
	size_t option;
	int result;

	fill_long_options(command, options);
	opterr = 0;
	optind = 1;
	for (;;) {
		result = getopt_long(argc, argv, command->stop_at_argument ? "+:" : ":", options,
				     NULL);
		if (result == -1)
			return optind;
		if (result == HELP_VALUE) {
			ksr_command_help(command, stdout);
			*status = fflush(stdout) ? KSR_EXIT_FAILED : KSR_EXIT_OK;
			return -1;
		}
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
