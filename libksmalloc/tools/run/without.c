/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "run/without.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char **ksr_without_remember(void)
{
	size_t count = 0;
	char **copy;

	while (environ[count])
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	if (copy)
		memcpy(copy, environ, count * sizeof(*copy));
	return copy;
}

int ksr_without_run(const struct ksr_command *command, char **argv, int first, char **before, const char *name)
{
	const char *program;

	for (int i = 1; first < 0 && argv[i]; i++) {
		if (strcmp(argv[i], "--") == 0)
			first = i + 1;
	}
	if (first < 0 || !argv[first] || !before)
		return KSR_EXIT_USAGE;
	ksr_failure(command, "%s runs without libksmalloc", argv[first]);
	program = argv[first];
	if (name)
		argv[first] = (char *)(uintptr_t)name;
	execvpe(program, argv + first, before);
	ksr_failure(command, "%s: %s", program, strerror(errno));
	return errno == ENOENT ? KSR_EXIT_NOT_FOUND : KSR_EXIT_CANNOT_EXECUTE;
}
