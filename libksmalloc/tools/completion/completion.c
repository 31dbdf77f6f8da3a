/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `ksmalloc completion`: a script for a shell, made from the tables from which parsing and help come, and
 * what such a script asks when a key is pressed.
 */
#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include "completion/bash.h"
#include "completion/fish.h"
#include "completion/running.h"
#include "completion/zsh.h"

struct completion_options {
	const char *running;
};

static const struct ksr_option options[] = {
	{"running", "groups|processes", "List what runs now, as the scripts ask for it.", KSR_OPTION_TEXT,
	 offsetof(struct completion_options, running), 0},
};

static const struct {
	const char *name;
	void (*write)(const struct ksr_command *const *commands);
} shells[] = {
	{"bash", ksr_completion_bash},
	{"zsh", ksr_completion_zsh},
	{"fish", ksr_completion_fish},
};

static int list_running(const struct ksr_command *command, const char *what)
{
	bool groups = strcmp(what, "groups") == 0;
	struct ksr_fs fs;
	char **lines = NULL;
	size_t count = 0;
	int error;

	if (!groups && strcmp(what, "processes") != 0)
		return ksr_usage_error(command, "--running '%s' is not known; give groups or processes", what);
	error = ksr_fs_init(&fs, NULL);
	if (!error) {
		error = ksr_running_list(&fs, groups, &lines, &count);
		ksr_fs_fini(&fs);
	}
	if (error)
		return ksr_failure(command, "cannot read /proc: %s", strerror(-error));
	for (size_t i = 0; i < count; i++) {
		puts(lines[i]);
		free(lines[i]);
	}
	free(lines);
	return ksr_output_end(command, 0);
}

static int completion_main(const struct ksr_command *command, int argc, char **argv)
{
	struct completion_options chosen = {0};
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, NULL, &chosen, &status);

	if (first < 0)
		return status;
	if (chosen.running && first == argc)
		return list_running(command, chosen.running);
	if (argc - first != 1 || chosen.running)
		return ksr_usage_error(command, "give one shell: bash, zsh or fish");
	for (size_t i = 0; i < KSM_COUNT_OF(shells); i++) {
		if (strcmp(shells[i].name, argv[first]) == 0) {
			shells[i].write(ksr_commands);
			return ksr_output_end(command, 0);
		}
	}
	return ksr_usage_error(command, "'%s' is no shell that is known; give bash, zsh or fish", argv[first]);
}

const struct ksr_command ksr_command_completion = {
	.name = "completion",
	.arguments = "bash|zsh|fish",
	.summary = "Write the completion of command lines for a shell",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.main = completion_main,
};
