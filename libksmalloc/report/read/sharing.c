/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "read/sharing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "read/pagemap.h"

/* A bit of /proc/kpageflags, from the kernel's documentation. */
#define KPAGEFLAG_KSM (UINT64_C(1) << 21)
#define SHARING_BATCH 4096

static bool read_kernel_page(int fd, uint64_t pfn, uint64_t *value)
{
	return pread(fd, value, sizeof(*value), (off_t)(pfn * sizeof(*value))) == sizeof(*value);
}

/*
 * Is the flag of KSM set for an anonymous page that is new? Linux 6.12 and others of its time set
 * it for all of them. Without a frame number nobody can tell, and nobody can use flags either.
 */
static bool flags_lie(const struct ksr_fs *fs, int flags_fd)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	int map_fd = ksr_fs_open(fs, O_RDONLY, "proc/self/pagemap");
	uint64_t *page =
		mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t flags = 0;
	uint64_t entry = 0;

	if (page != MAP_FAILED) {
		*page = 1;
		if (map_fd >= 0 &&
		    ksr_pagemap_read(map_fd, (uintptr_t)page / page_bytes, 1, &entry) != 1)
			entry = 0;
		entry = entry & KSR_PAGEMAP_PRESENT ? entry & KSR_PAGEMAP_FRAME : 0;
		if (!entry || !read_kernel_page(flags_fd, entry, &flags))
			flags = 0;
		munmap(page, page_bytes);
	}
	if (map_fd >= 0)
		close(map_fd);
	return flags & KPAGEFLAG_KSM;
}

int ksr_page_flags_open(const struct ksr_fs *fs)
{
	int fd = ksr_fs_open(fs, O_RDONLY, "proc/kpageflags");

	if (fd < 0 || !flags_lie(fs, fd))
		return fd;
	close(fd);
	return -EOPNOTSUPP;
}

bool ksr_page_flags_tell(const struct ksr_fs *fs)
{
	int fd = ksr_page_flags_open(fs);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int count_batch(const uint64_t *entries, size_t count, int count_fd, int flags_fd,
		       uint64_t page_bytes, struct ksr_sharing *sharing)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t pfn = entries[i] & KSR_PAGEMAP_FRAME;
		uint64_t mapped;
		uint64_t flags;

		if (!(entries[i] & KSR_PAGEMAP_PRESENT))
			continue;
		if (pfn == 0)
			return -EPERM;
		if (!read_kernel_page(count_fd, pfn, &mapped) ||
		    !read_kernel_page(flags_fd, pfn, &flags))
			return -EIO;
		if (flags & KPAGEFLAG_KSM)
			sharing->ksm_mapped += page_bytes;
		if (mapped < 2)
			continue;
		if (flags & KPAGEFLAG_KSM)
			sharing->ksm_saved += page_bytes - page_bytes / mapped;
		else
			sharing->fork_saved += page_bytes - page_bytes / mapped;
	}
	return 0;
}

int ksr_sharing_read(const struct ksr_fs *fs, pid_t pid, uint64_t begin, uint64_t end,
		     struct ksr_sharing *sharing)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	int map_fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/pagemap", (int)pid);
	int count_fd = ksr_fs_open(fs, O_RDONLY, "proc/kpagecount");
	int flags_fd = ksr_fs_open(fs, O_RDONLY, "proc/kpageflags");
	uint64_t *entries = malloc(SHARING_BATCH * sizeof(*entries));
	int error = 0;

	memset(sharing, 0, sizeof(*sharing));
	if (map_fd < 0 || count_fd < 0 || flags_fd < 0)
		error = -EPERM;
	else if (!entries)
		error = -ENOMEM;
	while (!error && begin < end) {
		uint64_t pages = ksm_min((end - begin) / page_bytes, SHARING_BATCH);
		ssize_t got = ksr_pagemap_read(map_fd, begin / page_bytes, pages, entries);

		if (got <= 0)
			error = got < 0 ? (int)got : -ESRCH;
		else
			error = count_batch(entries, (size_t)got, count_fd, flags_fd, page_bytes, sharing);
		begin += got > 0 ? (uint64_t)got * page_bytes : 0;
	}
	free(entries);
	if (map_fd >= 0)
		close(map_fd);
	if (count_fd >= 0)
		close(count_fd);
	if (flags_fd >= 0)
		close(flags_fd);
	return error;
}
