/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rows: the processes of a sample, by group and container.
 *
 * What it is: sums; the groups that would need most come first.
 * What it is not: bounded by the number of processes: what is beyond KSR_ROWS_MOST is one row, KSR_ROWS_REST.
 * Invariants: the rows add up to the total. Names were cleaned. A process without figures counts as a process.
 * Locking and owner: pure; the rows are the caller's.
 * Failure: -ENOMEM.
 */
#ifndef KSR_EXPORTER_ROWS_H
#define KSR_EXPORTER_ROWS_H

#include "top/sample.h"

#define KSR_ROWS_MOST 200
#define KSR_ROWS_REST "(rest)"

struct ksr_row {
	char group[KSMALLOC_GROUP_BYTES];
	char container[KSR_CONTAINER_BYTES];
	uint64_t processes;
	struct ksr_figures figures;
};

struct ksr_rows {
	struct ksr_row *rows;
	size_t count;
	struct ksr_row total;
};

int ksr_rows_create(const struct ksr_top_sample *sample, struct ksr_rows *rows);
void ksr_rows_destroy(struct ksr_rows *rows);

#endif
