/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs of resident pages are read in one call each. */
#define _GNU_SOURCE
#include "read/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int ksr_reader_open(const struct ksr_fs *fs, const struct ksr_space *space,
		    struct ksr_reader *reader)
{
	int pid = (int)space->pid;

	reader->page_bytes = space->page_bytes;
	reader->space = space;
	reader->mem_fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/mem", pid);
	reader->map_fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/pagemap", pid);
	return reader->mem_fd < 0 ? reader->mem_fd : reader->map_fd < 0 ? reader->map_fd : 0;
}

void ksr_reader_close(struct ksr_reader *reader)
{
	if (reader->mem_fd >= 0)
		close(reader->mem_fd);
	if (reader->map_fd >= 0)
		close(reader->map_fd);
	reader->mem_fd = -1;
	reader->map_fd = -1;
}

bool ksr_is_private(uint64_t entry)
{
	return (entry & KSR_PAGEMAP_PRESENT) && !(entry & KSR_PAGEMAP_FILE);
}

/* Marks the store's pages among those of one range. */
static void mark_store(const struct ksr_reader *reader, const struct ksr_range *range, uint64_t address, size_t count,
		       uint64_t *entries)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t at = address + i * reader->page_bytes;

		if (at < range->begin || at >= range->end ||
		    ksr_pagemap_is_own(entries[i]) ||
		    !ksr_store_files_hold(&reader->space->store_files, range->store, range->store_offset + (at - range->begin)))
			continue;
		entries[i] &= ~(KSR_PAGEMAP_FILE | KSR_PAGEMAP_SWAPPED);
		entries[i] |= KSR_PAGEMAP_STORE | KSR_PAGEMAP_PRESENT;
	}
}

static void mark_stores(const struct ksr_reader *reader, uint64_t address, size_t count, uint64_t *entries)
{
	const struct ksr_space *space = reader->space;
	uint64_t end = address + count * reader->page_bytes;

	for (size_t i = ksr_space_first_behind(space, address);
	     i < space->range_count && space->ranges[i].begin < end; i++) {
		if (space->ranges[i].store)
			mark_store(reader, &space->ranges[i], address, count, entries);
	}
}

void ksr_reader_entries(const struct ksr_reader *reader, uint64_t address, size_t count,
			uint64_t *entries)
{
	ssize_t got = ksr_pagemap_read(reader->map_fd, address / reader->page_bytes, count, entries);
	size_t known = got > 0 ? (size_t)got : 0;

	memset(entries + known, 0, (count - known) * sizeof(*entries));
	mark_stores(reader, address, known, entries);
}

void ksr_reader_pages(const struct ksr_reader *reader, uint64_t address, size_t count,
		      uint64_t *entries, unsigned char *bytes)
{
	uint64_t page_bytes = reader->page_bytes;

	for (size_t i = 0; i < count;) {
		size_t end = i;
		ssize_t got;

		while (end < count && ksr_is_private(entries[end]))
			end++;
		if (end == i) {
			memset(bytes + i * page_bytes, 0, page_bytes);
			i++;
			continue;
		}
		got = pread(reader->mem_fd, bytes + i * page_bytes, (end - i) * page_bytes,
			    (off_t)(address + i * page_bytes));
		i += got > 0 ? (size_t)got / page_bytes : 0;
		if (i == end)
			continue;
		/* Gone in the meantime: the rest of the run is tried again after this page. */
		entries[i] = 0;
		memset(bytes + i * page_bytes, 0, page_bytes);
		i++;
	}
}
