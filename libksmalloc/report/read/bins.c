/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "read/bins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_ARENAS 4096u
#define MOST_OFFSET (256 * KSM_KIB)
#define MOST_BLOCKS (UINT64_C(1) << 40) /* of one class; more is no count of ours */

static int read_memory(int fd, uint64_t address, void *to, size_t bytes)
{
	ssize_t got = pread(fd, to, bytes, (off_t)address);

	return got == (ssize_t)bytes ? 0 : got < 0 ? -errno : -ENODATA;
}

/* Adds what one arena has; data has room for all up to the last offset. */
static int add_arena(int fd, const struct ksmalloc_segment_bins *told, uint64_t arena, size_t first, size_t last,
		     char *data, struct ksr_bins *bins)
{
	int error = read_memory(fd, arena + first, data, last - first);

	for (uint32_t i = 0; i < bins->count && !error; i++) {
		uint64_t blocks;

		memcpy(&blocks, data + told->bins[i].offset - first, sizeof(blocks));
		bins->live_bytes[i] += ksm_min(blocks, MOST_BLOCKS / MOST_ARENAS) * told->bins[i].bytes;
	}
	return error;
}

static int add_arenas(int fd, const struct ksmalloc_segment_bins *told, struct ksr_bins *bins)
{
	size_t first = MOST_OFFSET, last = 0;
	uint64_t *arenas = calloc(told->arena_count, sizeof(*arenas));
	char *data;
	int error;

	for (uint32_t i = 0; i < bins->count; i++) {
		first = ksm_min(first, told->bins[i].offset);
		last = ksm_max(last, told->bins[i].offset + sizeof(uint64_t));
	}
	data = malloc(last);
	error = arenas && data ?
			read_memory(fd, told->arenas_address, arenas, told->arena_count * sizeof(*arenas)) :
			-ENOMEM;
	for (uint32_t i = 0; i < told->arena_count && !error; i++) {
		if (arenas[i])
			error = add_arena(fd, told, arenas[i], first, last, data, bins);
	}
	free(arenas);
	free(data);
	return error;
}

int ksr_bins_read(const struct ksr_fs *fs, const struct ksr_snapshot *snapshot, struct ksr_bins *bins)
{
	const struct ksmalloc_segment_bins *told = &snapshot->header.bins;
	int error;
	int fd;

	memset(bins, 0, sizeof(*bins));
	if (!fs || !fs->live || !told->arenas_address || !told->count || told->count > KSMALLOC_MAX_BINS ||
	    !told->arena_count || told->arena_count > MOST_ARENAS)
		return -ENOENT;
	bins->count = told->count;
	for (uint32_t i = 0; i < told->count; i++) {
		if (told->bins[i].offset > MOST_OFFSET || told->bins[i].bytes > KSM_MIB)
			return -ENOENT;
		bins->block_bytes[i] = told->bins[i].bytes;
	}
	fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/mem", (int)snapshot->pid);
	if (fd < 0)
		return fd;
	error = add_arenas(fd, told, bins);
	close(fd);
	return error;
}
