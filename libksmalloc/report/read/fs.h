/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs: all file access of the report side, below a replaceable root.
 *
 * What it is: opening, reading, listing and replacing files, and the small
 * text helpers (lines, entries, a line of maps) that every reader of /proc needs. The
 * root is "/" on a live system; any other root is a recorded tree that holds
 * proc/ and sys/ as they were, so that every view can be tested without a
 * kernel that merges.
 *
 * What it is not: a place that knows what a file means.
 *
 * Invariants: paths are relative to the root and have no leading slash. A text
 * that was read ends with a NUL that is not counted in its size.
 *
 * Locking and owner: a ksr_fs is read-only after init and may be shared.
 *
 * Failure: functions return 0 or a descriptor, or -errno; errno is not set for
 * the caller to read.
 */
#ifndef KSR_READ_FS_H
#define KSR_READ_FS_H

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base.h"

struct ksr_fs {
	int root_fd;
	bool live; /* the root is "/": devices, inodes and other processes' memory are real */
};

/* A whole file in memory. */
struct ksr_text {
	char *data; /* NUL terminated, never NULL after a successful read */
	size_t size;
};

/* One line of /proc/PID/maps, also the head of an entry of smaps. */
struct ksr_map_line {
	uint64_t begin;
	uint64_t end;
	uint64_t offset;
	uint64_t inode;
	unsigned int major;
	unsigned int minor;
	char perms[5];
	const char *path; /* points into the line; empty string when there is none */
	size_t path_bytes;
};

/* Files of /proc and /sys that are larger than this are not read at all. */
#define KSR_FS_TEXT_LIMIT (256 * KSM_MIB)

/* A NULL root is the live system. */
int ksr_fs_init(struct ksr_fs *fs, const char *root);
void ksr_fs_fini(struct ksr_fs *fs);

int ksr_fs_open(const struct ksr_fs *fs, int flags, const char *format, ...) KSM_PRINTF(3, 4);
int ksr_fs_read(const struct ksr_fs *fs, struct ksr_text *text, const char *format, ...)
	KSM_PRINTF(3, 4);
/* Reads at most limit bytes from a descriptor, which stays open. -EFBIG when there are more. */
int ksr_fs_read_fd(int fd, size_t limit, struct ksr_text *text);
/* Reads a file with one number. */
int ksr_fs_read_u64(const struct ksr_fs *fs, uint64_t *value, const char *format, ...)
	KSM_PRINTF(3, 4);
/* Writes a short string in one call, as sysfs wants it. */
int ksr_fs_write(const struct ksr_fs *fs, const char *value, const char *format, ...)
	KSM_PRINTF(3, 4);
bool ksr_fs_writable(const struct ksr_fs *fs, const char *format, ...) KSM_PRINTF(2, 3);
/* Length of what the link names, without a NUL being counted, or -errno. */
int ksr_fs_read_link(const struct ksr_fs *fs, char *target, size_t bytes, const char *format, ...)
	KSM_PRINTF(4, 5);
int ksr_fs_stat(const struct ksr_fs *fs, struct stat *status, const char *format, ...)
	KSM_PRINTF(3, 4);
void ksr_text_free(struct ksr_text *text);

/* All process ids below proc/, ascending; the caller frees the array. */
int ksr_fs_list_processes(const struct ksr_fs *fs, pid_t **pids, size_t *count);
/* Names in a host folder (not below the root); visit returns nonzero to stop. */
int ksr_fs_list_folder(const char *folder, int (*visit)(const char *name, void *user), void *user);

/* Opens for reading what was opened with O_PATH, which stays so, if it is a regular file; else -EINVAL. */
int ksr_fs_reopen(int path_fd, struct stat *status);

/*
 * Opens a regular file as the process sees it, following no link out of the
 * process's root and never opening a device or a FIFO. The path is absolute.
 */
int ksr_fs_open_in_process(const struct ksr_fs *fs, pid_t pid, const char *path,
			   struct stat *status);

/*
 * Opens a folder as the process sees it, for reading its entries; the same rules. A path that does
 * not begin with a slash counts from the working folder of the process.
 */
int ksr_fs_open_folder_in_process(const struct ksr_fs *fs, pid_t pid, const char *path);

/* Makes a host folder and its parents, mode 0700. */
int ksr_fs_make_folder(const char *folder);
/* Replaces a host file atomically; readers see the old or the new content. */
int ksr_fs_replace(const char *path, const char *data, size_t size);
/* The same of a file that others read (mode 0644), and that is to be there after a loss of power. */
int ksr_fs_install(const char *path, const char *data, size_t size);
/* The same of somebody's own file: it keeps its owner and its mode, and a link to it stays one; -EINVAL: it is no file. */
int ksr_fs_rewrite(const char *path, const char *data, size_t size);
/* Opens a host file that only its owner, who must be the caller, may write. */
int ksr_fs_open_private(const char *path);

/* The next line of a text: its start and length without the newline. false at the end. */
bool ksr_text_line(const struct ksr_text *text, size_t *position, const char **line, size_t *bytes);
/* false when the line has not the form of a line of maps. */
bool ksr_map_line_parse(const char *line, size_t bytes, struct ksr_map_line *map);

/* The next of the entries that end with a NUL each, as in environ and cmdline; NULL at the end. */
const char *ksr_text_entry(const struct ksr_text *text, size_t *position);
/* The value of NAME=VALUE among such entries, NULL when there is none. */
const char *ksr_text_variable(const struct ksr_text *text, const char *name);

#endif
