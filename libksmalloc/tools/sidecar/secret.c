/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "sidecar/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* More than any token has: what is longer the exporter refuses. */
#define BYTES_MOST 4096

int ksr_secret_open(const char *path, char why[KSR_SECRET_WHY])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	int error = fd < 0 || fstat(fd, &status) ? -errno : 0;

	if (error)
		snprintf(why, KSR_SECRET_WHY, "%s", strerror(-error));
	else if (!S_ISREG(status.st_mode)) {
		snprintf(why, KSR_SECRET_WHY, "it is no file");
		error = -EINVAL;
	} else if (status.st_mode & 022) {
		snprintf(why, KSR_SECRET_WHY, "others than its owner may write to it; chmod go-w");
		error = -EPERM;
	}
	if (error && fd >= 0)
		close(fd);
	return error ? error : fd;
}

int ksr_secret_hand_on(int fd, char made[KSR_SECRET_PATH], char why[KSR_SECRET_WHY])
{
	char text[BYTES_MOST];
	ssize_t bytes = read(fd, text, sizeof(text));
	int copy = bytes < 0 ? -1 : memfd_create("ksmalloc-token", 0);
	int error = 0;

	/* What is executed opens it again, as this user. */
	if (copy < 0 || fchmod(copy, 0600) || write(copy, text, (size_t)bytes) != bytes)
		error = -errno;
	explicit_bzero(text, sizeof(text));
	close(fd);
	if (error) {
		snprintf(why, KSR_SECRET_WHY, "%s", strerror(-error));
		if (copy >= 0)
			close(copy);
		return error;
	}
	snprintf(made, KSR_SECRET_PATH, "/proc/self/fd/%d", copy);
	return 0;
}

int ksr_secret_changed(const char *path, struct stat *last)
{
	struct stat status;
	bool same;

	if (stat(path, &status)) {
		int error = -errno;

		memset(last, 0, sizeof(*last));
		return error;
	}
	same = status.st_dev == last->st_dev && status.st_ino == last->st_ino && status.st_size == last->st_size &&
	       status.st_mtim.tv_sec == last->st_mtim.tv_sec && status.st_mtim.tv_nsec == last->st_mtim.tv_nsec;
	*last = status;
	return !same;
}
