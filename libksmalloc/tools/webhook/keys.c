/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "webhook/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST (1 << 20)

static int read_all(int fd, size_t bytes, char **text)
{
	size_t got = 0;

	*text = calloc(1, bytes + 1);
	if (!*text)
		return -ENOMEM;
	while (got < bytes) {
		ssize_t part = read(fd, *text + got, bytes - got);

		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return part < 0 ? -errno : -EIO;
		got += (size_t)part;
	}
	return 0;
}

static int read_file(const char *path, char **text, struct stat *seen, char why[KSR_KEYS_WHY])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error = fd < 0 || fstat(fd, seen) ? -errno : 0;

	if (!error && (!S_ISREG(seen->st_mode) || seen->st_size <= 0 || seen->st_size > MOST))
		error = -EINVAL;
	if (!error)
		error = read_all(fd, (size_t)seen->st_size, text);
	if (fd >= 0)
		close(fd);
	if (error)
		snprintf(why, KSR_KEYS_WHY, "'%.300s': %s", path,
			 error == -EINVAL ? "it is no file of PEM" : strerror(-error));
	return error;
}

int ksr_keys_read(const char *certificate, const char *key, struct ksr_keys *keys, char why[KSR_KEYS_WHY])
{
	int error;

	memset(keys, 0, sizeof(*keys));
	error = read_file(certificate, &keys->certificate, &keys->seen[0], why);
	if (!error)
		error = read_file(key, &keys->key, &keys->seen[1], why);
	if (error)
		ksr_keys_destroy(keys);
	return error;
}

static bool is_other(const char *path, const struct stat *seen)
{
	struct stat now;

	/* One that is gone for a moment is being replaced. */
	return stat(path, &now) == 0 &&
	       (now.st_ino != seen->st_ino || now.st_dev != seen->st_dev || now.st_size != seen->st_size ||
		now.st_mtim.tv_sec != seen->st_mtim.tv_sec || now.st_mtim.tv_nsec != seen->st_mtim.tv_nsec);
}

bool ksr_keys_are_old(const struct ksr_keys *keys, const char *certificate, const char *key)
{
	return is_other(certificate, &keys->seen[0]) || is_other(key, &keys->seen[1]);
}

void ksr_keys_destroy(struct ksr_keys *keys)
{
	if (keys->key)
		explicit_bzero(keys->key, strlen(keys->key));
	free(keys->key);
	free(keys->certificate);
	keys->key = NULL;
	keys->certificate = NULL;
}
