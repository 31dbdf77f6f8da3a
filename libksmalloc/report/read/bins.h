/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bins: how many bytes of small blocks a process has, by size class.
 *
 * What it is: jemalloc's own counts, read where the segment says that they are (ksmalloc/segment.h), in the process's
 * memory. What a thread has at hand counts as the program's.
 * What it is not: whose blocks they are.
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
};

int ksr_bins_read(const struct ksr_fs *fs, const struct ksr_snapshot *snapshot, struct ksr_bins *bins);

#endif
