/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "sidecar/member.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ksmalloc/seed.h"

#define FOLDER "/dev/shm"
#define PREFIX "ksmalloc-"

/* The folder's name has the user's number; its owner has to be that user, and nobody else may write to it. */
static bool is_users(int folder, const char *name, struct ksr_pod_user *user, bool *foreign)
{
	struct stat status;
	char *end;
	unsigned long number = strtoul(name + strlen(PREFIX), &end, 10);

	*foreign = false;
	if (end == name + strlen(PREFIX) || *end || fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(status.st_mode))
		return false;
	*user = (struct ksr_pod_user){status.st_uid, status.st_gid};
	*foreign = status.st_uid != number || status.st_mode & 022;
	return !*foreign;
}

/* Root without its rights sees whose folder it is, and not what is in it. */
static bool has_seed(int folder, const char *name, const char *group)
{
	char path[NAME_MAX + 128];
	struct stat status;

	snprintf(path, sizeof(path), "%s/%s%s", name, KSMALLOC_SEED_PREFIX, group);
	return fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW) == 0 ? S_ISREG(status.st_mode) : errno == EACCES;
}

/* The folder's group may be another one than the process's: of root's own it is not asked. */
static bool is_better(const struct ksr_pod_user *user, const struct ksr_pod_user *found, bool any)
{
	if (geteuid() != 0 && user->user != geteuid())
		return false;
	return !any || user->user == geteuid() || (found->user != geteuid() && user->user < found->user);
}

bool ksr_pod_find_user(const char *group, struct ksr_pod_user *found, uid_t *foreign)
{
	DIR *folder = opendir(FOLDER);
	const struct dirent *entry;
	bool any = false;

	while (folder && (entry = readdir(folder))) {
		struct ksr_pod_user user;
		bool others;

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		if (is_users(dirfd(folder), entry->d_name, &user, &others)) {
			if (has_seed(dirfd(folder), entry->d_name, group) && is_better(&user, found, any)) {
				*found = user;
				any = true;
			}
		} else if (others && !*foreign) {
			*foreign = (uid_t)strtoul(entry->d_name + strlen(PREFIX), NULL, 10);
		}
	}
	if (folder)
		closedir(folder);
	return any;
}

/* Of the line that the kernel writes; the name in it may have anything in it. */
static bool read_process_group(const char *pid, int *process_group)
{
	char path[64];
	char text[512];
	const char *end;
	ssize_t bytes;
	int file;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	file = open(path, O_RDONLY | O_CLOEXEC);
	bytes = file < 0 ? -1 : read(file, text, sizeof(text) - 1);
	if (file >= 0)
		close(file);
	if (bytes <= 0)
		return false;
	text[bytes] = '\0';
	end = strrchr(text, ')');
	return end && sscanf(end + 1, " %*c %*d %d", process_group) == 1;
}

/* The name of the next process that is neither the first one nor of the caller's process group; NULL: there is none any more. */
static const char *next_other(DIR *folder)
{
	const struct dirent *entry;
	int process_group;

	while (folder && (entry = readdir(folder))) {
		if (!entry->d_name[strspn(entry->d_name, "0123456789")] && strcmp(entry->d_name, "1") != 0 &&
		    read_process_group(entry->d_name, &process_group) && process_group != getpgrp())
			return entry->d_name;
	}
	return NULL;
}

bool ksr_pod_has_others(void)
{
	DIR *folder = opendir("/proc");
	bool found = next_other(folder) != NULL;

	if (folder)
		closedir(folder);
	return found;
}

static bool is_of_user(const char *pid, uid_t user)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%.20s", pid);
	return stat(path, &status) == 0 && status.st_uid == user;
}

bool ksr_pod_may_trace(void)
{
	DIR *folder = opendir("/proc");
	const char *pid;
	bool closed_one = false;
	bool open_one = false;

	while (!open_one && (pid = next_other(folder))) {
		char path[64];

		if (!is_of_user(pid, geteuid()))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/exe", pid);
		open_one = access(path, F_OK) == 0;
		closed_one = closed_one || !open_one;
	}
	if (folder)
		closedir(folder);
	return open_one || !closed_one;
}
