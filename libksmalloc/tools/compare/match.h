/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * match: which origins of two reports are the same, and what has changed of them.
 *
 * What it is: origins of two pictures, joined by group, program and name, or the functions of their stacks; and groups by
 * name.
 * What it is not: by id, which another build of a program changes, or by line, which any edit does.
 * Invariants: what origins of one key have is added up; the changes of all origins add up to that of the totals.
 * Locking and owner: changes belong to the comparison, names in them to the pictures, which must outlive it.
 * Failure: -ENOMEM.
 */
#ifndef KSR_COMPARE_MATCH_H
#define KSR_COMPARE_MATCH_H

#include "show/picture.h"

struct ksr_change {
	const char *name; /* as the later report calls it, if it has it */
	const char *group;
	const char *layout;
	const char *program;
	uint32_t origins[2]; /* before and after; 0: it is not there */
	uint32_t processes[2];
	uint64_t store[2]; /* of groups */
	uint64_t values[2][KSR_VALUE_COUNT];
};

struct ksr_comparison {
	struct ksr_change *origins;
	size_t origin_count;
	struct ksr_change *groups;
	size_t group_count;
	const struct ksr_picture *pictures[2];
};

/* by_stack: each stack by itself, also where several have one name. To be destroyed also after a failure. */
int ksr_comparison_create(const struct ksr_picture *before, const struct ksr_picture *after, bool by_stack,
			  struct ksr_comparison *comparison);
void ksr_comparison_destroy(struct ksr_comparison *comparison);

/* after - before, as far as numbers go. */
int64_t ksr_change_of(const uint64_t values[2]);
int64_t ksr_change_of_value(const struct ksr_change *change, enum ksr_value value);
/* By the size of the change of a value, the largest first, whether it is more or less. */
void ksr_comparison_sort(struct ksr_comparison *comparison, enum ksr_value value);
/* Bytes that were merged or shared before, are still held, and are neither now. */
uint64_t ksr_change_unshared(const struct ksr_change *change);

#endif
