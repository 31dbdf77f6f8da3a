/* SPDX-License-Identifier: BSD-2-Clause */
#include "pass/memory.h"

#include "store/apart.h"
#include "arena/arena.h"
#include "mapping/image.h"
#include "layout/layout.h"
#include "mapping/mapping.h"
#include "os/os.h"
#include "slot/slot.h"
#include "layout/span.h"
#include "segment/stat.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#define STACK_MARGIN (256 * KSM_KIB)
/* What lies beyond is not shared. */
#define ADDRESSES_END (UINT64_C(1) << KSM_ADDRESS_BITS)

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

bool ksm_pass_memory_holds_stack(uintptr_t slice, const struct ksm_share_set *touched)
{
	uintptr_t here = ksm_align_down((uintptr_t)__builtin_frame_address(0), KSM_PAGE);
	uintptr_t thread = ksm_align_down((uintptr_t)pthread_self(), KSM_PAGE);
	struct ksm_share_set pages;

	memset(&pages, 0, sizeof(pages));
	/*
	 * What follows is called from here, and grows down; what the pass's callers have of it lies above, and is written to as well.
	 * A keeper's call has a stack of the library's own, which is never shared.
	 */
	ksm_share_add_range(&pages, slice, here - STACK_MARGIN, here + STACK_MARGIN);
	/* Into what libc has of the thread the kernel writes at any moment on which processor it runs. */
	ksm_share_add_range(&pages, slice, thread, thread + 2 * KSM_PAGE);
	ksm_share_keep(&pages, touched);
	return ksm_share_count(&pages) > 0;
}

/* The addresses that all but data segments lies between. */
static struct ksm_region_range all_others(void)
{
	struct ksm_region_range heap = ksm_region_all(KSM_REGION_HEAP);

	if (ksm_mapping_are_shared())
		return (struct ksm_region_range){ 0, ADDRESSES_END };
	return (struct ksm_region_range){ ksm_gate.low ? ksm_gate.low : heap.begin,
					  ksm_layout_is_shared() ? heap.end : ksm_gate.end };
}

bool ksm_pass_memory_find_part(const struct ksm_os_mapping *mapping, struct ksm_region_range *part)
{
	bool is_of_image = ksm_image_may_share(mapping->begin, mapping->end);
	struct ksm_region_range all = all_others();

	*part = (struct ksm_region_range){ mapping->begin, mapping->end };
	if (!mapping->is_private)
		return false;
	if (is_of_image && !ksm_image_is_relocated(mapping->begin, mapping->end, mapping->rights & PROT_WRITE))
		return false;
	if (is_of_image && (mapping->rights & ~PROT_WRITE) == PROT_READ)
		return true;
	part->begin = ksm_max(part->begin, all.begin);
	part->end = ksm_min(part->end, all.end);
	return part->begin < part->end && mapping->rights == (PROT_READ | PROT_WRITE);
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

/* Where the slice lies from the begin of the span on in the shared layout; false if that cannot be told. */
static bool find_usual_offset(const struct ksm_slot *slot, uintptr_t slice, uint64_t *offset)
{
	uint64_t secret = ksm_layout_group_word(KSMALLOC_SEED_SLOTS);
	const struct ksm_pool *pool = slot->pool;
	uint32_t number;

	if (pool->is_arena) {
		*offset = ksm_span_usual_offset_of_row(secret, pool->seed, pool->slot_count) + (slice - pool->first->base);
		return true;
	}
	if (!find_number(slot, &number))
		return false;
	*offset = ksm_span_usual_offset(secret, pool->seed, number) + (slice - slot->base);
	return true;
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

	if (ksm_layout_is_shared()) {
		bool is_of_span = slice - ksm_span_map.base < bytes_of_span();

		*place = is_of_span ? slice - ksm_span_map.base : bytes_of_span() + slice;
		return true;
	}
	return slot && may_be_shared(slot) && find_usual_offset(slot, slice, place);
}

/* Pages of a slot that merge. The last one stays where the slot grows by it. */
static void allow_slot(const struct ksm_slot *slot, uintptr_t slice, struct ksm_share_set *allowed)
{
	uint32_t pages = slot->mapped_pages - (slot->pool->is_arena ? 0 : 1);

	if (!may_be_shared(slot))
		return;
	ksm_share_add_range(allowed, slice, slot->base, slot->base + ((uintptr_t)pages << KSM_PAGE_SHIFT));
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
	ksm_image_allow(slice, allowed);
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
	if (ksm_image_advise(addr, length))
		return;
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
	if (ksm_image_advise(addr, length))
		return;
	ksm_region_advise(region_of(addr), addr, length);
	ksm_mapping_introduce(addr, length);
}
