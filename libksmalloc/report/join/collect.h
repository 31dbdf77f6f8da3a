/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collect: reads the processes of a selection.
 *
 * What it is: which processes a report is about, and reading what the kernel and they themselves count.
 * What it is not: a sum.
 * Invariants: of the processes that share a segment one owns it, so that its counters count once.
 * Locking and owner: one thread; the report owns what was read.
 * Failure: a process that cannot be read is one line in `rejected`, and the others are read. -errno only when nothing can be
 * done at all; the report is to be destroyed then, too.
 */
#ifndef KSR_JOIN_COLLECT_H
#define KSR_JOIN_COLLECT_H

#include "join/report.h"

struct ksr_selection {
	const pid_t *pids; /* empty: all processes that can be found */
	size_t pid_count;
	const char *const *groups; /* empty: any group */
	size_t group_count;
	bool everyone; /* also processes of other users; root that names groups looks at all */
};

int ksr_report_collect(const struct ksr_fs *fs, const struct ksr_selection *selection,
		       struct ksr_report *report);

#endif
