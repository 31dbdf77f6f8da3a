/* SPDX-License-Identifier: BSD-2-Clause */
#include "site/recall.h"

#include <string.h>

static_assert(KSM_SEARCH_WORDS <= UINT16_MAX, "a shape keeps words in 16 bits");

const uint64_t ksm_recall_factors[KSM_MAX_FRAMES] = {
	UINT64_C(0xe220a8397b1dcdaf), UINT64_C(0x6e789e6aa1b965f5),
	UINT64_C(0x06c45d188009454f), UINT64_C(0xf88bb8a8724c81ed),
	UINT64_C(0x1b39896a51a8749b), UINT64_C(0x53cb9f0c747ea2eb),
	UINT64_C(0x2c829abe1f4532e1), UINT64_C(0xc584133ac916ab3d),
	UINT64_C(0x3ee5789041c98ac3), UINT64_C(0xf3b8488c368cb0a7),
	UINT64_C(0x657eecdd3cb13d09), UINT64_C(0xc2d326e0055bdef7),
	UINT64_C(0x8621a03fe0bbdb7b), UINT64_C(0x8e1f7555983aa92f),
	UINT64_C(0xb54e0f1600cc4d19), UINT64_C(0x84bb3f97971d80ab),
};

/* frames[0] is the caller itself, which the shape has apart. */
static bool fits(const struct ksm_recall_shape *shape, const struct ksm_stack *stack)
{
	if (shape->caller != stack->caller || shape->frame != stack->frame ||
	    shape->count != stack->count - 1)
		return false;
	for (uint32_t i = 0; i < shape->count; i++) {
		if (shape->words[i] != stack->words[i + 1])
			return false;
	}
	return true;
}

/* The shape of the stack; in the place of another one if it is new. */
static const struct ksm_recall_shape *obtain_shape(struct ksm_recall *recall,
						   const struct ksm_stack *stack)
{
	struct ksm_recall_shape *set = ksm_recall_set(recall, stack->caller, stack->frame);
	struct ksm_recall_shape *shape = &set[recall->victim % KSM_RECALL_WAYS];

	for (uint32_t way = 0; way < KSM_RECALL_WAYS; way++) {
		if (fits(&set[way], stack))
			return &set[way];
	}
	recall->victim++;
	shape->caller = stack->caller;
	shape->frame = stack->frame;
	shape->last_hash = 0;
	shape->count = stack->count - 1;
	for (uint32_t i = 0; i < shape->count; i++)
		shape->words[i] = (uint16_t)stack->words[i + 1];
	return shape;
}

void ksm_recall_add(struct ksm_recall *recall, const struct ksm_stack *stack, void *what)
{
	struct ksm_recall_entry *near;
	uint32_t place = 0;
	uint64_t hash;

	if (!stack->recognisable)
		return;
	hash = ksm_recall_hash(obtain_shape(recall, stack));
	near = ksm_recall_near(recall, hash);
	/* In the place of itself, or the newest goes first and the oldest is forgotten. */
	while (place < KSM_RECALL_NEAR - 1 && near[place].hash != hash)
		place++;
	memmove(near + 1, near, place * sizeof(*near));
	near[0] = (struct ksm_recall_entry){ hash, what };
}

void ksm_recall_clear(struct ksm_recall *recall)
{
	memset(recall, 0, sizeof(*recall));
}
