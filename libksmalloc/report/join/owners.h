/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * owners: whose the memory of one process is, by the marks of its segment.
 *
 * What it is: what a process has, mapping by mapping, cut where marks begin and end; and what is found of each of its
 * origins when all of it was seen.
 * What it is not: a sum over processes (origin.h).
 *
 * How memory is divided: a mapping's figures, by the pages that a mark covers of it, or by the addresses where the kernel
 * does not tell which pages are there. Samples divide what they stand
 * for by their weights: all of jemalloc's memory but what was freed and is kept, which is nobody's, and at most twice what
 * they stand for, since the rest is then of blocks that are too few for samples (marks.h). How much is kept is counted, not
 * where: it is a part of what samples leave of their own pieces, like all the others. In the shared layout it is known for whom each piece of it was taken, and whose they are
 * is looked for there first: so what is saved of an origin is that of its own pieces, as far as it has them still; and what
 * neither samples nor what is kept account for stays with those for whom it was taken. Nurseries
 * are divided by what their sites have live, which is counted.
 *
 * Invariants: what is divided adds up to what was told of, whatever the marks are: of those that lie in each other the inner
 * one has its place (marks.h). Time is that of sorting.
 *
 * Locking and owner: one thread; the owners belong to the caller.
 *
 * Failure: -ENOMEM.
 */
#ifndef KSR_JOIN_OWNERS_H
#define KSR_JOIN_OWNERS_H

#include "join/files.h"
#include "join/marks.h"
#include "join/own.h"
#include "read/presence.h"

/* What an origin of the process has. */
struct ksr_owned {
	uint64_t held;
	struct ksr_memory parts[KSR_PART_COUNT];
	struct ksr_memory nursery;
	struct ksr_memory taken; /* jemalloc's, in pieces that were taken for it; whoever has them now */
};

/* Blocks of a site that have a mark of their own. */
struct ksr_owned_slot {
	uint32_t site; /* index in the segment */
	uint32_t origin;
	bool is_sample; /* it stands for others, too */
	struct ksr_memory memory;
	uint64_t held;
};

struct ksr_owners {
	const struct ksr_fs *fs;
	const struct ksr_snapshot *snapshot;
	struct ksr_marks marks;
	size_t next; /* the first mark that may still overlap a mapping */
	size_t next_block;
	struct ksr_owned *origins; /* by index in the segment */
	uint32_t origin_count;
	struct ksr_memory heap; /* jemalloc's, in the part heap */
	struct ksr_memory kept; /* of it, what was freed and is kept; when all is finished by the best counters */
	struct ksr_memory witnesses;
	struct ksr_memory nursery; /* all but witnesses */
	struct ksr_memory parts[KSR_PART_COUNT]; /* all that was told of */
	struct ksr_files files; /* of the part files, what has no origin */
	int error; /* -ENOMEM: not all files could be told apart */
	struct ksr_memory *nursery_sites; /* by index in the segment: what they have of nurseries */
	struct ksr_owned_slot *slots;
	size_t slot_count;
	size_t slot_room;
};

int ksr_owners_create(struct ksr_owners *owners, const struct ksr_fs *fs, const struct ksr_snapshot *snapshot);
void ksr_owners_destroy(struct ksr_owners *owners);

/* In the order of addresses: what lies in a part of a slot. */
int ksr_owners_add_slot(struct ksr_owners *owners, const struct ksmalloc_segment_slot *slot, uint64_t begin,
			uint64_t end, const struct ksr_memory *memory);
/* And in a mapping outside of slots; it is added to the process's own, too. */
void ksr_owners_add_mapping(struct ksr_owners *owners, const struct ksr_vma *vma, const struct ksr_memory *memory,
			    struct ksr_own_memory *own);

/*
 * All was told of, and own has what it comes to by the best counters there are. What is left of a part goes to unmarked[part],
 * of nurseries to *nursery. What is kept is in neither, and no origin's.
 */
void ksr_owners_finish(struct ksr_owners *owners, const struct ksr_own_memory *own,
		       struct ksr_memory unmarked[KSR_PART_COUNT], struct ksr_memory *nursery);

#endif
