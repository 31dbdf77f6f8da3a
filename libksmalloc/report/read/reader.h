/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader: the private pages of one process.
 *
 * What it is: which pages of a stretch of addresses are there, and their bytes.
 * What it is not: a judge of them. Pages that are not resident are never
 * touched, so that reading changes nothing in the process; but those of a store that the other process has
 * another page for, which are the file's and become resident.
 * Locking and owner: one thread; the process goes on running.
 * Failure: -errno when the process cannot be read; what was unmapped meanwhile
 * is as if it were not resident.
 */
#ifndef KSR_READ_READER_H
#define KSR_READ_READER_H

#include "read/pagemap.h"
#include "read/space.h"

struct ksr_reader {
	int mem_fd;
	int map_fd;
	uint64_t page_bytes;
	const struct ksr_space *space; /* of the process: where it maps a store */
};

/* In entries that a reader gives: a page that a store's file has, and that was not copied, resident or not. Not the kernel's; such a page counts as private and present. */
#define KSR_PAGEMAP_STORE (UINT64_C(1) << 60)

int ksr_reader_open(const struct ksr_fs *fs, const struct ksr_space *space,
		    struct ksr_reader *reader);
void ksr_reader_close(struct ksr_reader *reader);

/* Entries of count pages from address on; those that cannot be read are 0. */
void ksr_reader_entries(const struct ksr_reader *reader, uint64_t address, size_t count,
			uint64_t *entries);
/* Is it anonymous memory of the process, that is such as KSM takes, or the store's in its place? */
bool ksr_is_private(uint64_t entry);
/*
 * Reads the private pages among count pages into bytes, each at its place; the others become
 * zeros, and so do, with their entries, pages that have gone.
 */
void ksr_reader_pages(const struct ksr_reader *reader, uint64_t address, size_t count,
		      uint64_t *entries, unsigned char *bytes);

#endif
