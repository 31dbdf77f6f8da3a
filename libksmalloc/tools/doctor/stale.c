/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segment files of processes that were killed stay behind. A file is stale only
 * when that is certain: it was made before the last boot, or no process maps
 * it and its maker, in this pid namespace, has gone or is another process that
 * got the same pid. A file of another namespace is left alone.
 */
#define _GNU_SOURCE
#include "doctor/stale.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "read/snapshot.h"
#include "read/status.h"

struct sweep {
	const struct ksr_fs *fs;
	struct ksr_findings *findings;
	bool remove_them;
	char boot_id[40];
	uint64_t pid_namespace;
	struct ksr_text *maps; /* of all processes that can be read */
	size_t maps_count;
	/* Of the folder that is looked through now. */
	const char *folder;
	size_t stale;
	size_t removed;
	uint64_t bytes;
	int error; /* of the last file that could not be removed, negative */
};

static bool is_mapped(const struct sweep *sweep, const struct stat *status)
{
	for (size_t i = 0; i < sweep->maps_count; i++) {
		struct ksr_map_line map;

		if (ksr_snapshot_is_mapped(&sweep->maps[i], &map) && map.inode == status->st_ino &&
		    map.major == major(status->st_dev) && map.minor == minor(status->st_dev))
			return true;
	}
	return false;
}

static bool is_stale(const struct sweep *sweep, const struct ksmalloc_segment_header *header,
		     const struct stat *status)
{
	struct ksr_status maker;

	if (memcmp(header->magic, KSMALLOC_SEGMENT_MAGIC, sizeof(header->magic)) != 0 ||
	    !memchr(header->boot_id, 0, sizeof(header->boot_id)) || !header->boot_id[0])
		return false;
	if (sweep->boot_id[0] && strcmp(header->boot_id, sweep->boot_id) != 0)
		return true;
	if (header->pid_namespace != sweep->pid_namespace || is_mapped(sweep, status))
		return false;
	return ksr_status_read(sweep->fs, header->pid, &maker) != 0 ||
	       maker.start_time_ticks != header->start_time_ticks;
}

static int visit_file(const char *name, void *user)
{
	struct sweep *sweep = user;
	struct ksmalloc_segment_header header;
	char path[PATH_MAX];
	struct stat status;
	ssize_t got;
	int fd;

	if (strncmp(name, KSMALLOC_SEGMENT_PREFIX, sizeof(KSMALLOC_SEGMENT_PREFIX) - 1) != 0 ||
	    snprintf(path, sizeof(path), "%s/%s", sweep->folder, name) >= (int)sizeof(path))
		return 0;
	fd = ksr_fs_open_private(path);
	if (fd < 0)
		return 0;
	got = pread(fd, &header, sizeof(header), 0);
	if (got == sizeof(header) && fstat(fd, &status) == 0 && is_stale(sweep, &header, &status)) {
		sweep->stale++;
		sweep->bytes += (uint64_t)status.st_blocks * 512;
		if (sweep->remove_them && unlink(path) == 0)
			sweep->removed++;
		else if (sweep->remove_them)
			sweep->error = -errno;
	}
	close(fd);
	return 0;
}

/* Killed processes can leave many files, so a folder is one finding. */
static void sweep_folder(struct sweep *sweep, const char *folder)
{
	size_t left;

	sweep->folder = folder;
	sweep->stale = sweep->removed = 0;
	sweep->bytes = 0;
	sweep->error = 0;
	/* Folders that do not exist are the normal case. */
	(void)ksr_fs_list_folder(folder, visit_file, sweep);
	left = sweep->stale - sweep->removed;
	if (sweep->removed)
		ksr_find(sweep->findings, KSR_LEVEL_OK, "stale_segment", "",
			 "%s: statistics of processes that have gone and were removed: %zu", folder,
			 sweep->removed);
	if (left && sweep->error)
		ksr_find(
			sweep->findings, KSR_LEVEL_WARN, "stale_segment",
			"remove them by hand, or look at the permissions of the folder",
			"%s: statistics of processes that have gone, and cannot be removed (%s): %zu",
			folder, strerror(-sweep->error), left);
	else if (left)
		ksr_find(sweep->findings, KSR_LEVEL_WARN, "stale_segment",
			 "ksmalloc doctor --fix removes them",
			 "%s: statistics of processes that have gone: %zu, %.1f MiB", folder, left,
			 (double)sweep->bytes / (1 << 20));
}

static void read_all_maps(struct sweep *sweep)
{
	size_t count = 0;
	pid_t *pids;

	if (ksr_fs_list_processes(sweep->fs, &pids, &count))
		return;
	sweep->maps = calloc(count ? count : 1, sizeof(*sweep->maps));
	for (size_t i = 0; sweep->maps && i < count; i++) {
		struct ksr_text *maps = &sweep->maps[sweep->maps_count];

		if (ksr_fs_read(sweep->fs, maps, "proc/%d/maps", (int)pids[i]) == 0)
			sweep->maps_count++;
	}
	free(pids);
}

static void sweep_all(struct sweep *sweep)
{
	const char *chosen = getenv("KSMALLOC_STATS_DIR");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	unsigned int user = (unsigned int)geteuid();
	char folder[PATH_MAX];

	if (chosen && chosen[0] == '/')
		sweep_folder(sweep, chosen);
	if (runtime && runtime[0] == '/') {
		snprintf(folder, sizeof(folder), "%s/ksmalloc", runtime);
		sweep_folder(sweep, folder);
	}
	snprintf(folder, sizeof(folder), "/run/user/%u/ksmalloc", user);
	if (!runtime || strncmp(folder, runtime, strlen(folder) - strlen("/ksmalloc")) != 0)
		sweep_folder(sweep, folder);
	snprintf(folder, sizeof(folder), "/dev/shm/ksmalloc-%u", user);
	sweep_folder(sweep, folder);
}

void ksr_check_stale(const struct ksr_fs *fs, bool remove_them, struct ksr_findings *findings)
{
	struct sweep sweep = {.fs = fs, .findings = findings, .remove_them = remove_them};
	struct ksr_text text;
	struct stat status;

	/* The folders are those of this machine, so a recorded tree says nothing about them. */
	if (!fs->live)
		return;
	if (ksr_fs_read(fs, &text, "proc/sys/kernel/random/boot_id") == 0) {
		snprintf(sweep.boot_id, sizeof(sweep.boot_id), "%.*s",
			 (int)strcspn(text.data, "\n"), text.data);
		ksr_text_free(&text);
	}
	if (ksr_fs_stat(fs, &status, "proc/self/ns/pid") == 0)
		sweep.pid_namespace = status.st_ino;
	read_all_maps(&sweep);
	if (sweep.maps)
		sweep_all(&sweep);
	for (size_t i = 0; i < sweep.maps_count; i++)
		ksr_text_free(&sweep.maps[i]);
	free(sweep.maps);
}
