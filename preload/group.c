/* SPDX-License-Identifier: BSD-2-Clause */
#include "group.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool ksh_group_seed(struct ksmalloc_seed *seed)
{
	const char *layout = secure_getenv("KSMALLOC_LAYOUT");
	const char *path = secure_getenv("KSMALLOC_SEED");
	struct stat status;
	ssize_t got;
	int fd;

	if (!layout || strcmp(layout, "shared") != 0 || !path)
		return false;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = fstat(fd, &status) ? -1 : pread(fd, seed, sizeof(*seed), 0);
	close(fd);
	return got >= 0 && !ksmalloc_seed_problem(seed, (size_t)got, &status, geteuid());
}
