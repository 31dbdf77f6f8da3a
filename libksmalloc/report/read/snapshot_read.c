/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A segment in memory is read through /proc/PID/mem. No more of a segment is read than its tables use: what the
 * process never touched must not become resident by being looked at.
 *
 * There are three ways to the bytes of a segment that is a file, tried in this order: the file
 * under the process's root, accepted only when it is the very inode that maps
 * shows; the kernel's link in map_files, which needs a capability but also
 * works for deleted files; the memory of the process itself.
 * All ways end in a permission check of the kernel, that of ptrace: memory needs more
 * of it than files do, where Yama restricts it.
 */
#define _GNU_SOURCE
#include "read/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* The program puts this behind the name of an unlinked file. */
#define DELETED " (deleted)"

/* A reader waits 1, 2, 4... milliseconds for a process that is in the middle of something. */
#define TRIES 6

/* --- finding it ------------------------------------------------------------------------- */

/* The last component decides; libraries of before had memfds, "/memfd:NAME", where no file could be. */
static bool is_file(const struct ksr_map_line *map)
{
	static const char memfd[] = "/memfd:" KSMALLOC_SEGMENT_PREFIX;
	static const char prefix[] = "/" KSMALLOC_SEGMENT_PREFIX;
	const char *slash;

	if (map->path_bytes == 0 || map->path[0] != '/' || map->offset != 0)
		return false;
	if (map->path_bytes >= sizeof(memfd) - 1 && memcmp(map->path, memfd, sizeof(memfd) - 1) == 0)
		return true;
	slash = memrchr(map->path, '/', map->path_bytes);
	return (size_t)(map->path + map->path_bytes - slash) >= sizeof(prefix) - 1 &&
	       memcmp(slash, prefix, sizeof(prefix) - 1) == 0;
}

static bool is_marker(const struct ksr_map_line *map)
{
	static const char name[] = "/memfd:" KSMALLOC_SEGMENT_MARKER DELETED;

	return map->path_bytes == sizeof(name) - 1 && map->offset == 0 &&
	       memcmp(map->path, name, sizeof(name) - 1) == 0 &&
	       memcmp(map->perms, "---p", 4) == 0;
}

/* Memory may have a name that prctl(2) gave it. */
static bool is_memory(const struct ksr_map_line *map)
{
	return memcmp(map->perms, "rw-p", 4) == 0 && map->inode == 0 &&
	       (map->path_bytes == 0 || memcmp(map->path, "[anon:", 6) == 0);
}

bool ksr_snapshot_is_mapped(const struct ksr_text *maps, struct ksr_map_line *map)
{
	struct ksr_map_line memory = {0};
	size_t position = 0;
	uint64_t marked = 0;
	const char *line;
	size_t bytes;

	/* A process that we have just looked at may have a thousand lines: skip those without. */
	if (!memmem(maps->data, maps->size, KSMALLOC_SEGMENT_MARKER,
		    sizeof(KSMALLOC_SEGMENT_MARKER) - 1))
		return false;
	while (ksr_text_line(maps, &position, &line, &bytes)) {
		if (!ksr_map_line_parse(line, bytes, map))
			continue;
		if (is_file(map))
			return true;
		if (marked && map->begin == marked && is_memory(map))
			memory = *map;
		marked = is_marker(map) ? map->end : 0;
	}
	if (memory.end == 0)
		return false;
	*map = memory;
	map->path_bytes = 0;
	return true;
}

static void copy_path(struct ksr_snapshot *snapshot, const struct ksr_map_line *map)
{
	size_t bytes = map->path_bytes;
	size_t suffix = sizeof(DELETED) - 1;

	if (bytes > suffix && memcmp(map->path + bytes - suffix, DELETED, suffix) == 0)
		bytes -= suffix;
	snapshot->path[0] = '\0';
	if (bytes < sizeof(snapshot->path) && (bytes < 7 || memcmp(map->path, "/memfd:", 7) != 0)) {
		memcpy(snapshot->path, map->path, bytes);
		snapshot->path[bytes] = '\0';
	}
}

/* --- copying it ------------------------------------------------------------------------- */

/* A descriptor of the segment's file and its size, or -errno. */
static int open_file(const struct ksr_fs *fs, pid_t pid, const struct ksr_snapshot *snapshot,
		     const struct ksr_map_line *map, size_t *size)
{
	struct stat status;
	int fd = -ENOENT;

	if (snapshot->path[0]) {
		fd = ksr_fs_open_in_process(fs, pid, snapshot->path, &status);
		if (fd >= 0 && fs->live &&
		    (status.st_ino != map->inode || major(status.st_dev) != map->major ||
		     minor(status.st_dev) != map->minor)) {
			close(fd);
			fd = -ESTALE;
		}
	}
	if (fd < 0 && fs->live) {
		fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid,
				 map->begin, map->end);
		if (fd >= 0 && (fstat(fd, &status) || !S_ISREG(status.st_mode))) {
			close(fd);
			fd = -EINVAL;
		}
	}
	if (fd >= 0)
		*size = (size_t)ksm_min((uint64_t)status.st_size, KSR_SEGMENT_LIMIT + 1);
	return fd;
}

static int read_exactly(int fd, unsigned char *data, size_t from, size_t to, uint64_t base)
{
	while (from < to) {
		ssize_t got = pread(fd, data + from, to - from, (off_t)(base + from));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -ENODATA;
		from += (size_t)got;
	}
	return 0;
}

/* What a table's count covers, as far as it lies in the segment; the rest is for the checks to find. */
static int read_table(const struct ksr_snapshot *snapshot, int fd, uint64_t base,
		      const struct ksmalloc_segment_table *table)
{
	uint64_t bytes = (uint64_t)table->count * table->stride;

	if (table->offset > snapshot->size || bytes > snapshot->size - table->offset)
		return 0;
	return read_exactly(fd, snapshot->data, (size_t)table->offset,
			    (size_t)(table->offset + bytes), base);
}

static int read_tables(const struct ksr_snapshot *snapshot, int fd, uint64_t base,
		       const struct ksmalloc_segment_header *header)
{
	const struct ksmalloc_segment_table *const tables[] = {&header->sites, &header->slots, &header->modules,
							       &header->strings, &header->tallies,
							       &header->origins, &header->script_frames,
							       &header->frames, &header->marks};
	int error = 0;

	for (size_t i = 0; i < KSM_COUNT_OF(tables) && !error; i++)
		error = read_table(snapshot, fd, base, tables[i]);
	return error;
}

static int too_large(char *why)
{
	snprintf(why, KSR_WHY_BYTES, "its statistics are larger than %" PRIu64 " bytes",
		 (uint64_t)KSR_SEGMENT_LIMIT);
	return -EINVAL;
}

/*
 * The header goes first: see the invariant about counts in the header file. Of the rest only what tables use is read.
 * The copy is as large as the segment, and not cleared: most of it is never touched, and takes no memory, which counts
 * where a thousand processes are read.
 */
static int copy_from(struct ksr_snapshot *snapshot, int fd, uint64_t base, size_t room, bool is_memory, char *why)
{
	struct ksmalloc_segment_header header = {0};
	size_t head = ksm_min(room, sizeof(header));
	int error = read_exactly(fd, (unsigned char *)&header, 0, head, base);

	if (error)
		return error;
	/* The mapping may go on behind a segment in memory: neighbours of one kind are one. */
	if (is_memory && header.size_bytes < room)
		room = (size_t)header.size_bytes;
	if (room > KSR_SEGMENT_LIMIT)
		return too_large(why);
	snapshot->size = room;
	snapshot->data = malloc(ksm_max(room, sizeof(header)));
	if (!snapshot->data)
		return -ENOMEM;
	memcpy(snapshot->data, &header, sizeof(header));
	error = read_exactly(fd, snapshot->data, head, ksm_max(head, ksm_min(header.header_bytes, room)), base);
	/* Segments of before have less in their header, and other things behind it. */
	if (header.header_bytes < sizeof(header))
		memset((char *)&header + header.header_bytes, 0, sizeof(header) - header.header_bytes);
	return error ? error : read_tables(snapshot, fd, base, &header);
}

static int copy_segment(const struct ksr_fs *fs, struct ksr_snapshot *snapshot,
			const struct ksr_map_line *map, char *why)
{
	size_t size = 0;
	int fd = map->path_bytes ? open_file(fs, snapshot->pid, snapshot, map, &size) : -ENOENT;
	bool is_memory = false;
	int error;

	if (fd < 0 && (fs->live || map->path_bytes == 0)) {
		fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/mem", (int)snapshot->pid);
		is_memory = true;
	}
	if (fd < 0)
		return fd;
	error = is_memory ? copy_from(snapshot, fd, map->begin, (size_t)(map->end - map->begin), true, why) :
			    copy_from(snapshot, fd, 0, size, false, why);
	close(fd);
	return error;
}

/* --- why not ---------------------------------------------------------------------------- */

/* The real user of a process: /proc/PID itself belongs to root if the process hides its memory. */
static uid_t user_of(const struct ksr_fs *fs, pid_t pid)
{
	uid_t user = (uid_t)-1;
	struct ksr_text text;
	const char *line;

	if (ksr_fs_read(fs, &text, "proc/%d/status", (int)pid))
		return user;
	line = strstr(text.data, "\nUid:");
	if (line)
		user = (uid_t)strtoul(line + 5, NULL, 10);
	ksr_text_free(&text);
	return user;
}

static int denied(const struct ksr_fs *fs, pid_t pid, bool has_maps, char *why)
{
	uid_t user = user_of(fs, pid);
	uint64_t scope = 0;

	(void)ksr_fs_read_u64(fs, &scope, "proc/sys/kernel/yama/ptrace_scope");
	if (user != geteuid() && geteuid() != 0)
		snprintf(why, KSR_WHY_BYTES,
			 "no permission: it belongs to user %d; run the command as that user, or "
			 "with sudo", (int)user);
	else if (geteuid() == 0)
		snprintf(why, KSR_WHY_BYTES,
			 "no permission, even for root: the capability CAP_SYS_PTRACE is missing "
			 "here%s",
			 scope == 3 ? ", and kernel.yama.ptrace_scope is 3" : "");
	else if (!has_maps)
		snprintf(why, KSR_WHY_BYTES,
			 "no permission: it hides its memory (raised rights, or PR_SET_DUMPABLE); "
			 "run the command with sudo");
	else if (scope)
		snprintf(why, KSR_WHY_BYTES,
			 "no permission: kernel.yama.ptrace_scope is %" PRIu64
			 "; run the command with sudo, or start the program with 'ksmalloc run', or "
			 "KSMALLOC_STATS_DIR=DIR",
			 scope);
	else
		snprintf(why, KSR_WHY_BYTES, "no permission of ptrace; run the command with sudo");
	return -EACCES;
}

/* A process without memory: it has ended and waits for its parent, or is none of programs. */
static int without_memory(const struct ksr_fs *fs, pid_t pid)
{
	struct ksr_text text;
	const char *line;
	bool ended = false;

	if (ksr_fs_read(fs, &text, "proc/%d/status", (int)pid) == 0) {
		line = strstr(text.data, "\nState:\t");
		ended = line && (line[8] == 'Z' || line[8] == 'X');
		ksr_text_free(&text);
	}
	return ended ? -ESRCH : -ENOENT;
}

static int explain(const struct ksr_fs *fs, pid_t pid, int error, bool has_maps, char *why)
{
	struct stat status;

	if (error == -EACCES || error == -EPERM)
		return denied(fs, pid, has_maps, why);
	if (ksr_fs_stat(fs, &status, "proc/%d", (int)pid)) {
		snprintf(why, KSR_WHY_BYTES, "there is no such process");
		return -ESRCH;
	}
	/* It waits for its parent, and its memory is gone. */
	if (error == -ESRCH)
		snprintf(why, KSR_WHY_BYTES, "has ended");
	return error;
}

int ksr_process_why(const struct ksr_fs *fs, pid_t pid, int error, char why[KSR_WHY_BYTES])
{
	bool has_maps;
	int fd;

	why[0] = '\0';
	fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/maps", (int)pid);
	has_maps = fd >= 0;
	if (has_maps)
		close(fd);
	error = explain(fs, pid, error, has_maps, why);
	if (!why[0])
		snprintf(why, KSR_WHY_BYTES, "cannot read its memory: %s", strerror(-error));
	return error;
}

/* --- what only a reader knows ------------------------------------------------------------ */

static void name_program(const struct ksr_fs *fs, struct ksr_snapshot *snapshot)
{
	char path[PATH_MAX];
	size_t suffix = sizeof(DELETED) - 1;
	int length = 0;

	for (uint32_t i = 0; i < snapshot->header.modules.count; i++) {
		struct ksmalloc_segment_module module;

		ksr_snapshot_module(snapshot, i, &module);
		if (strcmp(ksr_snapshot_string(snapshot, module.path_string),
			   KSMALLOC_PROGRAM_PATH) != 0)
			continue;
		if (length == 0)
			length = ksr_fs_read_link(fs, path, sizeof(path), "proc/%d/exe",
						  (int)snapshot->pid);
		if (length <= 0)
			return;
		if ((size_t)length > suffix && strcmp(path + length - suffix, DELETED) == 0)
			path[(size_t)length - suffix] = '\0';
		ksr_snapshot_set_path(snapshot, i, path);
	}
}

/* --- all of it --------------------------------------------------------------------------- */

static int read_maps(const struct ksr_fs *fs, struct ksr_snapshot *snapshot,
		     const struct ksr_text *maps, char *why)
{
	struct ksr_map_line map;
	int error;

	if (maps->size == 0)
		return without_memory(fs, snapshot->pid);
	if (!ksr_snapshot_is_mapped(maps, &map))
		return -ENOENT;
	snapshot->found = true;
	snapshot->device = ((uint64_t)map.major << 32) | map.minor;
	snapshot->inode = map.inode;
	copy_path(snapshot, &map);
	error = copy_segment(fs, snapshot, &map, why);
	/* What is in maps and cannot be opened is not the same as what is not in maps. */
	if (error == -ENOENT)
		error = -ESTALE;
	if (!error)
		error = ksr_snapshot_validate(snapshot->data, snapshot->size, &snapshot->header,
					      why);
	if (!error) {
		name_program(fs, snapshot);
		ksr_snapshot_add_tallies(snapshot);
		ksr_snapshot_compact(snapshot);
	}
	return error;
}

static int try_once(const struct ksr_fs *fs, pid_t pid, struct ksr_snapshot *snapshot, char *why)
{
	struct ksr_text maps;
	int error;

	memset(snapshot, 0, sizeof(*snapshot));
	snapshot->pid = pid;
	why[0] = '\0';
	error = ksr_fs_read(fs, &maps, "proc/%d/maps", (int)pid);
	if (error)
		return explain(fs, pid, error == -ENOENT ? -ESRCH : error, false, why);
	error = read_maps(fs, snapshot, &maps, why);
	ksr_text_free(&maps);
	if (!error)
		return 0;
	ksr_snapshot_destroy(snapshot);
	error = explain(fs, pid, error, true, why);
	if (error == -ENOENT && !why[0])
		snprintf(why, KSR_WHY_BYTES,
			 "has no statistics: it does not run under ksmalloc, or KSMALLOC_STATS is 0");
	else if (!why[0])
		snprintf(why, KSR_WHY_BYTES, "cannot read its statistics: %s", strerror(-error));
	return error;
}

int ksr_snapshot_create(const struct ksr_fs *fs, pid_t pid, struct ksr_snapshot *snapshot,
			char why[KSR_WHY_BYTES])
{
	struct timespec pause = {.tv_nsec = 1000000};
	int error = try_once(fs, pid, snapshot, why);

	for (int i = 1; i < TRIES && fs->live && error && error != -ENOMEM && error != -ESRCH &&
			error != -ENOENT && error != -EACCES;
	     i++) {
		nanosleep(&pause, NULL);
		pause.tv_nsec *= 2;
		error = try_once(fs, pid, snapshot, why);
	}
	return error;
}
