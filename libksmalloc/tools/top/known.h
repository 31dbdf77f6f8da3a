/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * known: one process, measured again and again for little.
 *
 * What it is: what is remembered of a process, and the cheap way to its figures: its stat, the header of its segment and
 * smaps_rollup.
 *
 * What it is not: a choice of processes, or of the moment (reader.h).
 *
 * How little is enough. What KSM saves is, of anonymous memory, Rss - Pss, less what fork shares; pages of a store are
 * shmem, and so is memory that the program shares itself; what is mapped of the store, the process counts. What has to be
 * taken off is measured by smaps, mapping by mapping, where it is not known to be nothing: when a process is first seen
 * to merge or to share, and each half minute then. Where the kernel's rollup lacks a field, smaps is read each time.
 *
 * Invariants: what is known is of one process and one program: another start time or an exec makes it unknown again.
 *
 * Locking and owner: one thread; it belongs to the reader.
 *
 * Failure: -ESRCH if the process has ended. All else is a mark.
 */
#ifndef KSR_TOP_KNOWN_H
#define KSR_TOP_KNOWN_H

#include "read/head.h"
#include "read/rollup.h"
#include "read/smaps.h"
#include "read/status.h"
#include "read/store_files.h"
#include "top/sample.h"

/* What smaps told, less what the cheap counters told at the same moment. */
struct ksr_top_offsets {
	uint64_t at_ms; /* 0: never */
	uint64_t not_merged;  /* saved of anonymous memory, not by KSM */
	uint64_t other_shmem; /* Pss of shmem that is no store's */
	int64_t shared;	      /* what is mapped of the store */
};

struct ksr_top_known {
	pid_t pid;
	uint64_t start_ticks;
	uint64_t start_stack;
	pid_t parent;
	bool chosen;	  /* the user has named it */
	bool has_segment; /* it is shown */
	bool is_keeper;
	bool is_ksmd;
	bool wanted; /* its group is */
	uint32_t looks; /* in vain, so far */
	uint64_t next_look_ms;
	uint64_t measured_ms;
	uint64_t named_ms;
	struct ksr_head_place place;
	struct ksr_top_offsets offsets;
	struct ksr_top_process shown;
	/* For the division of the store. */
	uint64_t store;
	uint64_t pss;
	uint64_t store_pss;
	uint64_t shared;
	struct ksmalloc_segment_store_file *files; /* KSMALLOC_MAX_STORE_FILES, of processes that share */
	/* What grows: processor time since the sample before. */
	uint64_t cpu_ticks;
	uint64_t work_us;
	bool has_work; /* work_us is of this program */
	uint64_t new_ticks;
	uint64_t new_work_us;
};

void ksr_top_known_free(struct ksr_top_known *known);
/* Is there a segment, is it a keeper, is it ksmd? Sets the time of the next look where it is none of them. */
int ksr_top_known_look(const struct ksr_fs *fs, struct ksr_top_known *known, uint64_t now_ms);
/* New figures. files: of all that are looked at together. counts_zero: KSM may have given it zero pages. */
int ksr_top_known_measure(const struct ksr_fs *fs, struct ksr_top_known *known, struct ksr_store_files *files, uint64_t now_ms,
			  uint64_t page_bytes, bool counts_zero);

#endif
