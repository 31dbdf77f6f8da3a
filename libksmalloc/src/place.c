/* SPDX-License-Identifier: BSD-2-Clause */
#include "place.h"

#include "keep.h"
#include "option.h"

#include <string.h>

static bool take_in_slot(struct ksm_slot *slot, struct ksm_place *place, size_t size,
			 uint32_t align, uint16_t owner)
{
	int64_t page;

	if (slot->runs.capacity - slot->runs.used_pages < place->pages)
		return false;
	page = ksm_runs_find(&slot->runs, place->pages, align);
	if (page < 0 || ksm_slot_reserve(slot, (uint32_t)page + place->pages) != 0)
		return false;
	if (ksm_runs_take(&slot->runs, (uint32_t)page, place->pages, size, owner, &place->kept) != 0)
		return false;
	place->slot = slot;
	place->page = (uint32_t)page;
	return true;
}

bool ksm_place_take_locked(struct ksm_pool *pool, size_t size, size_t align, uint16_t owner,
			   struct ksm_place *place)
{
	uint32_t align_pages = (uint32_t)ksm_max(align >> KSM_PAGE_SHIFT, 1);
	struct ksm_slot *slot;

	place->pages = (uint32_t)(ksm_align_up(ksm_max(size, 1), KSM_PAGE) >> KSM_PAGE_SHIFT);
	for (slot = pool->first; slot; slot = slot->next) {
		if (take_in_slot(slot, place, size, align_pages, owner))
			break;
	}
	if (!slot && (ksm_slot_create(pool, &slot) != 0 ||
		      !take_in_slot(slot, place, size, align_pages, owner)))
		return false;
	ksm_keep_taken(slot, place->page, place->pages, place->kept);
	return true;
}

void ksm_place_clear_tail(void *block, size_t size, size_t whole)
{
	/* A vector memset of no bytes behind the slot's mapping costs a hundred nanoseconds. */
	if (size < whole)
		memset((char *)block + size, 0, whole - size);
}

void *ksm_place_clear(const struct ksm_place *place, size_t size, bool zero)
{
	void *block = ksm_slot_address(place->slot, place->page);
	size_t whole = (size_t)place->pages << KSM_PAGE_SHIFT;

	if (place->kept == 0)
		return block;
	if (zero || ksm_options.zero_reuse)
		memset(block, 0, whole);
	else
		ksm_place_clear_tail(block, size, whole);
	return block;
}
