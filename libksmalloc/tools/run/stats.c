/* SPDX-License-Identifier: BSD-2-Clause */
/* The folders, and their order, are those of create_file() in the library's stat.c. */
#define _GNU_SOURCE
#include "run/stats.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "read/fs.h"

static bool is_restricted(void)
{
	struct ksr_fs fs;
	uint64_t scope = 0;

	if (geteuid() == 0 || ksr_fs_init(&fs, NULL))
		return false;
	(void)ksr_fs_read_u64(&fs, &scope, "proc/sys/kernel/yama/ptrace_scope");
	ksr_fs_fini(&fs);
	return scope > 0;
}

static bool was_said(void)
{
	const char *list = getenv("KSMALLOC_CONF");
	const char *stats = getenv("KSMALLOC_STATS");

	return getenv("KSMALLOC_STATS_DIR") || getenv("KSMALLOC_STATS_GROUP") ||
	       (stats && strcmp(stats, "0") == 0) || (list && strstr(list, "stats"));
}

/* Makes the folder unless it is there; false if it is not the user's alone. */
static bool make(const char *path)
{
	struct stat status;

	if (mkdir(path, 0700) && errno != EEXIST)
		return false;
	return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
	       status.st_uid == geteuid() && (status.st_mode & 0022) == 0;
}

void ksr_run_stats(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	unsigned int user = (unsigned int)geteuid();
	char path[PATH_MAX];
	bool made = false;

	if (!is_restricted() || was_said())
		return;
	if (runtime && runtime[0] == '/' &&
	    snprintf(path, sizeof(path), "%s/ksmalloc", runtime) < (int)sizeof(path))
		made = make(path);
	if (!made) {
		snprintf(path, sizeof(path), "/run/user/%u/ksmalloc", user);
		made = make(path);
	}
	if (!made) {
		snprintf(path, sizeof(path), "/dev/shm/ksmalloc-%u", user);
		made = make(path);
	}
	if (made)
		setenv("KSMALLOC_STATS_DIR", path, 1);
}
