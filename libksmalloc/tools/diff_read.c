/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs of resident pages are read in one call each. */
#define _GNU_SOURCE
#include "diff_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int ksr_reader_open(const struct ksr_fs *fs, pid_t pid, uint64_t page_bytes,
		    struct ksr_reader *reader)
{
	reader->page_bytes = page_bytes;
	reader->mem_fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/mem", (int)pid);
	reader->map_fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/pagemap", (int)pid);
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

void ksr_reader_entries(const struct ksr_reader *reader, uint64_t address, size_t count,
			uint64_t *entries)
{
	ssize_t got = pread(reader->map_fd, entries, count * sizeof(*entries),
			    (off_t)(address / reader->page_bytes * sizeof(*entries)));
	size_t known = got > 0 ? (size_t)got / sizeof(*entries) : 0;

	memset(entries + known, 0, (count - known) * sizeof(*entries));
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
