/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "read/pagemap.h"

#include <errno.h>
#include <unistd.h>

ssize_t ksr_pagemap_read(int fd, uint64_t page, size_t count, uint64_t *entries)
{
	ssize_t got = pread(fd, entries, count * sizeof(*entries), (off_t)(page * sizeof(*entries)));

	return got < 0 ? -errno : got / (ssize_t)sizeof(*entries);
}
