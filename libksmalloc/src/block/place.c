/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/place.h"

#include "slot/keep.h"
#include "block/newest.h"
#include "system/option.h"

#include <string.h>

/* Slots of a pool that blocks which grow may have for themselves. */
#define SLOTS_TO_GROW 4u

static bool take_at(struct ksm_slot *slot, uint32_t page, const struct ksm_place_wish *wish, struct ksm_place *place)
{
	if (ksm_slot_reserve(slot, page + place->pages) != 0 ||
	    ksm_runs_take(&slot->runs, page, place->pages, wish->size, wish->owner, &place->kept) != 0)
		return false;
	place->slot = slot;
	place->page = page;
	return true;
}

static bool take_in_slot(struct ksm_slot *slot, const struct ksm_place_wish *wish,
			 struct ksm_place *place)
{
	int64_t page;

	if (slot->runs.capacity - slot->runs.used_pages < place->pages)
		return false;
	page = ksm_runs_find(&slot->runs, place->pages,
			     (uint32_t)ksm_max(wish->align >> KSM_PAGE_SHIFT, 1));
	return page >= 0 && take_at(slot, (uint32_t)page, wish, place);
}

/* Where the run lies that came back last; NULL if there is none of this length. */
static struct ksm_slot *take_newest(struct ksm_pool *pool, const struct ksm_place_wish *wish, struct ksm_place *place)
{
	struct ksm_newest_runs runs;

	if (!ksm_newest_take_locked(pool, place->pages, 1, &runs))
		return NULL;
	return take_at(runs.slot, runs.page, wish, place) ? runs.slot : NULL;
}

/* In a slot where nothing else lies, a new one if need be; NULL if the pool has had enough of them. */
static struct ksm_slot *take_alone(struct ksm_pool *pool, const struct ksm_place_wish *wish,
				   struct ksm_place *place)
{
	struct ksm_slot *slot = pool->first;
	uint32_t count = 0;

	while (slot && slot->runs.used_pages > 0) {
		slot = slot->next;
		count++;
	}
	if (!slot && (count > SLOTS_TO_GROW || ksm_slot_create(pool, &slot) != 0))
		return NULL;
	return take_in_slot(slot, wish, place) ? slot : NULL;
}

/* In the first slot that has room for it; NULL if none has. */
static struct ksm_slot *take_anywhere(struct ksm_pool *pool, const struct ksm_place_wish *wish,
				      struct ksm_place *place)
{
	struct ksm_slot *slot = pool->first;

	while (slot && !take_in_slot(slot, wish, place))
		slot = slot->next;
	return slot;
}

bool ksm_place_take_locked(struct ksm_pool *pool, const struct ksm_place_wish *wish,
			   struct ksm_place *place)
{
	struct ksm_slot *slot = NULL;

	place->pages = (uint32_t)ksm_run_pages_for(ksm_max(wish->size, 1));
	if (wish->grows)
		slot = take_alone(pool, wish, place);
	if (!slot && wish->prefers_newest)
		slot = take_newest(pool, wish, place);
	if (!slot)
		slot = take_anywhere(pool, wish, place);
	if (!slot && (ksm_slot_create(pool, &slot) != 0 || !take_in_slot(slot, wish, place)))
		return false;
	ksm_keep_taken(slot, place->page, place->pages, place->kept, place->pages);
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
