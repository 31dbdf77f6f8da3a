/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * facts: what is known of the memory of a process from outside, for each row of a comparison: what the kernel counts of it, what
 * has changed of it while one looked, and how long its blocks live.
 *
 * What it is: figures of the first of the two processes.
 * What it is not: a judgement, or anything of the content.
 * Invariants: rows are those of the comparison, in its order.
 * Locking and owner: one thread; the facts own their lists.
 * Failure: -ENOMEM. Of a process that has ended it is not known how long its blocks have lived.
 */
#ifndef KSR_JUDGE_FACTS_H
#define KSR_JUDGE_FACTS_H

#include "join/process.h"
#include "judge/turnover.h"
#include "pages/change.h"
#include "pages/rows.h"

/* Bytes. */
struct ksr_row_facts {
	uint64_t resident;
	uint64_t merged;
	uint64_t shared;
	uint64_t forked;
	uint64_t mergeable;
	uint64_t huge;
	uint64_t asked_huge;
	bool is_denied;
	struct ksr_change change;
	uint64_t lifetime_ms; /* KSR_NONE: not known */
	uint64_t small;	      /* of resident: jemalloc's memory, where marks tell of it */
};

struct ksr_facts {
	struct ksr_row_facts *rows;
	struct ksr_marks marks;
	struct ksr_turnover turnover;
	uint64_t between_ms;  /* between two looks at its segment: a comparison takes its time */
	bool shares_mappings; /* the group's store takes the program's own mappings, too: it has some of them */
};

/*
 * process is the first of the comparison, or NULL if nothing is known of its mappings; changes are by region, and its segment
 * was copied when it was looked_ms.
 */
int ksr_facts_create(const struct ksr_fs *fs, const struct ksr_process *process, const struct ksr_diff *diff,
		     const struct ksr_change *changes, uint64_t looked_ms, struct ksr_facts *facts);
void ksr_facts_destroy(struct ksr_facts *facts);

#endif
