/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "sidecar/fill.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MOST 32

struct filling {
	int from;
	int to;
	char done[FILES_MOST][NAME_MAX + 1]; /* that were not there before */
	size_t done_count;
};

static int copy_bytes(int from, int to, off_t bytes)
{
	off_t at = 0;

	while (at < bytes) {
		ssize_t sent = sendfile(to, from, &at, (size_t)(bytes - at));

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return sent < 0 ? -errno : -EIO;
	}
	return 0;
}

/* Whole under a name of its own first: a program that is started meanwhile finds the old file or the new one. */
static int copy_file(struct filling *filling, int from, const char *name, const struct stat *status)
{
	char new_name[NAME_MAX + 8];
	struct stat before;
	bool is_new = fstatat(filling->to, name, &before, AT_SYMLINK_NOFOLLOW) != 0;
	int error;
	int to;

	snprintf(new_name, sizeof(new_name), ".%s.new", name);
	unlinkat(filling->to, new_name, 0);
	to = openat(filling->to, new_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	error = copy_bytes(from, to, status->st_size);
	/* Any user's program has to read it, and nobody has to change it. */
	if (!error && fchmod(to, 0555))
		error = -errno;
	if (close(to) && !error)
		error = -errno;
	if (!error && renameat(filling->to, new_name, filling->to, name))
		error = -errno;
	if (error)
		unlinkat(filling->to, new_name, 0);
	else if (is_new && filling->done_count < FILES_MOST)
		strcpy(filling->done[filling->done_count++], name);
	return error;
}

static int copy_entry(struct filling *filling, const char *name, char *why)
{
	int from = openat(filling->from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;
	int error = from < 0 || fstat(from, &status) ? -errno : 0;

	if (!error && S_ISREG(status.st_mode))
		error = copy_file(filling, from, name, &status);
	if (error)
		snprintf(why, KSR_FILL_WHY, "%s: %s", name, strerror(-error));
	if (from >= 0)
		close(from);
	return error;
}

/* The folder is an image's root, where engines put files of their own whose names begin with a dot. */
static int copy_all(struct filling *filling, char *why)
{
	DIR *folder = fdopendir(dup(filling->from));
	const struct dirent *entry;
	int error = folder ? 0 : -errno;

	/* An installed command lies among others that are none of ours. */
	if (!error && faccessat(filling->from, KSR_FILL_LAST, R_OK, 0)) {
		error = -errno;
		snprintf(why, KSR_FILL_WHY, "%s is not beside the command, as it is in the image", KSR_FILL_LAST);
	}
	while (!error && (entry = readdir(folder))) {
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, KSR_FILL_LAST) != 0)
			error = copy_entry(filling, entry->d_name, why);
	}
	if (folder)
		closedir(folder);
	return error ? error : copy_entry(filling, KSR_FILL_LAST, why);
}

static int open_own_folder(void)
{
	char path[PATH_MAX];
	ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (bytes <= 0)
		return -1;
	path[bytes] = '\0';
	strrchr(path, '/')[1] = '\0';
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A file that a cluster brings is a link to its latest form. */
static int copy_one(struct filling *filling, const char *path, char *why)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	int error = from < 0 || fstat(from, &status) ? -errno : 0;

	if (!error)
		error = S_ISREG(status.st_mode) && strlen(name) <= NAME_MAX ? copy_file(filling, from, name, &status) : -EINVAL;
	if (error)
		snprintf(why, KSR_FILL_WHY, "%s: %s", name, strerror(-error));
	if (from >= 0)
		close(from);
	return error;
}

int ksr_fill(const char *folder, const char *only, char why[KSR_FILL_WHY])
{
	struct filling filling = {.from = open_own_folder()};
	int error = 0;

	filling.to = filling.from < 0 ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (filling.to < 0) {
		error = -errno;
		snprintf(why, KSR_FILL_WHY, "%s", strerror(-error));
	} else {
		error = only ? copy_one(&filling, only, why) : copy_all(&filling, why);
	}
	for (; error && filling.done_count > 0; filling.done_count--)
		unlinkat(filling.to, filling.done[filling.done_count - 1], 0);
	if (filling.to >= 0)
		close(filling.to);
	if (filling.from >= 0)
		close(filling.from);
	return error;
}
