/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "read/store_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "read/grow.h"
#include "read/pagemap.h"

/* Of files and of their pieces no more are looked at: a process may map and make what it wants. */
#define MOST_FILES 1024
#define MOST_PIECES (1u << 20)
/* Processes in which a file that they map is looked for: most have open what they map. */
#define TRIES 3
/* Entries of pagemap that are read at once. */
#define AT_ONCE 512u

/* Where a file has pages: [begin, end). */
struct piece {
	uint64_t begin;
	uint64_t end;
	uint64_t before; /* bytes of all pieces before this one */
};

struct ksr_store_file {
	uint64_t inode;
	struct piece *pieces; /* in their order; NULL if nothing is known */
	size_t count;
	bool is_known;
	bool is_wanted; /* by the process that is looked at */
	unsigned int tries;
};

/* NULL if it was not asked for yet. */
static struct ksr_store_file *find(struct ksr_store_files *files, uint64_t inode)
{
	if (files->last < files->count && files->list[files->last].inode == inode)
		return &files->list[files->last];
	for (files->last = 0; files->last < files->count; files->last++) {
		if (files->list[files->last].inode == inode)
			return &files->list[files->last];
	}
	return NULL;
}

/* The file, as it is known, or a new one; NULL if there are too many, or without memory. */
static struct ksr_store_file *file_of(struct ksr_store_files *files, uint64_t inode)
{
	struct ksr_store_file *larger = find(files, inode);

	if (larger)
		return larger;
	if (files->count == MOST_FILES)
		return NULL;
	larger = ksr_grow_by_count(files->list, files->count, sizeof(*larger));
	if (!larger)
		return NULL;
	files->list = larger;
	larger = &larger[files->count++];
	*larger = (struct ksr_store_file){.inode = inode};
	return larger;
}

/* --- reading a file ------------------------------------------------------------------------------ */

/* The next piece from here on; false at the end. */
static bool next_piece(int fd, uint64_t from, struct piece *piece)
{
	off_t begin = lseek(fd, (off_t)from, SEEK_DATA);
	off_t end = begin < 0 ? -1 : lseek(fd, begin, SEEK_HOLE);

	if (end <= begin)
		return false;
	piece->begin = (uint64_t)begin;
	piece->end = (uint64_t)end;
	return true;
}

static void read_pieces(struct ksr_store_files *files, struct ksr_store_file *file, int fd)
{
	struct piece next = {.end = 0};

	file->is_known = true;
	for (uint64_t before = 0; next_piece(fd, next.end, &next); before += next.end - next.begin) {
		struct piece *larger = files->pieces < MOST_PIECES ?
					       ksr_grow_by_count(file->pieces, file->count, sizeof(*larger)) : NULL;

		if (!larger) {
			file->is_known = false;
			file->tries = TRIES;
			return;
		}
		next.before = before;
		file->pieces = larger;
		larger[file->count++] = next;
		files->pieces++;
	}
}

/* --- finding it among what a process has open ----------------------------------------------------- */

struct search {
	struct ksr_store_files *files;
	const struct ksr_fs *fs;
	pid_t pid;
	size_t wanted; /* files that are not found yet */
};

/* What lies behind a descriptor may be another file from one moment to the next: the one that is open counts. */
static void look_at_open(struct search *search, int path_fd)
{
	struct ksr_store_file *file;
	struct stat status;
	int fd = ksr_fs_reopen(path_fd, &status);

	if (fd < 0)
		return;
	file = find(search->files, status.st_ino);
	if (file && file->is_wanted) {
		read_pieces(search->files, file, fd);
		file->is_wanted = false;
		search->wanted--;
	}
	close(fd);
}

static int look_at_descriptor(const char *name, void *user)
{
	struct search *search = user;
	char target[128];
	struct ksr_map_line link = {.path = target};
	int length = ksr_fs_read_link(search->fs, target, sizeof(target), "proc/%d/fd/%.20s", (int)search->pid, name);
	int path_fd;

	if (length < 0)
		return 0;
	link.path_bytes = (size_t)length;
	if (!ksr_is_store(&link))
		return 0;
	path_fd = ksr_fs_open(search->fs, O_PATH, "proc/%d/fd/%.20s", (int)search->pid, name);
	if (path_fd < 0)
		return 0;
	look_at_open(search, path_fd);
	close(path_fd);
	return search->wanted == 0;
}

static void find_files(struct ksr_store_files *files, const struct ksr_fs *fs, pid_t pid, size_t wanted)
{
	struct search search = {files, fs, pid, wanted};
	char folder[64];

	snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)pid);
	/* Of a process that has ended, or that may not be looked at, nothing is known. */
	(void)ksr_fs_list_folder(folder, look_at_descriptor, &search);
	for (size_t i = 0; i < files->count; i++) {
		files->list[i].tries += files->list[i].is_wanted;
		files->list[i].is_wanted = false;
	}
}

/* --- what mappings have of it --------------------------------------------------------------------- */

/* How many pieces begin below this offset. */
static size_t pieces_below(const struct ksr_store_file *file, uint64_t offset)
{
	size_t low = 0;
	size_t high = file->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (file->pieces[middle].begin < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Bytes of all pieces below this offset. */
static uint64_t bytes_below(const struct ksr_store_file *file, uint64_t offset)
{
	size_t count = pieces_below(file, offset);
	const struct piece *last = count ? &file->pieces[count - 1] : NULL;

	return last ? last->before + ksm_min(offset, last->end) - last->begin : 0;
}

/* --- copies over holes ----------------------------------------------------------------------------- */

/*
 * Bytes of [begin, end) of the process that are its own. What was carried over into a mapping of the store lies in it without
 * a page of the file.
 */
static uint64_t own_between(int map_fd, uint64_t begin, uint64_t end, uint64_t page_bytes)
{
	uint64_t entries[AT_ONCE];
	uint64_t own = 0;

	for (uint64_t at = begin; at < end;) {
		size_t wanted = (size_t)ksm_min(AT_ONCE, (end - at) / page_bytes);
		ssize_t got = ksr_pagemap_read(map_fd, at / page_bytes, wanted, entries);

		if (got <= 0)
			break;
		for (ssize_t i = 0; i < got; i++)
			own += page_bytes * ksr_pagemap_is_own(entries[i]);
		at += (uint64_t)got * page_bytes;
	}
	return own;
}

/* Bytes of the process's own pages over holes of the file. */
static uint64_t own_over_holes(const struct ksr_store_file *file, int map_fd, const struct ksr_vma *vma)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t end = vma->offset + (vma->end - vma->begin);
	uint64_t to_address = vma->begin - vma->offset; /* modulo 2^64 */
	uint64_t at = vma->offset;
	uint64_t own = 0;

	for (size_t i = pieces_below(file, at + 1); at < end; i++) {
		const struct piece *before = i ? &file->pieces[i - 1] : NULL;
		uint64_t next = i < file->count ? ksm_min(file->pieces[i].begin, end) : end;

		at = before ? ksm_max(at, before->end) : at;
		if (at < next)
			own += own_between(map_fd, at + to_address, next + to_address, page_bytes);
		at = ksm_max(at, next);
	}
	return own;
}

struct look {
	struct ksr_store_files *files;
	const struct ksr_fs *fs;
	pid_t pid;
	int map_fd; /* -1: not open yet, or it cannot be opened */
	bool is_asked;
};

static void set_hollow(struct look *look, struct ksr_vma *vma)
{
	const struct ksr_store_file *file = find(look->files, vma->inode);
	uint64_t bytes = vma->end - vma->begin;

	if (!file || !file->is_known || bytes > UINT64_MAX - vma->offset)
		return;
	vma->hollow = bytes - (bytes_below(file, vma->offset + bytes) - bytes_below(file, vma->offset));
	if (!vma->hollow || !(vma->anonymous + vma->swap))
		return;
	if (!look->is_asked)
		look->map_fd = ksr_fs_open(look->fs, O_RDONLY, "proc/%d/pagemap", (int)look->pid);
	look->is_asked = true;
	if (look->map_fd >= 0)
		vma->hollow -= own_over_holes(file, look->map_fd, vma); /* never more: those are pages of the same holes */
}

void ksr_store_files_look(struct ksr_store_files *files, const struct ksr_fs *fs, pid_t pid, struct ksr_smaps *smaps)
{
	struct look look = {.files = files, .fs = fs, .pid = pid, .map_fd = -1};
	size_t wanted = 0;

	for (size_t i = 0; i < smaps->count && fs->live; i++) {
		const struct ksr_vma *vma = &smaps->vmas[i];
		struct ksr_store_file *file = vma->flags & KSR_VMA_STORE ? file_of(files, vma->inode) : NULL;

		if (file && !file->is_known && !file->is_wanted && file->tries < TRIES) {
			file->is_wanted = true;
			wanted++;
		}
	}
	if (wanted)
		find_files(files, fs, pid, wanted);
	for (size_t i = 0; i < smaps->count && fs->live; i++) {
		if (smaps->vmas[i].flags & KSR_VMA_STORE)
			set_hollow(&look, &smaps->vmas[i]);
	}
	if (look.map_fd >= 0)
		close(look.map_fd);
}

bool ksr_store_files_hold(const struct ksr_store_files *files, uint64_t inode, uint64_t offset)
{
	const struct ksr_store_file *file = NULL;
	size_t count;

	for (size_t i = 0; i < files->count && !file; i++)
		file = files->list[i].inode == inode ? &files->list[i] : NULL;
	if (!file || !file->is_known)
		return true;
	count = pieces_below(file, offset + 1);
	return count && offset < file->pieces[count - 1].end;
}

void ksr_store_files_free(struct ksr_store_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->list[i].pieces);
	free(files->list);
	memset(files, 0, sizeof(*files));
}
