/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * whose: which row a page counts for: that of who asked for it, as reports have it.
 *
 * What it is: a row for each origin, site, part and file of the processes of a report, and one for all else; the row of an
 * address, by the slots and marks of its process; and the division of what only samples tell whose it is.
 *
 * What it is not: names. The frames of a row are reached through its sample. Rows of one name are several.
 *
 * How it is divided: a page has the row of the mark that covers it. Of pages that no mark covers, those of a site go to the
 * origins of its marked blocks, small blocks to those of samples, and blocks of sites that have no slot yet to these sites:
 * each by its part of what is held there, all of it, but at most twice what marks stand for (join/marks.h says all of it).
 * So much of small blocks as was freed and is kept is a row of its own before that.
 *
 * Invariants: a division leaves sums as they are. Origins of equal id are one row, but for those with code that was made
 * at run time, which have one for each process.
 *
 * Locking and owner: one thread; the rows point to the report.
 *
 * Failure: -ENOMEM.
 */
#ifndef KSR_ESTIMATE_WHOSE_H
#define KSR_ESTIMATE_WHOSE_H

#include "join/files.h"
#include "join/report.h"

enum ksr_whose_kind {
	KSR_WHOSE_SITE,
	KSR_WHOSE_PART,
	KSR_WHOSE_NURSERY, /* blocks of sites that have no slot yet */
	KSR_WHOSE_KEPT, /* of small blocks what was freed, and is nobody's */
	KSR_WHOSE_REST,
	KSR_WHOSE_FILE,
	KSR_WHOSE_ORIGIN,
};

/* What a row is, and where its frames are. */
struct ksr_whose_row {
	enum ksr_whose_kind kind;
	size_t process; /* of SITE and ORIGIN: one of the report that has it */
	uint32_t index; /* there; or the part, or the file of the report */
};

/* Bytes of a row. */
struct ksr_estimate_group {
	uint64_t resident;
	uint64_t zero;	      /* of pages that are all zero; they are not in what would merge */
	uint64_t fork_shared; /* further mappings of pages that fork shares */
	uint64_t would_merge;
	uint64_t would_share; /* the same where the address is equal, too, in processes of one group */
};

struct ksr_whose;
struct ksr_whose_ranges; /* of one process, by address */

int ksr_whose_create(const struct ksr_fs *fs, const struct ksr_report *report, struct ksr_whose **whose);
void ksr_whose_destroy(struct ksr_whose *whose);
uint32_t ksr_whose_count(const struct ksr_whose *whose);
struct ksr_whose_row ksr_whose_row(const struct ksr_whose *whose, uint32_t row);

/* process is one of the report, or NULL for one that has no segment: then there is nothing to be known. */
int ksr_whose_ranges_create(const struct ksr_whose *whose, const struct ksr_process *process,
			    struct ksr_whose_ranges **ranges);
void ksr_whose_ranges_destroy(struct ksr_whose_ranges *ranges);
/* The row of a page of this mapping; *in_slot: it is memory of a site. */
uint32_t ksr_whose_find(const struct ksr_whose_ranges *ranges, const struct ksr_vma *vma, uint64_t address, bool *in_slot);

/* Divides what was counted of rows that stand for several. groups are as many as there are rows. */
void ksr_whose_divide(struct ksr_whose *whose, struct ksr_estimate_group *groups);

#endif
