/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group: the processes of one group and one layout.
 *
 * What it is: sums over the processes of each group: how many have its layout, what was placed, and what they share.
 * What it is not: a choice of processes; a process of no group is in one without a name.
 * Invariants: each process is in one group. Pointers to groups hold until the next one is added.
 * Locking and owner: one thread; the report owns its groups, whose names are those of its snapshots.
 * Failure: -ENOMEM.
 */
#ifndef KSR_JOIN_GROUP_H
#define KSR_JOIN_GROUP_H

#include "join/report.h"

struct ksr_group {
	const char *name; /* of a snapshot; empty when they were given none */
	uint32_t layout;  /* enum ksmalloc_layout */
	uint32_t processes;
	uint32_t failed; /* that should have had the layout of their group */
	int failure;	 /* errno of one of these */
	uint64_t placed; /* mappings that got a place of the shared layout */
	uint64_t taken;	 /* places where something else lay */
	/* By the group's store. */
	uint32_t asked;	      /* processes that are to share */
	uint32_t aside;	      /* of these, those that do not */
	uint32_t reasons[KSMALLOC_ASIDE_COUNT]; /* processes for each, also those that share in part only */
	uint32_t store_files;
	uint64_t store;	 /* bytes that the files take */
	uint64_t store_huge; /* of them, on huge pages that a process maps as such */
	uint64_t store_pss; /* of the processes' Pss, the store's pages */
	uint64_t shared; /* bytes of the processes, as in struct ksr_memory */
	struct ksmalloc_share_stats share; /* sums */
	struct ksmalloc_huge_stats huge;   /* sums */
};

/* The group of this name and layout, which is added unless it is there; NULL without memory. */
struct ksr_group *ksr_group_find(struct ksr_report *report, const char *name, uint32_t layout);
/* Of so many bytes that are shared, their part of what the group's store takes: the same of all of the group's memory. */
uint64_t ksr_group_stored(const struct ksr_group *group, uint64_t shared);
/* To be called before memory is joined. Adds all processes to their groups; and what they count as live in parts. */
int ksr_groups_finish(struct ksr_report *report);

#endif
