/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "read/presence.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "read/pagemap.h"

#define IS_THERE (KSR_PAGEMAP_PRESENT | KSR_PAGEMAP_SWAPPED)

#define MOST_PAGES (UINT64_C(1) << 18)
#define AT_ONCE	   4096u

static int sum_up(int fd, struct ksr_presence *presence, uint64_t first)
{
	uint64_t *entries = malloc(AT_ONCE * sizeof(*entries));
	int error = entries ? 0 : -ENOMEM;

	for (size_t page = 0; page < presence->pages && !error;) {
		size_t wanted = ksm_min(AT_ONCE, presence->pages - page);
		ssize_t got = ksr_pagemap_read(fd, first + page, wanted, entries);

		if (got != (ssize_t)wanted)
			error = got < 0 ? (int)got : -ENODATA;
		for (size_t i = 0; i < wanted && !error; i++, page++)
			presence->below[page + 1] = presence->below[page] + ((entries[i] & IS_THERE) != 0);
	}
	free(entries);
	return error ? error : presence->below[presence->pages] ? 0 : -ENODATA;
}

int ksr_presence_read(const struct ksr_fs *fs, pid_t pid, uint64_t begin, uint64_t end,
		      struct ksr_presence *presence)
{
	int error;
	int fd;

	memset(presence, 0, sizeof(*presence));
	presence->begin = begin;
	presence->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	if ((end - begin) / presence->page_bytes > MOST_PAGES)
		return -E2BIG;
	fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/pagemap", (int)pid);
	if (fd < 0)
		return fd;
	presence->pages = (size_t)((end - begin) / presence->page_bytes);
	presence->below = calloc(presence->pages + 1, sizeof(*presence->below));
	error = presence->below ? sum_up(fd, presence, begin / presence->page_bytes) : -ENOMEM;
	close(fd);
	if (error)
		ksr_presence_free(presence);
	return error;
}

void ksr_presence_free(struct ksr_presence *presence)
{
	free(presence->below);
	presence->below = NULL;
	presence->pages = 0;
}

uint64_t ksr_presence_below(const struct ksr_presence *presence, uint64_t address)
{
	size_t page = (size_t)((address - presence->begin) / presence->page_bytes);

	return presence->below[ksm_min(page, presence->pages)];
}
