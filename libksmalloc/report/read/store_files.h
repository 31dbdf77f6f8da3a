/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_files: what of its mappings of a store a process has memory for.
 *
 * What it is: for each mapping of a store's file, the bytes for which neither the file nor the process has a page, and whether
 * the file has one at an offset. Where there is little between two stretches that are equal, a process maps both at once, over
 * a hole of the file: either it never had memory there, and has none now, or it has a page of its own, which was carried over.
 * What it is not: a reader of pages; nothing is read of the file, since that would allocate what holes have not.
 * Invariants: what is found of a file holds for all who map it, as long as the list is kept: for one look at processes.
 * Locking and owner: one thread; the list is the caller's.
 * Failure: where pagemap cannot be read, own pages over holes count as hollow too; where no process can be found that has a file open, or it has more pieces than are kept, nothing is known of it.
 */
#ifndef KSR_READ_STORE_FILES_H
#define KSR_READ_STORE_FILES_H

#include "read/smaps.h"

struct ksr_store_file;

/* Begins empty: { 0 }. */
struct ksr_store_files {
	struct ksr_store_file *list;
	size_t count;
	size_t last;   /* that was asked for */
	size_t pieces; /* of all files */
};

/* Sets `hollow` of a process's mappings of stores. */
void ksr_store_files_look(struct ksr_store_files *files, const struct ksr_fs *fs, pid_t pid, struct ksr_smaps *smaps);

/* Has the file a page at this offset, in bytes? A file of which nothing is known has all. */
bool ksr_store_files_hold(const struct ksr_store_files *files, uint64_t inode, uint64_t offset);

void ksr_store_files_free(struct ksr_store_files *files);

#endif
