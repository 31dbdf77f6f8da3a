/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ask: asks the processes of a group for a whole pass, through the table of their store.
 *
 * What it is: finds the table by what one of the processes has in its environment, checks that it is one, and makes its
 * number of requests one larger. Which table it is can be told, so that each is asked once.
 * What it is not: a wait. Who has followed the request says so in its segment.
 * Locking and owner: one thread; a table that was opened is the caller's. Those who ask at once are told apart by a lock of the file.
 * Failure: -errno, and nothing is asked. The table is another process's: it is opened only where it is a plain file that
 * belongs to the process's user and says that it is a table.
 */
#ifndef KSR_SHARE_ASK_H
#define KSR_SHARE_ASK_H

#include <ksmalloc/store.h>

#include "join/process.h"

struct ksr_share_table {
	int file; /* to be closed by the caller */
	dev_t device;
	ino_t inode;
};

bool ksr_share_is_same(const struct ksr_share_table *a, const struct ksr_share_table *b);

/* 0 or -errno: -ENOENT if the process tells of no table, or its group has none yet. */
int ksr_share_table_open(const struct ksr_fs *fs, const struct ksr_process *process, struct ksr_share_table *table);

/* Has its group a keeper, which makes the passes of processes with threads? */
bool ksr_share_has_keeper(const struct ksr_fs *fs, const struct ksr_process *process);

/* What the table says of the store's files. 0 or -errno: -ENOENT if there is nothing yet, -EINVAL if it is none. All of it may be anything. */
int ksr_share_table_list(const struct ksr_share_table *table, struct ksmalloc_store_list *list);

/* The number of the request, or -errno. */
int64_t ksr_share_ask(const struct ksr_share_table *table);

#endif
