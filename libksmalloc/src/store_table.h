/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_table: how the table of a group's store is laid out, and how it is read and written.
 *
 * What it is: the records, and system calls for them. For the files of the module store alone.
 * What it is not: trusted. All that is read may be anything: it was written by another process, and may be written
 * again while it is looked at.
 *
 * Locking: what reads the head, changes it and writes it has the lock meanwhile. Marks (store_mark.h) are written
 * without it.
 * Failure: -errno.
 */
#ifndef KSM_STORE_TABLE_H
#define KSM_STORE_TABLE_H

#include "store.h"

#include <ksmalloc/store.h>

#define KSM_STORE_SLICES  4096u /* that have marks */
#define KSM_STORE_WAYS	  2u	/* contents of a page that are remembered */

#define KSM_STORE_TAG_BITS 16u
#define KSM_STORE_TAG_MASK ((UINT64_C(1) << KSM_STORE_TAG_BITS) - 1)
#define KSM_STORE_SEVERAL  UINT64_C(0) /* nobody's tag: several members had it */

/* The marks of a slice: bits of a hash above, the tag of a member below; 0 for none. */
struct ksm_store_row {
	uint64_t marks[KSM_SHARE_PAGES][KSM_STORE_WAYS];
};

#define KSM_STORE_KEYS_OFFSET 8192u /* a word for each row: the number of its slice, and 1 */
#define KSM_STORE_ROWS_OFFSET (KSM_STORE_KEYS_OFFSET + KSM_STORE_SLICES * sizeof(uint64_t))

static_assert(sizeof(struct ksmalloc_store_list) <= KSM_STORE_KEYS_OFFSET, "the head fits");

struct ksm_store_tables {
	struct ksmalloc_store_list head;
	struct ksm_store_row row;
};

/* Takes the lock, for microseconds. Others do so, too; not for ever: one that has it may be stopped. -EWOULDBLOCK then. */
int ksm_store_table_lock(const struct ksm_store *store);

int ksm_store_table_read(const struct ksm_store *store, void *to, size_t length, uint64_t offset);
int ksm_store_table_write(const struct ksm_store *store, const void *from, size_t length, uint64_t offset);

/* The head, to and from store->tables. */
int ksm_store_table_read_head(struct ksm_store *store);
int ksm_store_table_write_head(const struct ksm_store *store);

/* True if the head that was read last is that of a table of this layout. */
bool ksm_store_table_is_ours(const struct ksm_store *store);

/* Reads the head of the table that is open. Makes it, if it is empty or of a layout that the group had before. */
int ksm_store_table_check(struct ksm_store *store);

/* True if there is such a process. */
bool ksm_store_table_is_alive(const struct ksmalloc_store_holder *holder);

/* True if one of the file's holders lives. */
bool ksm_store_table_is_held(const struct ksmalloc_store_record *record);

#endif
