/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "run/preload.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* True if the list has the path: a run inside of a run has it already. */
static bool is_in(const char *list, const char *path)
{
	size_t length = strlen(path);

	for (const char *at = list; *at; at += strcspn(at, ": "), at += strspn(at, ": ")) {
		if (strcspn(at, ": ") == length && strncmp(at, path, length) == 0)
			return true;
	}
	return false;
}

int ksr_preload(const struct ksr_command *command, const char *path)
{
	const char *before = getenv("LD_PRELOAD");
	char *list = NULL;
	int status = 0;

	if (asprintf(&list, "%s%s%s", path, before && before[0] ? ":" : "", before ? before : "") < 0 ||
	    setenv("LD_PRELOAD", list, 1))
		status = ksr_failure(command, "out of memory");
	free(list);
	return status;
}

int ksr_preload_helper(const struct ksr_command *command, const char *library, const char *name,
		       const char *without, const char **note)
{
	const char *before = getenv("LD_PRELOAD");
	const char *slash = strrchr(library, '/');
	int folder = slash ? (int)(slash - library) : 0;
	char path[PATH_MAX];

	/* Installed they lie in a folder of their own: no linker shall find them. */
	snprintf(path, sizeof(path), "%.*s/ksmalloc/%s", folder, library, name);
	if (access(path, R_OK))
		snprintf(path, sizeof(path), "%.*s/%s", folder, library, name);
	if (before && is_in(before, path))
		return 0;
	if (!access(path, R_OK))
		return ksr_preload(command, path);
	ksr_failure(command, "%s: %s; %s without it, but less", path, strerror(errno), without);
	if (note)
		*note = " (missing)";
	return 0;
}
