/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat: the statistics segment of this process (layout: ksmalloc/segment.h).
 *
 * What it is: the one mapping that holds the counters and tables, the page before it
 * that marks it in /proc/PID/maps, the calls that append to the tables, and,
 * where a user asks for it (stats_dir, stats_group), the switch to a file.
 * What it is not: the place where counters are counted; each owner does that.
 *
 * Invariants: the mapping stays at its address from ksm_stat_init(), when the library is
 * loaded, to the end of the process, whatever form it has; ksm_stat is never NULL after a
 * successful init. As private memory, which readers see through /proc/PID/mem, it needs
 * nothing afterwards: a forked child has its own by copy-on-write, and no system call is
 * made for it. As a file it is shared: a forked child starts with private memory, and
 * makes its file when it first places a block, so children that only exec leave none.
 * Locking: appending takes the tables' lock. Publishing replaces the mapping:
 * the caller keeps all writers of site statistics out meanwhile.
 * Failure: without a marker or a file the process runs on with private memory; the
 * failure is counted in the segment itself.
 */
#ifndef KSM_STAT_H
#define KSM_STAT_H

#include "base.h"
#include "system/lock.h"

#include <ksmalloc/segment.h>
#include <stdatomic.h>

struct ksm_stat_segment {
	struct ksmalloc_segment_header header;
	_Alignas(64) struct ksmalloc_segment_site sites[KSMALLOC_MAX_SITES];
	_Alignas(64) struct ksmalloc_segment_slot slots[KSMALLOC_MAX_SLOTS];
	_Alignas(64) struct ksmalloc_segment_module modules[KSMALLOC_MAX_MODULES];
	_Alignas(64) struct ksmalloc_segment_tally tallies[KSMALLOC_MAX_TALLIES];
	_Alignas(64) struct ksmalloc_segment_origin origins[KSMALLOC_MAX_ORIGINS];
	_Alignas(64) struct ksmalloc_segment_script_frame script_frames[KSMALLOC_MAX_SCRIPT_ENTRIES];
	_Alignas(64) uint64_t frames[KSMALLOC_MAX_ORIGIN_FRAMES];
	_Alignas(64) struct ksmalloc_segment_mark marks[KSMALLOC_MAX_MARKS];
	_Alignas(64) char strings[KSMALLOC_STRINGS_BYTES];
};

/* NULL until ksm_stat_init(). Synchronization: written once. */
extern struct ksm_stat_segment *ksm_stat;

/* Maps the segment and its marker, and fills the header: after the options were read. 0, or -ENOMEM. */
int ksm_stat_init(void);

/* True while the segment is not the file that it should be. */
bool ksm_stat_must_publish(void);

/*
 * Turns the private memory into a file in the stats folder, and removes the files of
 * processes that have gone. Where no file can be made it stays memory.
 * The caller holds off all writers of statistics.
 */
void ksm_stat_publish(void);

/* Removes the segment file at exit; the mapping stays for late writers. */
void ksm_stat_unlink(void);

/* Appends; each returns the index, or -ENOSPC when the table is full. */
int ksm_stat_add_slot(uint64_t base, uint32_t site, uint32_t flags);
/* Gives an entry that has nothing mapped to another site. */
void ksm_stat_reuse_slot(int index, uint32_t site, uint32_t flags);
int ksm_stat_add_module(const struct ksmalloc_segment_module *module, const char *path);

/* Returns the place of a new site that is not counted yet, or NULL. */
struct ksmalloc_segment_site *ksm_stat_prepare_site(uint32_t index);
/* Counts the site; its fields are complete. */
void ksm_stat_commit_site(uint32_t index);
/* Appends an origin, complete but for its place; its index, or -ENOSPC when the table is full. */
int ksm_stat_add_origin(const struct ksmalloc_segment_origin *origin);
/* The same for frames of origins. */
int ksm_stat_add_frame(uint64_t frame);
int ksm_stat_add_script_frame(const struct ksmalloc_segment_script_frame *frame);
/* Appends a mark, which is free; NULL if there is no room, and for who would have to wait, as a fork may wait for its locks. */
struct ksmalloc_segment_mark *ksm_stat_add_mark(void);
/* Appends a tally; NULL if there is no room. */
struct ksmalloc_segment_tally *ksm_stat_add_tally(void);
/* Appends a string; its offset, 0 if there is no room. */
uint32_t ksm_stat_add_string(const char *text, size_t length);

/* Who has the lock. */
enum ksm_lock_holder ksm_stat_lock_holder(void);

void ksm_stat_prefork(void);
void ksm_stat_postfork_parent(void);
void ksm_stat_renew_lock(void);
/* In the child, after the lock was renewed or where none was taken: the segment becomes the child's own. */
void ksm_stat_postfork_child(void);

/*
 * Counters of a site or process are plain 64-bit words for which one lock is
 * held by the writer; relaxed atomics keep readers from seeing half a word. Returns the sum.
 */
KSM_INLINE uint64_t ksm_stat_add_locked(uint64_t *counter, uint64_t value)
{
	uint64_t sum = __atomic_load_n(counter, __ATOMIC_RELAXED) + value;

	__atomic_store_n(counter, sum, __ATOMIC_RELAXED);
	return sum;
}

KSM_INLINE void ksm_stat_sub_locked(uint64_t *counter, uint64_t value)
{
	ksm_stat_add_locked(counter, 0 - value);
}

/* The same for counters that one thread alone writes. */
KSM_INLINE uint64_t ksm_stat_add_own(uint64_t *counter, uint64_t value)
{
	return ksm_stat_add_locked(counter, value);
}

/* For counters of the process, which no lock protects. */
KSM_INLINE void ksm_stat_add(uint64_t *counter, uint64_t value)
{
	__atomic_fetch_add(counter, value, __ATOMIC_RELAXED);
}

KSM_INLINE void ksm_stat_set(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

#endif
