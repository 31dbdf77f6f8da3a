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
 * Failure: -errno and one line that names the check that failed, or whose right is missing.
 */
#ifndef KSR_READ_SNAPSHOT_H
#define KSR_READ_SNAPSHOT_H

#include "read/fs.h"
#include "ksmalloc/segment.h"

#define KSR_WHY_BYTES 256

/* Several times what the tables of this version can fill. */
#define KSR_SEGMENT_LIMIT (32 * KSM_MIB)

struct ksr_snapshot {
	unsigned char *data;
	size_t size;
	struct ksmalloc_segment_header header; /* a copy, aligned */
	pid_t pid; /* as the reader sees it, not what the segment says */
	uint64_t device;
	uint64_t inode;
	char path[4096]; /* as the process sees it; empty for one in memory */
	bool found;	 /* the process has one; also set where it could not be read */
};

/*
 * Finds and copies the segment of a process. Four answers are told apart, each with a sentence in
 * why that follows "process N: ":
 *   -ESRCH   there is no such process, or it has ended
 *   -ENOENT  it has no segment
 *   -EACCES  the caller has no right to read it; why says which, and what to do
 *   others   the segment is damaged, or could not be read for another reason
 * A process may be in the middle of a fork or an exec: what fails for other reasons than the first
 * three is tried again for a while.
 */
int ksr_snapshot_create(const struct ksr_fs *fs, pid_t pid, struct ksr_snapshot *snapshot,
			char why[KSR_WHY_BYTES]);
void ksr_snapshot_destroy(struct ksr_snapshot *snapshot);

/*
 * The same answers for another file of a process that could not be read, with error: no such
 * process, no permission and which, or what. Returns -ESRCH, -EACCES or the error.
 */
int ksr_process_why(const struct ksr_fs *fs, pid_t pid, int error, char why[KSR_WHY_BYTES]);

/*
 * Does the text of a maps file show a segment? Then map is the mapping that holds it: of a file,
 * or of memory, without a path, right behind its marker. For the scan over all processes.
 */
bool ksr_snapshot_is_mapped(const struct ksr_text *maps, struct ksr_map_line *map);

/*
 * Checks size bytes and fills header; data stays the caller's until it puts it
 * into the snapshot. Exposed for tests and fuzzing.
 */
int ksr_snapshot_validate(const void *data, size_t size, struct ksmalloc_segment_header *header,
			  char why[KSR_WHY_BYTES]);
/* The same of the header alone: data are its first bytes, size is that of the segment or what holds it. */
int ksr_snapshot_validate_header(const void *data, size_t bytes, size_t size,
				 struct ksmalloc_segment_header *header, char why[KSR_WHY_BYTES]);

/*
 * Adds what threads have counted for themselves to the sites' statistics. To be called once, for a
 * snapshot that was validated; ksr_snapshot_create() does it.
 */
void ksr_snapshot_add_tallies(struct ksr_snapshot *snapshot);

/*
 * Keeps of a snapshot that was validated what its tables have, and gives the rest back: a segment has megabytes of room for more.
 * Offsets and capacities in the header become those of the smaller copy. Without memory it stays as it is.
 */
void ksr_snapshot_compact(struct ksr_snapshot *snapshot);

/* index must be below the count in the header. */
void ksr_snapshot_site(const struct ksr_snapshot *snapshot, uint32_t index,
		       struct ksmalloc_segment_site *site);
void ksr_snapshot_slot(const struct ksr_snapshot *snapshot, uint32_t index,
		       struct ksmalloc_segment_slot *slot);
/* false when there is no such module: frames may name any. */
bool ksr_snapshot_module(const struct ksr_snapshot *snapshot, uint32_t index,
			 struct ksmalloc_segment_module *module);
/* An origin with its frames, innermost first, as version 7 of the segment had it. */
struct ksr_origin_entry {
	uint64_t id;
	uint32_t frame_count;
	uint32_t script_frame_count;
	struct ksmalloc_segment_script_frame script_frames[KSMALLOC_MAX_SCRIPT_FRAMES];
	uint64_t frames[KSMALLOC_MAX_FRAMES];
};

/* index must be below the count in the header. Frames that were not there yet when it was copied are left out. */
void ksr_snapshot_origin(const struct ksr_snapshot *snapshot, uint32_t index, struct ksr_origin_entry *entry);
/* index must be below the count in the header. All 0 where the segment is too old to have any. */
void ksr_snapshot_origin_stats(const struct ksr_snapshot *snapshot, uint32_t index, struct ksmalloc_origin_stats *stats);
/* index must be below the count in the header; false where the entry is free, or was copied while it changed. */
bool ksr_snapshot_mark(const struct ksr_snapshot *snapshot, uint32_t index,
		       struct ksmalloc_segment_mark *mark);
/*
 * Gives a module of the copy another path, if there is room among its strings: for the program, whose
 * path the process does not look up. The index must be below the count in the header.
 */
void ksr_snapshot_set_path(struct ksr_snapshot *snapshot, uint32_t index, const char *path);
/* Any offset is allowed; one outside of the table is the empty string. */
const char *ksr_snapshot_string(const struct ksr_snapshot *snapshot, uint32_t offset);

#endif
