/* SPDX-License-Identifier: BSD-2-Clause */
#include "site/frames.h"

#include "site/task.h"

#include <ksmalloc/segment.h>

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

#include <stdatomic.h>
#include <string.h>

static_assert(KSM_MAX_FRAMES == KSMALLOC_MAX_FRAMES, "the segment has room for a whole stack");

/* Leaves out return addresses that came before. Which may have come is told by a bit each, so that few are looked for. */
static uint32_t fold(const struct ksm_stack *stack, uintptr_t *folded)
{
	uint64_t bits = 0;
	uint32_t count = 0;

	for (uint32_t i = 0; i < stack->count; i++) {
		uintptr_t address = stack->frames[i];
		uint64_t bit = UINT64_C(1) << ((address * UINT64_C(0x9e3779b97f4a7c15)) >> 58);
		uint32_t seen = bits & bit ? 0 : count;

		bits |= bit;
		while (seen < count && folded[seen] != address)
			seen++;
		if (seen == count)
			folded[count++] = address;
	}
	return count;
}

void ksm_frames_walk(struct ksm_capture *capture, uintptr_t caller, uintptr_t frame)
{
	ksm_unwind_capture(&capture->stack, &capture->room, caller, frame);
	capture->folded_count = fold(&capture->stack, capture->folded);
}

/*
 * Is this where stacks end? Else the walk has met code without unwinding information: that was made at run time, or
 * that an engine has in its file all the same. Most stacks end with the same frame, so that it is looked up once.
 */
static bool is_outermost(struct ksm_capture *capture, uintptr_t end)
{
	uint32_t generation = ksm_module_generation();
	struct ksm_module_address found;

	if (capture->known_end_at != generation) {
		capture->known_end = capture->known_gap = 0;
		/* Other code may lie at those addresses now. */
		capture->behalf = (struct ksm_behalf){ 0 };
		capture->known_end_at = generation;
	}
	if (capture->known_end == end || capture->known_gap == end)
		return capture->known_end == end;
	if (ksm_module_resolve(end, &found) != 0)
		return false;
	if (ksm_unwind_knows(end))
		capture->known_end = end;
	else
		capture->known_gap = end;
	return capture->known_end == end;
}

/* Some stack has ended in such code; then others may do so further away. */
static atomic_bool has_gaps;

/* Keeps the frames from one on, for what an engine does on this script's behalf later. */
static void keep_behalf(struct ksm_capture *capture, uint32_t from)
{
	const struct ksm_stack *stack = &capture->stack;
	uint32_t count = stack->count - from;

	/* The first one may be the engine's own; with nothing behind it, it tells nothing. */
	if (capture->mapping && count >= 2)
		ksm_behalf_add(&capture->behalf, &stack->frames[from], count, capture->mapping);
}

/*
 * An engine's job: behind it stands the script that has made it necessary, in the place of the outermost frames where there
 * are many.
 */
static void add_behalf(struct ksm_capture *capture)
{
	enum { KEPT = KSM_MAX_FRAMES - KSM_BEHALF_FRAMES };
	const struct ksm_behalf_of *of = ksm_behalf_most(&capture->behalf);
	struct ksm_stack *stack = &capture->stack;

	if (!of)
		return;
	stack->count = ksm_min(stack->count, (uint32_t)KEPT - 1);
	stack->frames[stack->count++] = stack->task;
	memcpy(&stack->frames[stack->count], of->frames, of->count * sizeof(of->frames[0]));
	stack->count += of->count;
	stack->is_deeper = false;
	stack->recognisable = false;
}

void ksm_frames_walk_beyond(struct ksm_capture *capture, uintptr_t caller, uintptr_t frame)
{
	struct ksm_stack *stack = &capture->stack;
	uint32_t from;

	if (atomic_load_explicit(&has_gaps, memory_order_relaxed)) {
		ksm_task_look(ksm_module_generation());
		ksm_unwind_capture_deep(stack, &capture->room, caller, frame);
	} else {
		ksm_unwind_capture(stack, &capture->room, caller, frame);
	}
	if (stack->end && !is_outermost(capture, stack->end)) {
		atomic_store_explicit(&has_gaps, true, memory_order_relaxed);
		ksm_unwind_leave_out(stack);
		from = stack->count - 1;
		ksm_unwind_follow(stack);
		keep_behalf(capture, from);
	} else if (ksm_unlikely(stack->task != 0)) {
		add_behalf(capture);
	}
	capture->folded_count = fold(stack, capture->folded);
}

uint64_t ksm_frames_hash(const struct ksm_capture *capture, uint32_t generation)
{
	return XXH3_64bits_withSeed(capture->folded,
				    capture->folded_count * sizeof(capture->folded[0]), generation);
}

void ksm_frames_resolve(struct ksm_capture *capture)
{
	uint32_t count = 0;
	size_t length = 0;

	for (; count < capture->folded_count; count++) {
		struct ksm_module_address *frame = &capture->frames[count];
		const uint8_t *identity;
		size_t bytes;

		if (ksm_module_resolve(capture->folded[count], frame) != 0)
			break;
		bytes = ksm_module_identity(frame->module, &identity);
		memcpy(capture->text + length, identity, bytes);
		memcpy(capture->text + length + bytes, &frame->offset, sizeof(frame->offset));
		length += bytes + sizeof(frame->offset);
	}
	capture->frame_count = count;
	capture->text_bytes = length;
}

void ksm_frames_resolve_beyond(struct ksm_capture *capture)
{
	for (uint32_t i = capture->frame_count; i < capture->folded_count; i++) {
		struct ksm_module_address *frame = &capture->frames[i];

		if (ksm_module_resolve(capture->folded[i], frame) != 0)
			*frame = (struct ksm_module_address){ .module = KSMALLOC_FRAME_NO_MODULE,
							      .offset = capture->folded[i] };
	}
	capture->frame_count = capture->folded_count;
}

uint64_t ksm_frames_id(const void *text, size_t length)
{
	uint64_t id = XXH3_64bits(text, length) & KSM_ID_MASK;

	return id ? id : 1;
}

void ksm_frames_pack(const struct ksm_capture *capture, uint64_t packed[KSM_MAX_FRAMES])
{
	for (uint32_t i = 0; i < capture->frame_count; i++)
		packed[i] = (uint64_t)capture->frames[i].module << KSMALLOC_FRAME_MODULE_SHIFT |
			    (capture->frames[i].offset & KSMALLOC_FRAME_OFFSET_MASK);
}
