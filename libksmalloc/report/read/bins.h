/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bins: how many bytes of small blocks a process has, by size class, and how much that was freed jemalloc keeps.
 *
 * What it is: jemalloc's own counts, read where the segment says that they are (ksmalloc/segment.h), in the process's
 * memory. What a thread has at hand counts as the program's.
 * What it is not: whose blocks they are; which pages are kept. Of these some may never have been written: no more is kept
 * than is told, and as much as is told only where all of it is resident. What is free in slabs that are in use is not kept.
 * Invariants: what is read is only numbers; whatever they are, no more than a few MiB are looked at.
 * Locking and owner: one thread; the result is plain data.
 * Failure: -errno; -ENOENT where the process does not tell, or memory is not to be read.
 */
#ifndef KSR_READ_BINS_H
#define KSR_READ_BINS_H

#include "read/fs.h"
#include "read/snapshot.h"

struct ksr_bins {
	uint32_t count;
	uint32_t block_bytes[KSMALLOC_MAX_BINS];
	uint64_t live_bytes[KSMALLOC_MAX_BINS];
	uint64_t kept_bytes; /* freed, and not given back; 0 where the process does not tell */
};

int ksr_bins_read(const struct ksr_fs *fs, const struct ksr_snapshot *snapshot, struct ksr_bins *bins);

#endif
