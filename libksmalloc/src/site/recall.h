/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recall: which stacks a thread has seen, recognised without a walk.
 *
 * What it is: a cache from the current call to what was known of its stack. A *shape* says
 * for calls that return to one address with one frame address at which words above
 * that frame return addresses were found. The words there, hashed, are looked up in a
 * second table. So a stack that alternates with others costs what one that repeats does.
 * What it is not: a walk. Stacks that it does not know are captured by unwind.
 *
 * Safety: a shape is only made for frames on the thread's own stack, and reaches no further
 * than its upper end (unwind knows both). All of that is mapped for as long as the thread
 * lives, whatever lies there now. Coroutines and signal handlers on stacks of
 * their own are never recalled: their stacks may be unmapped, and others lie there then.
 * Trust: equal hashes of 64 bits are taken for equal stacks.
 *
 * Locking: belongs to one thread. Failure: none; the older entry makes room.
 */
#ifndef KSM_RECALL_H
#define KSM_RECALL_H

#include "base.h"
#include "site/unwind.h"

/* Room for some hundred stacks, so that of 64 hardly ever more than a set holds meet in one. */
#define KSM_RECALL_SETS	   128u
#define KSM_RECALL_WAYS	   4u
#define KSM_RECALL_ENTRIES 512u
#define KSM_RECALL_NEAR	   4u /* entries that a hash may have, side by side in a cache line */

struct ksm_recall_shape {
	uintptr_t caller;	/* 0 for an empty one */
	uintptr_t frame;
	/* What was found last, so that the processor need not wait for the hash to go on with it. */
	uint64_t last_hash;
	void *last_what;
	uint32_t count;		/* of words */
	uint16_t words[KSM_MAX_FRAMES];	/* in words from frame, rising */
};

struct ksm_recall {
	struct ksm_recall_shape *last; /* that fitted, NULL before the first */
	struct ksm_recall_shape shapes[KSM_RECALL_SETS][KSM_RECALL_WAYS];
	_Alignas(64) struct ksm_recall_entry {
		uint64_t hash;
		void *what;
	} entries[KSM_RECALL_ENTRIES];
	uint32_t victim; /* the way that is replaced next */
};

/* Odd numbers without a pattern, one for each word (SplitMix64 of 1 to 16). */
extern const uint64_t ksm_recall_factors[KSM_MAX_FRAMES] __attribute__((visibility("hidden")));

KSM_INLINE struct ksm_recall_shape *ksm_recall_set(struct ksm_recall *recall, uintptr_t caller,
						   uintptr_t frame)
{
	uint64_t hash = (caller >> 1) * UINT64_C(0x9e3779b97f4a7c15) ^
			(frame >> 4) * UINT64_C(0xc2b2ae3d27d4eb4f);

	return recall->shapes[(hash >> 40) % KSM_RECALL_SETS];
}

/* The hash of the words that the shape names. */
KSM_READS_FRAMES uint64_t ksm_recall_hash(const struct ksm_recall_shape *shape)
{
	const uintptr_t *words = (const uintptr_t *)shape->frame;
	uint64_t hash = shape->caller * UINT64_C(0x9e3779b97f4a7c15) + shape->count;

	for (uint32_t i = 0; i < shape->count; i++)
		hash += words[shape->words[i]] * ksm_recall_factors[i];
	return hash | 1; /* 0 is an empty entry's */
}

/* The entries that the hash may have. */
KSM_INLINE struct ksm_recall_entry *ksm_recall_near(struct ksm_recall *recall, uint64_t hash)
{
	return &recall->entries[(hash >> 36) % (KSM_RECALL_ENTRIES / KSM_RECALL_NEAR) * KSM_RECALL_NEAR];
}

/* What is known of the stack that the shape fits, NULL if nothing is. */
KSM_READS_FRAMES void *ksm_recall_look_up(struct ksm_recall *recall, struct ksm_recall_shape *shape)
{
	uint64_t hash = ksm_recall_hash(shape);
	const struct ksm_recall_entry *entry;

	if (ksm_likely(hash == shape->last_hash))
		return shape->last_what;
	entry = ksm_recall_near(recall, hash);
	for (uint32_t i = 0; i < KSM_RECALL_NEAR; i++, entry++) {
		if (entry->hash != hash)
			continue;
		shape->last_hash = hash;
		shape->last_what = entry->what;
		return shape->last_what;
	}
	return NULL;
}

/* The same in the set of shapes; the one that fits is tried first the next time. */
KSM_READS_FRAMES void *ksm_recall_search(struct ksm_recall *recall, uintptr_t caller, uintptr_t frame)
{
	struct ksm_recall_shape *shape = ksm_recall_set(recall, caller, frame);

	for (uint32_t way = 0; way < KSM_RECALL_WAYS; way++, shape++) {
		void *what = NULL;

		if (shape->caller == caller && shape->frame == frame)
			what = ksm_recall_look_up(recall, shape);
		if (what) {
			recall->last = shape;
			return what;
		}
	}
	return NULL;
}

/*
 * What is known of the current stack if it fits the shape that fitted last, else NULL. frame is on the thread's
 * stack.
 */
KSM_READS_FRAMES void *ksm_recall_find_last(struct ksm_recall *recall, uintptr_t caller, uintptr_t frame)
{
	struct ksm_recall_shape *last = recall->last;

	if (ksm_likely(last) && ksm_likely(last->caller == caller) && ksm_likely(last->frame == frame))
		return ksm_recall_look_up(recall, last);
	return NULL;
}

/* What is known of the current stack, NULL if nothing is. */
KSM_READS_FRAMES void *ksm_recall_find(struct ksm_recall *recall, uintptr_t caller, uintptr_t frame)
{
	void *what = ksm_recall_find_last(recall, caller, frame);

	return ksm_likely(what) ? what : ksm_recall_search(recall, caller, frame);
}

/* Remembers what belongs to a stack that was captured just now, if it can be recognised. */
void ksm_recall_add(struct ksm_recall *recall, const struct ksm_stack *stack, void *what);

void ksm_recall_clear(struct ksm_recall *recall);

#endif
