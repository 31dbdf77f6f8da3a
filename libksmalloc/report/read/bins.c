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
#define MOST_PAGES (UINT64_C(1) << 44) /* the same: 64 TiB an arena */
#define PAGE_BYTES (4 * KSM_KIB) /* jemalloc's, which is built for no other */

static int read_memory(int fd, uint64_t address, void *to, size_t bytes)
{
	ssize_t got = pread(fd, to, bytes, (off_t)address);

	return got == (ssize_t)bytes ? 0 : got < 0 ? -errno : -ENODATA;
}

static uint64_t count_at(const char *data, size_t offset, uint64_t most)
{
	uint64_t count;

	memcpy(&count, data + offset, sizeof(count));
	return ksm_min(count, most / MOST_ARENAS);
}

/* Adds what one arena has; data has room for all up to the last offset. */
static int add_arena(int fd, const struct ksmalloc_segment_header *header, uint64_t arena, size_t first, size_t last,
		     char *data, struct ksr_bins *bins)
{
	const struct ksmalloc_segment_bins *told = &header->bins;
	int error = read_memory(fd, arena + first, data, last - first);

	for (uint32_t i = 0; i < bins->count && !error; i++)
		bins->live_bytes[i] += count_at(data, told->bins[i].offset - first, MOST_BLOCKS) * told->bins[i].bytes;
	for (uint32_t i = 0; i < header->kept.count && !error; i++)
		bins->kept_bytes += count_at(data, header->kept.offsets[i] - first, MOST_PAGES) * PAGE_BYTES;
	return error;
}

static void widen(uint32_t offset, size_t *first, size_t *last)
{
	*first = ksm_min(*first, offset);
	*last = ksm_max(*last, offset + sizeof(uint64_t));
}

static int add_arenas(int fd, const struct ksmalloc_segment_header *header, struct ksr_bins *bins)
{
	const struct ksmalloc_segment_bins *told = &header->bins;
	size_t first = MOST_OFFSET, last = 0;
	uint64_t *arenas = calloc(told->arena_count, sizeof(*arenas));
	char *data;
	int error;

	for (uint32_t i = 0; i < bins->count; i++)
		widen(told->bins[i].offset, &first, &last);
	for (uint32_t i = 0; i < header->kept.count; i++)
		widen(header->kept.offsets[i], &first, &last);
	data = malloc(last);
	error = arenas && data ?
			read_memory(fd, told->arenas_address, arenas, told->arena_count * sizeof(*arenas)) :
			-ENOMEM;
	for (uint32_t i = 0; i < told->arena_count && !error; i++) {
		if (arenas[i])
			error = add_arena(fd, header, arenas[i], first, last, data, bins);
	}
	free(arenas);
	free(data);
	return error;
}

/* What the process says of places is possible, and few MiB at most have to be read. */
static bool is_sound(const struct ksmalloc_segment_header *header)
{
	const struct ksmalloc_segment_bins *told = &header->bins;

	if (!told->arenas_address || !told->count || told->count > KSMALLOC_MAX_BINS || !told->arena_count ||
	    told->arena_count > MOST_ARENAS || header->kept.count > KSMALLOC_MAX_KEPT)
		return false;
	for (uint32_t i = 0; i < told->count; i++) {
		if (told->bins[i].offset > MOST_OFFSET || told->bins[i].bytes > KSM_MIB)
			return false;
	}
	for (uint32_t i = 0; i < header->kept.count; i++) {
		if (header->kept.offsets[i] > MOST_OFFSET)
			return false;
	}
	return true;
}

int ksr_bins_read(const struct ksr_fs *fs, const struct ksr_snapshot *snapshot, struct ksr_bins *bins)
{
	const struct ksmalloc_segment_bins *told = &snapshot->header.bins;
	int error;
	int fd;

	memset(bins, 0, sizeof(*bins));
	if (!fs || !fs->live || !is_sound(&snapshot->header))
		return -ENOENT;
	bins->count = told->count;
	for (uint32_t i = 0; i < told->count; i++)
		bins->block_bytes[i] = told->bins[i].bytes;
	fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/mem", (int)snapshot->pid);
	if (fd < 0)
		return fd;
	error = add_arenas(fd, &snapshot->header, bins);
	close(fd);
	return error;
}
