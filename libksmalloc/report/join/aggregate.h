/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * aggregate: segments joined with kernel counters, summed over processes.
 *
 * What it is: joins each slot with the VMAs that cover it, and adds up sites of
 * equal id.
 *
 * What it is not: an explanation or a picture.
 *
 * Invariants: those of a report (report.h).
 *
 * Locking and owner: one thread; the report is the caller's.
 *
 * Failure: -errno only when nothing can be done at all; nothing is to be destroyed then.
 */
#ifndef KSR_JOIN_AGGREGATE_H
#define KSR_JOIN_AGGREGATE_H

#include "join/collect.h"
#include "join/report.h"

/* Reads all processes of the selection and builds the sites. */
int ksr_report_create(const struct ksr_fs *fs, const struct ksr_selection *selection,
		      struct ksr_report *report);

/* Sums sites, slots and totals of processes that were collected before. Exposed for tests. */
int ksr_report_aggregate(const struct ksr_fs *fs, struct ksr_report *report);

#endif
