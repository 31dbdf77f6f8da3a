/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * origin: whose memory it is, in the program's own terms.
 *
 * What it is: the memory of all processes of a report, divided among those who asked for it: by the marks of the
 * segments (ksmalloc/segment.h) where memory is marked, and by the site of a slot where that is all that is known.
 *
 * What it is not: names. The frames of an origin are reached through its sample.
 *
 * How it is divided: resident, merged, saved and shared bytes of a mapping or slot are known; marks say whose they are. A
 * mark of a mapping has what lies in it. Marks that are samples share what is known of the memory that they lie in, in
 * proportion to their weights, so that sums stay those of the kernel; the error is that of sampling (owners.h). A
 * site of which blocks of several origins are marked is divided among them; others are rows of their own.
 *
 * Invariants: the memory of all origins, what was freed and is kept (totals.kept), what is left of nurseries
 * (totals.nursery_unmarked) and what is left of each part (unmarked) add up to sites, nurseries, and the parts of the report with what they leave out (beyond).
 *
 * Locking and owner: one thread; the origins belong to the report, the sums to who began with them.
 *
 * Failure: -ENOMEM.
 */
#ifndef KSR_JOIN_ORIGIN_H
#define KSR_JOIN_ORIGIN_H

#include "join/report.h"

struct ksr_origin {
	uint64_t id;
	/* A process that has it, and its index there: where the frames are. */
	size_t sample_process;
	uint32_t sample_index; /* in the table of origins; with is_site, of sites */
	bool is_site;	       /* its blocks are not marked: it is the site of slots, and has C frames or a label */
	uint32_t processes;
	uint32_t kinds;	     /* bit n: it has marks of kind n */
	uint64_t held;	     /* bytes that the program holds there */
	uint64_t held_error; /* held is right to so many bytes more or less, in 19 of 20 cases */
	uint64_t marks;
	struct ksr_memory memory;
};

struct ksr_owners; /* owners.h */

/* What is found while processes are added. */
struct ksr_origin_sums;

/* NULL without memory. */
struct ksr_origin_sums *ksr_origins_begin(void);
void ksr_origins_abandon(struct ksr_origin_sums *sums);

/* Adds a process whose owners are finished; which is its index in the report. */
int ksr_origins_add(struct ksr_origin_sums *sums, const struct ksr_report *report, size_t which,
		    const struct ksr_owners *owners);

/* Errors of samples that are independent add up as their squares do. */
uint64_t ksr_origin_add_errors(uint64_t a, uint64_t b);

/* Builds report->origins, when sites were summed. */
int ksr_origins_finish(struct ksr_origin_sums *sums, struct ksr_report *report);

#endif
