/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * head: the header of a segment, without its tables.
 *
 * What it is: for those that look at processes again and again: the place of the segment is looked for once, and of the
 * segment itself only the header is read after that, which has what counts for the process as a whole.
 * What it is not: for what lies in tables (snapshot.h), or a way to the segments of recorded trees, and to files of
 * processes whose memory may not be read.
 * Invariants: the header was checked as that of a snapshot; what its version has not is 0.
 * Locking and owner: the results are the caller's, and own nothing.
 * Failure: -ENOENT without a segment; -ESTALE where there is none any more at its place, so that it has to be looked for
 * again; else -errno.
 */
#ifndef KSR_READ_HEAD_H
#define KSR_READ_HEAD_H

#include "read/snapshot.h"

struct ksr_head_place {
	uint64_t begin;
	uint64_t bytes; /* of the mapping, which may go on behind the segment */
};

int ksr_head_find(const struct ksr_fs *fs, pid_t pid, struct ksr_head_place *place);
int ksr_head_read(const struct ksr_fs *fs, pid_t pid, const struct ksr_head_place *place,
		  struct ksmalloc_segment_header *header);

#endif
