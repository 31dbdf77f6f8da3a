/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table: how the table of a group's store is laid out, and how it is read and written.
 *
 * What it is: the records, system calls for them, and what a member knows of the store (struct ksm_store), whose calls are
 * those of store.h, mark.h and sight.h.
 * What it is not: trusted. All that is read may be anything: it was written by another process, and may be written
 * again while it is looked at.
 *
 * Locking: what reads the head, changes it and writes it has the lock meanwhile. Rows of marks (mark.h) have locks of
 * their own.
 * Failure: -errno.
 */
#ifndef KSM_STORE_TABLE_H
#define KSM_STORE_TABLE_H

#include "base.h"
#include "store/huge.h"
#include "store/share.h"

#include <ksmalloc/segment.h>
#include <ksmalloc/store.h>

#define KSM_STORE_FILES KSMALLOC_MAX_STORE_FILES

struct ksm_store_file {
	uint64_t inode; /* 0: none */
	uint64_t device;
	int descriptor;
	struct ksm_share_extent known; /* of it */
};

struct ksm_store_tables;

struct ksm_store {
	/* Set by the owner. All members of a group have the same; id tells groups and layouts apart. */
	char path[256];
	uint64_t id;
	uint64_t bytes; /* that files of the store have room for */
	struct ksm_huge huge; /* how they are written */

	pid_t pid;	   /* that the rest is of */
	uid_t user;	   /* who the process was when files were opened */
	uint32_t tag;	   /* this member's in marks */
	int table;	   /* open while entered, else negative */
	bool has_swept;	   /* in this pass, ksm_store_table_sweep() */
	bool was_in;	   /* the table was this layout's once */
	bool has_written;  /* this member, over holes of files; it is told to others with what is seen (sight.h) */
	struct ksm_store_file files[KSM_STORE_FILES]; /* those that are open, at the table's indices */
	struct ksm_store_file built; /* what is to be published next */
	uint32_t built_pages;
	uint32_t most_pages; /* that it may have: there is memory for them */
	uint64_t room;	     /* bytes of memory that there were when that was looked at last, less what was taken since */
	uint64_t lacking;    /* so much there had to be when something was to be published last, and was not; 0: there was enough */
	uint64_t room_until; /* when that is looked at anew, at the beginning of a step */
	bool needs_room;     /* memory was to be taken in this pass */
	bool needed_room;    /* the same in the pass before */
	uint64_t built_huge_bytes; /* of them, on huge pages; known until the next file is begun */
	uint64_t unwanted[KSM_STORE_FILES]; /* inodes of files that are not to be opened again */
	struct ksm_store_tables *tables; /* what was read */
};

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
	uint64_t marks[KSM_SHARE_PAGES]; /* of this member, which go into the row */
};

/* Takes the lock, for microseconds. Others do so, too; not for ever: one that has it may be stopped. -EWOULDBLOCK then. */
int ksm_store_table_lock(const struct ksm_store *store);

/* The same of one row of marks, which lies there in the table. */
int ksm_store_table_lock_row(const struct ksm_store *store, uint64_t offset);
void ksm_store_table_unlock_row(const struct ksm_store *store, uint64_t offset);

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

/* By which path others open what a holder has: of a file that is its, if it has not closed it. */
#define KSM_STORE_HELD_PATH 64
void ksm_store_table_name_held(const struct ksmalloc_store_holder *holder, char path[KSM_STORE_HELD_PATH]);

/* True if one of the file's holders lives. */
bool ksm_store_table_is_held(const struct ksmalloc_store_record *record);

/*
 * Takes holders off the records that live, but have not the file: the number is another process's by now, or was given in another
 * namespace of pids, in which somebody else has it here. Containers that are started again have the same numbers each time. The head is
 * read anew by that.
 */
void ksm_store_table_sweep(struct ksm_store *store);

#endif
