/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "share_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <ksmalloc/store.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* Times that the lock is tried, a millisecond each: members have it for microseconds. */
#define TRIES 1000

/* The table's path as the process sees it. */
static int find_path(const struct ksr_fs *fs, pid_t pid, char path[PATH_MAX])
{
	struct ksr_text environment;
	const char *slash;
	const char *seed;
	int length = 0;

	if (ksr_fs_read(fs, &environment, "proc/%d/environ", (int)pid))
		return -ENOENT;
	seed = ksr_text_variable(&environment, "KSMALLOC_SEED");
	slash = seed ? strrchr(seed, '/') : NULL;
	if (slash && seed[0] == '/')
		length = snprintf(path, PATH_MAX, "%.*s" KSMALLOC_STORE_TABLE "%s", (int)(slash + 1 - seed), seed, slash + 1);
	ksr_text_free(&environment);
	return length > 0 && length < PATH_MAX ? 0 : -ENOENT;
}

/* What was found is opened once more, for writing: a plain file, of which nothing happens when it is opened. */
static int open_table(const struct ksr_fs *fs, const struct ksr_process *process)
{
	char path[PATH_MAX];
	char again[64];
	struct stat status;
	int error = find_path(fs, process->snapshot.pid, path);
	int found;
	int table;

	if (error)
		return error;
	found = ksr_fs_open_in_process(fs, process->snapshot.pid, path, &status);
	if (found < 0)
		return found;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", found);
	if (!S_ISREG(status.st_mode) || status.st_uid != process->status.uid || status.st_nlink != 1)
		table = -EPERM;
	else
		table = open(again, O_RDWR | O_CLOEXEC);
	if (table == -1)
		table = -errno;
	close(found);
	return table;
}

static int lock(int table)
{
	const struct timespec pause = {0, 1000000};

	for (int i = 0; i < TRIES; i++) {
		if (flock(table, LOCK_EX | LOCK_NB) == 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -EWOULDBLOCK;
}

static int64_t add_request(int table)
{
	const off_t place = offsetof(struct ksmalloc_store_head, requests);
	struct ksmalloc_store_head head;

	if (pread(table, &head, sizeof(head), 0) != (ssize_t)sizeof(head) || head.magic != KSMALLOC_STORE_MAGIC)
		return -EINVAL;
	/* The number is anything that a member has written there; it has to be told from failures here. */
	head.requests = (head.requests + 1) & INT64_MAX;
	if (pwrite(table, &head.requests, sizeof(head.requests), place) != (ssize_t)sizeof(head.requests))
		return errno ? -errno : -EIO;
	return (int64_t)head.requests;
}

int64_t ksr_share_ask(const struct ksr_fs *fs, const struct ksr_process *process)
{
	int table = open_table(fs, process);
	int64_t request;

	if (table < 0)
		return table;
	request = lock(table);
	if (request == 0)
		request = add_request(table);
	close(table);
	return request;
}
