/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * marks: what the marks of one process say: who has asked for the memory at an address, and how much do those that stand for
 * others come to?
 *
 * What it is: the marks of a segment, read once: those that own what lies in them, those of blocks in slots, and small
 * blocks that are samples, summed up by origin; the slots by address; and the rule by which what stands for others divides
 * memory. All who ask whose memory is ask here: reports (owners.h) and estimates.
 *
 * What it is not: a division of memory. What is divided, counters of the kernel or pages, is known to who asks.
 *
 * Invariants: what owns overlaps nowhere, whatever the segment has: a mark that lies in another one has its place, and the
 * other one is cut into what is before and behind it. Weights are so small that sums of all of them do not wrap. Marks of no
 * origin are left out, but for those of jemalloc's memory.
 *
 * Locking and owner: one thread; the lists belong to who has the marks. Time is that of sorting.
 *
 * Failure: -ENOMEM.
 */
#ifndef KSR_JOIN_MARKS_H
#define KSR_JOIN_MARKS_H

#include "join/samples.h"

/* What the marks of an origin say. */
struct ksr_marked {
	uint32_t kinds; /* bit n: it has marks of kind n, but for large blocks */
	uint64_t marks;
	double variance;	/* of what marks stand for */
	uint64_t sampled;	/* what small blocks stand for */
	uint64_t sampled_bytes; /* and the bytes of these blocks themselves */
};

struct ksr_marks {
	struct ksmalloc_segment_slot *slots; /* by address; they overlap in no snapshot */
	uint32_t slot_count;
	struct ksmalloc_segment_mark *owners; /* what lies in them is theirs; by address */
	size_t owner_count;
	struct ksmalloc_segment_mark *blocks; /* large ones, in slots; by address */
	size_t block_count;
	struct ksmalloc_segment_mark *samples; /* small blocks that stand for others; by address */
	size_t sample_count;
	struct ksr_marked *origins; /* by index in the segment */
	uint32_t origin_count;
	uint64_t kept; /* of jemalloc's memory what was freed and is nobody's, as far as it is told (read/bins.h) */
	uint64_t sampled_at; /* where a small block that is a sample lies, or 0 */
};

int ksr_marks_create(struct ksr_marks *marks, const struct ksr_fs *fs, const struct ksr_snapshot *snapshot);
void ksr_marks_destroy(struct ksr_marks *marks);

/* The mark that owns what is at an address, that of a large block there, and the slot that it lies in. NULL if there is none. */
const struct ksmalloc_segment_mark *ksr_marks_owner_at(const struct ksr_marks *marks, uint64_t address);
const struct ksmalloc_segment_mark *ksr_marks_block_at(const struct ksr_marks *marks, uint64_t address);
const struct ksmalloc_segment_slot *ksr_marks_slot_at(const struct ksr_marks *marks, uint64_t address);

/* Of the small blocks that stand for others and begin in a range the one that stands for most; NULL if there is none. */
const struct ksmalloc_segment_mark *ksr_marks_sample_in(const struct ksr_marks *marks, uint64_t begin, uint64_t end);

/* How much of a range is jemalloc's memory, in which small blocks lie. */
uint64_t ksr_marks_heap(const struct ksr_marks *marks, uint64_t begin, uint64_t end);

/* What a mark stands for: no more than any mark of ours does. */
uint64_t ksr_marks_weight(const struct ksmalloc_segment_mark *mark);

/* True of the slot of small blocks that are samples: they have one for themselves. */
bool ksr_marks_is_sampled(const struct ksr_marks *marks, const struct ksmalloc_segment_slot *slot);

/* What a site without slots has of nurseries, which it counts. */
uint64_t ksr_marks_unplaced(const struct ksmalloc_segment_site *site);

/*
 * Of which whole a weight is a part, where weights come to a sum and so much is held: of their sum, but what is held is no
 * more than twice that. Much more is of others.
 */
uint64_t ksr_marks_whole(uint64_t weights, uint64_t held);

#endif
