/* SPDX-License-Identifier: BSD-2-Clause */
#include "pass_memory.h"

#include "arena.h"
#include "layout.h"
#include "shared.h"
#include "slot.h"
#include "span.h"

#include <pthread.h>
#include <string.h>

#define STACK_MARGIN (256 * KSM_KIB)

static bool is_of_heap(uintptr_t address)
{
	struct ksm_region_range heap = ksm_region_all(KSM_REGION_HEAP);

	return address >= heap.begin && address < heap.end;
}

bool ksm_pass_memory_holds_stack(uintptr_t slice)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t thread = (uintptr_t)pthread_self();

	/* Into what libc has of the thread the kernel writes at any moment on which processor it runs. */
	return (here >= slice && here < slice + KSM_SHARE_SLICE + STACK_MARGIN) ||
	       (thread + KSM_PAGE > slice && thread < slice + KSM_SHARE_SLICE);
}

struct ksm_region_range ksm_pass_memory_all(void)
{
	struct ksm_region_range heap = ksm_region_all(KSM_REGION_HEAP);

	return (struct ksm_region_range){ ksm_gate.low ? ksm_gate.low : heap.begin,
					  ksm_layout_is_shared() ? heap.end : ksm_gate.end };
}

static bool may_be_shared(const struct ksm_slot *slot)
{
	return slot->pool->advise && !slot->pool->is_exempt && slot->mapped_pages > 0;
}

/* How many slots the pool had before this one; false while it is not in its list yet. */
static bool find_number(const struct ksm_slot *slot, uint32_t *number)
{
	const struct ksm_slot *other = slot->pool->first;

	for (*number = 0; other && other != slot; (*number)++)
		other = other->next;
	return other != NULL;
}

bool ksm_pass_memory_place(uintptr_t slice, uint64_t *place)
{
	const struct ksm_slot *slot = ksm_span_slot_of_any((const void *)slice);
	uint32_t number;

	if (ksm_layout_is_shared()) {
		*place = slice - ksm_span_map.base;
		return true;
	}
	if (!slot || !may_be_shared(slot) || !find_number(slot, &number))
		return false;
	*place = ksm_span_usual_offset(ksm_layout_group_word(KSMALLOC_SEED_SLOTS), slot->pool->seed, number) +
		 (slice - slot->base);
	return true;
}

/* Pages of a slot that merge. The last one stays: the slot grows by it. */
static void allow_slot(const struct ksm_slot *slot, uintptr_t slice, struct ksm_share_set *allowed)
{
	if (!may_be_shared(slot))
		return;
	ksm_share_add_range(allowed, slice, slot->base, slot->base + ((uintptr_t)(slot->mapped_pages - 1) << KSM_PAGE_SHIFT));
	if (slot->altered_end)
		ksm_share_remove_range(allowed, slice, slot->base + ((uintptr_t)slot->altered_begin << KSM_PAGE_SHIFT),
			     slot->base + ((uintptr_t)slot->altered_end << KSM_PAGE_SHIFT));
}

void ksm_pass_memory_allow(uintptr_t slice, struct ksm_share_set *allowed)
{
	struct ksm_slot *slot = ksm_span_slot_of_any((const void *)slice);

	memset(allowed, 0, sizeof(*allowed));
	if (ksm_shared_is_kept_out((const void *)slice, KSM_SHARE_SLICE))
		return;
	if (slot)
		allow_slot(slot, slice, allowed);
	else if (is_of_heap(slice) && ksm_region_merges(KSM_REGION_HEAP) && ksm_arena_may_merge((const void *)slice))
		memset(allowed, 0xff, sizeof(*allowed));
}

void ksm_pass_memory_introduce(void *addr, size_t length)
{
	struct ksm_slot *slot = ksm_span_slot_of_any(addr);

	if (slot)
		ksm_slot_introduce(slot, addr, length, true);
	else
		ksm_region_introduce(KSM_REGION_HEAP, addr, length);
}

void ksm_pass_memory_introduce_shared(void *addr, size_t length)
{
	struct ksm_slot *slot = ksm_span_slot_of_any(addr);

	if (slot)
		ksm_slot_introduce(slot, addr, length, false);
	else
		ksm_region_advise(KSM_REGION_HEAP, addr, length);
}
