/* SPDX-License-Identifier: BSD-2-Clause */
/* The `ksmalloc` command: a table of sub-commands, nothing else. */
#include "command.h"

#include <string.h>

static const struct ksr_command *const commands[] = {
	&ksr_command_run,      &ksr_command_report,  &ksr_command_doctor,
	&ksr_command_estimate, &ksr_command_diff,    &ksr_command_version,
};

static void help(FILE *output)
{
	fputs("Usage: ksmalloc COMMAND [options] [arguments]\n\nCommands:\n", output);
	for (size_t i = 0; i < KSM_COUNT_OF(commands); i++)
		fprintf(output, "  %-10s %s.\n", commands[i]->name, commands[i]->summary);
	fputs("\n'ksmalloc COMMAND --help' explains a command; see also ksmalloc(1).\n", output);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
		help(stdout);
		return fflush(stdout) ? KSR_EXIT_FAILED : KSR_EXIT_OK;
	}
	if (strcmp(name, "--version") == 0)
		name = "version";
	for (size_t i = 0; i < KSM_COUNT_OF(commands); i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i]->main(commands[i], argc - 1, argv + 1);
	}
	if (name[0])
		return ksr_usage_error(NULL, "there is no command '%s'; see 'ksmalloc --help'",
				       name);
	return ksr_usage_error(NULL, "a command is missing; see 'ksmalloc --help'");
}
