/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot: a private, checked copy of one process's statistics segment.
 *
 * What it is: finds the segment among the mappings of a process, copies it and
 * checks every offset, count, stride and string before anything uses them.
 *
 * What it is not: an interpretation of the numbers. A hostile process can
 * publish any counters it likes; it can only lie about itself.
 *
 * Invariants: after ksr_snapshot_validate() succeeded, each index below a
 * table's count can be read, each string offset gives a terminated string, no
 * two slots overlap, and each slot names an existing site.
 *
 * Locking and owner: the copy belongs to the caller; the writer is never
 * waited for. The header is copied before the tables, so that every record
 * that a count covers was complete when it was copied.
 *
 * Failure: -errno and one line that names the check that failed.
 */
#ifndef KSR_SNAPSHOT_H
#define KSR_SNAPSHOT_H

#include "fs.h"
#include "ksmalloc/segment.h"

#define KSR_WHY_BYTES 256

struct ksr_snapshot {
	unsigned char *data;
	size_t size;
	struct ksmalloc_segment_header header; /* a copy, aligned */
	pid_t pid; /* as the reader sees it, not what the segment says */
	uint64_t device;
	uint64_t inode;
	char path[4096]; /* as the process sees it; empty for a memfd */
};

/* -ENOENT without a word when the process maps no segment. */
int ksr_snapshot_create(const struct ksr_fs *fs, pid_t pid, struct ksr_snapshot *snapshot,
			char why[KSR_WHY_BYTES]);
void ksr_snapshot_destroy(struct ksr_snapshot *snapshot);

/* Does the text of a maps file show a segment? For the scan over all processes. */
bool ksr_snapshot_is_mapped(const struct ksr_text *maps, struct ksr_map_line *map);

/*
 * Checks size bytes and fills header; data stays the caller's until it puts it
 * into the snapshot. Exposed for tests and fuzzing.
 */
int ksr_snapshot_validate(const void *data, size_t size, struct ksmalloc_segment_header *header,
			  char why[KSR_WHY_BYTES]);

/* index must be below the count in the header. */
void ksr_snapshot_site(const struct ksr_snapshot *snapshot, uint32_t index,
		       struct ksmalloc_segment_site *site);
void ksr_snapshot_slot(const struct ksr_snapshot *snapshot, uint32_t index,
		       struct ksmalloc_segment_slot *slot);
/* false when there is no such module: frames may name any. */
bool ksr_snapshot_module(const struct ksr_snapshot *snapshot, uint32_t index,
			 struct ksmalloc_segment_module *module);
/* Any offset is allowed; one outside of the table is the empty string. */
const char *ksr_snapshot_string(const struct ksr_snapshot *snapshot, uint32_t offset);

#endif
