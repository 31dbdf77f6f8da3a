/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group: the processes that `ksmalloc share` asks, and what they have said.
 *
 * What it is: two structs, which share.c fills, and leaving.c reads.
 * Locking and owner: one thread; share.c has made them, and frees them.
 * Failure: none.
 */
#ifndef KSR_SHARE_GROUP_H
#define KSR_SHARE_GROUP_H

#include "join/aggregate.h"
#include "share/ask.h"

/* A process that was there at the beginning. */
struct ksr_share_member {
	const struct ksr_process *process;
	pid_t pid;
	uint32_t own_pid; /* in its own namespace */
	char command[64];
	uint32_t aside;
	bool is_gone;
	bool has_keeper;
	bool is_asked;	/* in this round */
	bool was_asked; /* in any */
	bool has_passed; /* since it was asked for the first time */
	uint64_t first;	  /* request that it was asked by */
	uint64_t request; /* the last one */
	struct ksr_share_table table; /* by which it was asked; the file is closed */
	uint64_t answered;
	struct ksmalloc_share_stats before;
	struct ksmalloc_share_stats now;
	uint64_t held; /* bytes of the store's files that it has open */
	struct ksmalloc_segment_store_file files[KSMALLOC_MAX_STORE_FILES];
};

struct ksr_share_group {
	const struct ksr_fs *fs;
	struct ksr_report report; /* as of the beginning */
	struct ksr_share_member *members;
	size_t count;
	int error; /* of the last process that could not be asked */
	uint64_t leaving; /* bytes of files that are given up, and that somebody is still to leave */
};

#endif
