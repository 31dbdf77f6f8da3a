/* SPDX-License-Identifier: BSD-2-Clause */
/* The `ksmalloc` command: a table of sub-commands, nothing else. */
#include "commands.h"

#include <string.h>

static const struct ksr_command *const commands[] = {
	&ksr_command_run,      &ksr_command_report, &ksr_command_doctor,
	&ksr_command_estimate, &ksr_command_diff,   &ksr_command_share,
	&ksr_command_keep,     &ksr_command_version,
};

static const struct ksr_command *find(const char *name)
{
	for (size_t i = 0; i < KSM_COUNT_OF(commands); i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

static int unknown(const char *name)
{
	const char *names[KSM_COUNT_OF(commands) + 1] = {"help"};
	const char *nearest;

	for (size_t i = 0; i < KSM_COUNT_OF(commands); i++)
		names[i + 1] = commands[i]->name;
	nearest = ksr_nearest(name, names, KSM_COUNT_OF(names));
	return ksr_usage_error(NULL, "there is no command '%s'%s%s%s 'ksmalloc --help' lists them",
			       name, nearest ? "; did you mean '" : ";", nearest ? nearest : "",
			       nearest ? "'?" : "");
}

static void list_commands(void)
{
	fputs("Usage: ksmalloc COMMAND [options] [arguments]\n\nCommands:\n", stdout);
	for (size_t i = 0; i < KSM_COUNT_OF(commands); i++)
		printf("  %-10s %s.\n", commands[i]->name, commands[i]->summary);
	fputs("\n'ksmalloc help COMMAND' or 'ksmalloc COMMAND --help' explains a command; see also "
	      "ksmalloc(1).\n",
	      stdout);
}

/* Of one command, or of all. */
static int help(int argc, char **argv)
{
	const struct ksr_command *command = argc > 0 ? find(argv[0]) : NULL;

	if (argc > 1)
		return ksr_usage_error(
			NULL, "'%s' is one argument too many; help is for one command", argv[1]);
	if (command)
		return ksr_command_help(command);
	if (argc && strcmp(argv[0], "help") != 0)
		return unknown(argv[0]);
	list_commands();
	return ksr_output_end(NULL, 0);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct ksr_command *command;

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
		return help(argc - 2, argv + 2);
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	command = find(name);
	if (command)
		return command->main(command, argc - 1, argv + 1);
	if (name[0])
		return unknown(name);
	return ksr_usage_error(NULL, "a command is missing; see 'ksmalloc --help'");
}
