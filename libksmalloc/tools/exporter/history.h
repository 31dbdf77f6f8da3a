/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * history: what the charts of the page show.
 *
 * What it is: a point of each snapshot, the last KSR_HISTORY_POINTS of them.
 * What it is not: kept beyond the exporter's end: that is Prometheus' task.
 * Invariants: memory is bounded; points are in the order of time.
 * Locking and owner: one thread.
 * Failure: none; the stream remembers errors of writing.
 */
#ifndef KSR_EXPORTER_HISTORY_H
#define KSR_EXPORTER_HISTORY_H

#include <stdio.h>

#include "base.h"

#define KSR_HISTORY_POINTS 720

/* What a point has: X(member). Bytes; of costs, hundredths of a percent of one processor. */
#define KSR_HISTORY_VALUES(X)                                                                                          \
	X(time) /* seconds since 1970 */                                                                               \
	X(needs)                                                                                                       \
	X(ksm)                                                                                                         \
	X(store)                                                                                                       \
	X(ksmd)                                                                                                        \
	X(keeper)                                                                                                      \
	X(work)                                                                                                        \
	X(own)

struct ksr_point {
#define KSR_POINT_MEMBER(name) uint64_t name;
	KSR_HISTORY_VALUES(KSR_POINT_MEMBER)
#undef KSR_POINT_MEMBER
};

struct ksr_history {
	struct ksr_point points[KSR_HISTORY_POINTS];
	size_t count;
	size_t next;
};

void ksr_history_add(struct ksr_history *history, const struct ksr_point *point);
/* An object with a list of each value. */
void ksr_history_write(const struct ksr_history *history, FILE *output);

#endif
