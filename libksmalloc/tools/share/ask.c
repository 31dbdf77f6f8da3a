/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "share/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <ksmalloc/keeper.h>
#include <ksmalloc/seed.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "keeper/member.h"
#include "seed_file.h"

/* Times that the lock is tried, a millisecond each: members have it for microseconds. */
#define TRIES 1000

static int name_beside(const char *seed, const char *prefix, char path[PATH_MAX])
{
	return seed && seed[0] == '/' && ksmalloc_seed_beside(seed, prefix, path, PATH_MAX) ? 0 : -ENOENT;
}

/* By the seed that a process would have that is started now, if it is the same. */
static int find_default_path(const struct ksr_process *process, const char *prefix, char path[PATH_MAX])
{
	const struct ksmalloc_segment_header *header = &process->snapshot.header;
	const struct ksr_seed_request request = {.group = header->group, .existing = true};
	struct ksr_seed_file seed;
	char why[2 * PATH_MAX];

	if (!ksr_seed_group_is_good(header->group) || ksr_seed_get(&seed, &request, why, sizeof(why)) ||
	    ksr_group_store(&seed.seed) != header->keeper.store)
		return -ENOENT;
	return name_beside(seed.path, prefix, path);
}

/*
 * The path, as the process sees it, of a file that lies beside its group's seed and has this before the seed's name.
 * Servers that change their title (redis, PostgreSQL) write it where their environment was.
 */
static int find_path(const struct ksr_fs *fs, const struct ksr_process *process, const char *prefix, char path[PATH_MAX])
{
	struct ksr_text environment;
	int error;

	if (ksr_fs_read(fs, &environment, "proc/%d/environ", (int)process->snapshot.pid))
		return -ENOENT;
	error = name_beside(ksr_text_variable(&environment, "KSMALLOC_SEED"), prefix, path);
	ksr_text_free(&environment);
	return error ? find_default_path(process, prefix, path) : 0;
}

/* Of the user of the process. */
static int open_beside_seed(const struct ksr_fs *fs, const struct ksr_process *process, const char *prefix,
			    struct stat *status)
{
	char path[PATH_MAX];
	int error = find_path(fs, process, prefix, path);
	int file = error ? error : ksr_fs_open_in_process(fs, process->snapshot.pid, path, status);

	if (file < 0 || (S_ISREG(status->st_mode) && status->st_uid == process->status.uid && status->st_nlink == 1))
		return file;
	close(file);
	return -EPERM;
}

bool ksr_share_is_same(const struct ksr_share_table *a, const struct ksr_share_table *b)
{
	return a->device == b->device && a->inode == b->inode;
}

/* What was found is opened once more, for writing: a plain file, of which nothing happens when it is opened. */
int ksr_share_table_open(const struct ksr_fs *fs, const struct ksr_process *process, struct ksr_share_table *table)
{
	char again[64];
	struct stat status;
	int found = open_beside_seed(fs, process, KSMALLOC_STORE_TABLE, &status);
	int error;

	if (found < 0)
		return found;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", found);
	table->file = open(again, O_RDWR | O_CLOEXEC);
	error = table->file < 0 ? -errno : 0;
	close(found);
	table->device = status.st_dev;
	table->inode = status.st_ino;
	return error;
}

bool ksr_share_has_keeper(const struct ksr_fs *fs, const struct ksr_process *process)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	struct stat status, space;
	int file = open_beside_seed(fs, process, KSMALLOC_KEEPER_PREFIX, &status);
	bool has_one;

	if (file < 0)
		return false;
	/* Without the right to ask, any keeper is its. */
	if (ksr_fs_stat(fs, &space, "proc/%d/ns/pid", (int)process->snapshot.pid) == 0)
		lock.l_start = (off_t)space.st_ino;
	else
		lock.l_len = 0;
	has_one = fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(file);
	return has_one;
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
	ssize_t got = pread(table, &head, sizeof(head), 0);

	/* A member has made it just now. */
	if (got == 0)
		return -ENOENT;
	if (got != (ssize_t)sizeof(head) || head.magic != KSMALLOC_STORE_MAGIC)
		return -EINVAL;
	/* The number is anything that a member has written there; it has to be told from failures here. */
	head.requests = (head.requests + 1) & INT64_MAX;
	if (pwrite(table, &head.requests, sizeof(head.requests), place) != (ssize_t)sizeof(head.requests))
		return errno ? -errno : -EIO;
	return (int64_t)head.requests;
}

/* It may be written meanwhile: then a file is told of as it was, or as it is. */
int ksr_share_table_list(const struct ksr_share_table *table, struct ksmalloc_store_list *list)
{
	ssize_t got = pread(table->file, list, sizeof(*list), 0);

	if (got == 0)
		return -ENOENT;
	if (got < 0)
		return -errno;
	return got == (ssize_t)sizeof(*list) && list->first.magic == KSMALLOC_STORE_MAGIC ? 0 : -EINVAL;
}

int64_t ksr_share_ask(const struct ksr_share_table *table)
{
	int error = lock(table->file);
	int64_t request = error ? error : add_request(table->file);

	flock(table->file, LOCK_UN);
	return request;
}
