/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "beside.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME_BYTES 64

int ksr_beside_execute(const struct ksr_command *command, const char *program, char **argv)
{
	char path[PATH_MAX + NAME_BYTES];
	ssize_t bytes = readlink("/proc/self/exe", path, PATH_MAX);
	char *slash;

	if (bytes < 0)
		return ksr_failure(command, "cannot find the command's folder: %s", strerror(errno));
	path[bytes] = '\0';
	slash = strrchr(path, '/');
	snprintf(slash ? slash + 1 : path, NAME_BYTES, "%s", program);
	execv(path, argv);
	if (errno == ENOENT)
		return ksr_failure(command, "there is no '%s'; on Debian it is in the package %s", path, program);
	return ksr_failure(command, "cannot execute '%s': %s", path, strerror(errno));
}
