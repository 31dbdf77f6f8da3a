/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collector: the process that reads.
 *
 * What it is: takes a snapshot at each interval and a whole report now and then, and hands over documents. It has
 * the rights to read other processes, and knows nothing of networks.
 * What it is not: the process that serves (server.h), which asks for nothing: documents come when they are made; nor
 * the one that has started both (supervisor.h).
 * Invariants: one snapshot or report is made at a time, by one thread, whatever clients do. But for the first one a
 * snapshot reads no more than top/reader.h allows.
 * Locking and owner: one thread.
 * Failure: ends when its parent does. Without memory for a snapshot there is another one at the next interval.
 */
#ifndef KSR_EXPORTER_COLLECTOR_H
#define KSR_EXPORTER_COLLECTOR_H

#include "exporter/counters.h"
#include "join/collect.h"

struct ksr_collector_options {
	const struct ksr_fs *fs;
	const struct ksr_selection *selection;
	const struct ksr_exporter_counters *counters;
	uint64_t interval_ms;
	uint64_t top;
	bool resolve;
};

/* Returns an exit code when the other end of the socket is closed, or on failure. */
int ksr_collector_run(const struct ksr_collector_options *options, int socket);

#endif
