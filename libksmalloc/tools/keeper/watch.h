/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch: which processes have become workers of the group?
 *
 * What it is: a look at all processes of the user, again and again. One that is none is looked at again later, since it may
 * execute a worker's program, and less often the longer it was none.
 *
 * Locking and owner: one thread; strangers belong to the watch until ksr_watch_end().
 *
 * Failure: -errno, and the next scan finds what this one did not.
 */
#ifndef KSR_KEEPER_WATCH_H
#define KSR_KEEPER_WATCH_H

#include "keeper/member.h"

struct ksr_stranger {
	pid_t pid;
	uint64_t next_ns;
	uint64_t interval_ns;
	bool told; /* that it may not be read */
};

struct ksr_watch {
	const struct ksr_fs *fs;
	const struct ksr_kept_group *group;
	struct ksr_stranger *strangers; /* by pid */
	size_t count;
};

struct ksr_watcher {
	bool (*is_known)(pid_t pid, void *data);
	/* A worker, which is the watcher's from now on. */
	void (*found)(const struct ksr_member *member, void *data);
	/* One that may not be looked at; once. */
	void (*forbidden)(pid_t pid, void *data);
	void *data;
};

int ksr_watch_scan(struct ksr_watch *watch, uint64_t now_ns, const struct ksr_watcher *watcher);
void ksr_watch_end(struct ksr_watch *watch);

#endif
