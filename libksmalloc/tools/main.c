/* SPDX-License-Identifier: BSD-2-Clause */
/* The `ksmalloc` command: a table of sub-commands, nothing else. */
#include "commands.h"

#include <malloc.h>
#include <string.h>

const struct ksr_command *const ksr_commands[] = {
	&ksr_command_run,    &ksr_command_report,   &ksr_command_why,    &ksr_command_top,
	&ksr_command_compare,&ksr_command_doctor, &ksr_command_estimate, &ksr_command_diff,
	&ksr_command_share,  &ksr_command_keep,	    &ksr_command_enable,   &ksr_command_disable,
	&ksr_command_tune,   &ksr_command_exporter, &ksr_command_inject, &ksr_command_sidecar, &ksr_command_webhook,  &ksr_command_completion,
	&ksr_command_version,
	NULL,
};

#define COMMANDS (KSM_COUNT_OF(ksr_commands) - 1)

static const struct ksr_command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(ksr_commands[i]->name, name) == 0)
			return ksr_commands[i];
	}
	return NULL;
}

static int unknown(const char *name)
{
	const char *names[COMMANDS + 1] = {"help"};
	const char *nearest;

	for (size_t i = 0; i < COMMANDS; i++)
		names[i + 1] = ksr_commands[i]->name;
	nearest = ksr_nearest(name, names, KSM_COUNT_OF(names));
	return ksr_usage_error(NULL, "there is no command '%s'%s%s%s 'ksmalloc --help' lists them",
			       name, nearest ? "; did you mean '" : ";", nearest ? nearest : "",
			       nearest ? "'?" : "");
}

static void list_commands(void)
{
	fputs("Usage: ksmalloc COMMAND [options] [arguments]\n\nCommands:\n", stdout);
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-11s %s.\n", ksr_commands[i]->name, ksr_commands[i]->summary);
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
	if (command && command->is_elsewhere)
		return command->main(command, 2, (char *[]){argv[0], (char[]){"--help"}, NULL});
	if (command)
		return ksr_command_help(command);
	if (argc && strcmp(argv[0], "help") != 0)
		return unknown(argv[0]);
	list_commands();
	return ksr_output_end(NULL, 0);
}

/*
 * Copies of segments have megabytes of zeros that nobody touches: as mappings of their own they take what was read only. Left
 * to itself malloc goes over to its heap once one of them was freed, where they are cleared, and then take all of it.
 */
#define MAPPED_FROM (256 << 10)

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct ksr_command *command;

	mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
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
