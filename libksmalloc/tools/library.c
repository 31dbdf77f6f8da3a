/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "library.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"

/*
 * The first of the names that there is in a folder. Only the folder's links are followed: the name with the
 * version of the interface outlives an upgrade, and children of a service are started after one, too.
 */
static char *find_in(const char *folder)
{
	static const char *const names[] = {"libksmalloc.so." KSMALLOC_SOVERSION, "libksmalloc.so"};
	char *real = realpath(folder, NULL);
	char *found = NULL;

	for (size_t i = 0; real && !found && i < KSM_COUNT_OF(names); i++) {
		if (asprintf(&found, "%s/%s", real, names[i]) < 0)
			found = NULL;
		else if (access(found, R_OK)) {
			free(found);
			found = NULL;
		}
	}
	free(real);
	return found;
}

char *ksr_library_find(void)
{
	static const char *const places[] = {".", KSMALLOC_LIBDIR, "../lib", "../lib64"};
	char self[PATH_MAX];
	char *found = NULL;
	ssize_t length;

	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length <= 0)
		return NULL;
	self[length] = '\0';
	for (size_t i = 0; i < KSM_COUNT_OF(places) && !found; i++) {
		char path[2 * PATH_MAX];

		snprintf(path, sizeof(path), "%.*s/%s", (int)(strrchr(self, '/') - self), self, places[i]);
		found = find_in(path);
	}
	return found;
}
