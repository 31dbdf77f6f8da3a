/* SPDX-License-Identifier: BSD-2-Clause */
#include "pass_memory.h"

#include "apart.h"
#include "arena.h"
#include "layout.h"
#include "mapping.h"
#include "slot.h"
#include "span.h"
#include "stat.h"

#include <pthread.h>
#include <string.h>

#define STACK_MARGIN (256 * KSM_KIB)
/* What lies beyond is not shared: programs have it only if they ask for it. */
#define ADDRESSES_END (UINT64_C(1) << 47)

static bool is_of_heap(uintptr_t address)
{
	struct ksm_region_range heap = ksm_region_all(KSM_REGION_HEAP);

	return address >= heap.begin && address < heap.end;
}

uint64_t ksm_pass_memory_bytes(void)
{
	return ksm_arena_mapped_bytes() + ksm_stat->header.stats.placed_live_bytes +
	       (ksm_mapping_are_shared() ? ksm_mapping_live_bytes() : 0);
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

	if (ksm_mapping_are_shared())
		return (struct ksm_region_range){ 0, ADDRESSES_END };
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

static uint64_t bytes_of_span(void)
{
	size_t length;

	ksm_span_upper_half(&length);
	return 2 * length;
}

uint64_t ksm_pass_memory_places(void)
{
	return bytes_of_span() + ADDRESSES_END;
}

bool ksm_pass_memory_place(uintptr_t slice, uint64_t *place)
{
	const struct ksm_slot *slot = ksm_span_slot_of_any((const void *)slice);
	uint32_t number;

	if (ksm_layout_is_shared()) {
		bool is_of_span = slice - ksm_span_map.base < bytes_of_span();

		*place = is_of_span ? slice - ksm_span_map.base : bytes_of_span() + slice;
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
	bool is_kept_out = ksm_apart_is_kept_out((const void *)slice, KSM_SHARE_SLICE);

	memset(allowed, 0, sizeof(*allowed));
	if (slot && !is_kept_out)
		allow_slot(slot, slice, allowed);
	if (slot)
		return;
	if (is_of_heap(slice) && !is_kept_out && ksm_region_merges(KSM_REGION_HEAP) && ksm_arena_may_merge((const void *)slice))
		memset(allowed, 0xff, sizeof(*allowed));
	/* The program may have asked for a place in the midst of the heap. */
	ksm_mapping_allow(slice, ksm_region_merges(KSM_REGION_MAPPINGS), allowed);
}

bool ksm_pass_memory_may_replace(void *addr, size_t length)
{
	if (ksm_mapping_are_shared() && !ksm_span_slot_of_any(addr) && ksm_mapping_is_known(addr, length))
		return ksm_mapping_may_share(addr, length);
	return !ksm_apart_is_kept_out(addr, length);
}

static enum ksm_region region_of(const void *addr)
{
	return is_of_heap((uintptr_t)addr) ? KSM_REGION_HEAP : KSM_REGION_MAPPINGS;
}

void ksm_pass_memory_introduce(void *addr, size_t length)
{
	struct ksm_slot *slot = ksm_span_slot_of_any(addr);

	if (slot) {
		ksm_slot_introduce(slot, addr, length, true);
		return;
	}
	ksm_region_introduce(region_of(addr), addr, length);
	ksm_mapping_introduce(addr, length);
}

void ksm_pass_memory_introduce_shared(void *addr, size_t length)
{
	struct ksm_slot *slot = ksm_span_slot_of_any(addr);

	if (slot) {
		ksm_slot_introduce(slot, addr, length, false);
		return;
	}
	ksm_region_advise(region_of(addr), addr, length);
	ksm_mapping_introduce(addr, length);
}
