/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan: reads the private anonymous pages of processes and counts
 * their contents.
 *
 * What it is: one pass over the resident pages of each process. Pages that are
 * not resident are never touched, so that reading changes nothing in the
 * process; swapped pages are counted, not read.
 *
 * Pages shared by fork count once. With privilege they are told by their frame
 * number, and merged pages (KSM's) are counted at each mapping, as if they had
 * not been merged yet. Without it, pages that are not mapped exclusively and
 * have equal content at an equal address are taken for one: right for fork,
 * and too careful for pages that KSM has merged already.
 *
 * What the store of a group could share is counted beside it: pages of sites and of jemalloc's memory that processes of one group
 * have with equal content at an equal address. What they share already is not read.
 *
 * Locking and owner: one thread. Processes go on running: what changes during
 * the pass is seen as it happens to be.
 *
 * Failure: -errno; a process that may not be read is one entry of `failed`.
 */
#ifndef KSR_ESTIMATE_SCAN_H
#define KSR_ESTIMATE_SCAN_H

#include "join/report.h"
#include "estimate/contents.h"
#include "estimate/forecast.h"
#include "estimate/whose.h"

struct ksr_estimate {
	struct ksr_whose *whose;	   /* which rows there are */
	struct ksr_estimate_group *groups; /* one for each */
	size_t group_count;
	size_t processes;
	uint64_t page_bytes;
	uint64_t swapped;
	uint64_t unreadable;
	uint64_t factor;
	struct ksr_saving saves[KSR_WAY_COUNT]; /* what each way would, of all processes */
	bool has_shared; /* some process has the shared layout */
	bool has_frames; /* the kernel shows frame numbers */
	struct ksr_rejected *failed;
	size_t failed_count;
};

int ksr_estimate_create(const struct ksr_fs *fs, const struct ksr_report *report, const pid_t *pids,
			size_t count, uint64_t most_bytes, struct ksr_estimate *estimate);
void ksr_estimate_destroy(struct ksr_estimate *estimate);

#endif
