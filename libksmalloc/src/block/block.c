/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/block.h"

#include "system/fatal.h"
#include "system/lock.h"
#include "block/nursery.h"
#include "system/option.h"
#include "layout/span.h"

#include <errno.h>

struct ksm_slot *ksm_block_slot(const void *address)
{
	struct ksm_slot *slot = ksm_span_slot_at(address);

	if (ksm_unlikely(!slot))
		ksm_fatal(KSM_FATAL_INVALID);
	if (ksm_unlikely((uintptr_t)address & (KSM_PAGE - 1)))
		ksm_fatal(KSM_FATAL_MISALIGNED);
	return slot;
}

/* Finds the block that starts at the address, or none: 0 pages. */
static void look(struct ksm_slot *slot, const void *address, struct ksm_block *block)
{
	block->slot = slot;
	block->page = (uint32_t)(((uintptr_t)address - slot->base) >> KSM_PAGE_SHIFT);
	block->entry = ksm_runs_entry(&slot->runs, block->page);
	block->value = block->entry ? __atomic_load_n(block->entry, __ATOMIC_RELAXED) : 0;
	block->is_marked = block->value & KSM_RUN_MARKED;
	block->value &= ~KSM_RUN_MARKED;
	block->pages = ksm_run_pages(block->value);
	block->bytes = ksm_run_bytes(block->value);
	block->site = slot->pool->site;
	if (slot->pool->has_owners && block->pages > 0)
		block->site = ksm_runs_owner(&slot->runs, block->page);
}

/* There is no block: says which mistake that is, and ends the program. */
KSM_COLD static void refuse(const struct ksm_block *block)
{
	struct ksm_slot *slot = block->slot;
	bool inside;

	ksm_lock_take(slot->pool->lock);
	inside = block->page >= slot->mapped_pages || slot->pool->is_arena ||
		 (ksm_runs_is_used(&slot->runs, block->page) && block->value != KSM_RUN_ASIDE);
	pthread_mutex_unlock(slot->pool->lock);
	ksm_fatal(inside ? KSM_FATAL_INVALID : KSM_FATAL_DOUBLE_FREE);
}

void ksm_block_find(struct ksm_slot *slot, const void *address, struct ksm_block *block)
{
	look(slot, address, block);
	if (ksm_unlikely(block->pages == 0))
		refuse(block);
}

static void tell(const struct ksm_block *block, struct ksm_block_facts *facts)
{
	facts->site = ksm_site_at(block->site);
	facts->usable = (size_t)block->pages << KSM_PAGE_SHIFT;
	facts->is_private = block->slot->pool == ksm_nursery_private();
}

void ksm_block_describe(const void *address, struct ksm_block_facts *facts)
{
	struct ksm_block block;

	ksm_block_find(ksm_block_slot(address), address, &block);
	tell(&block, facts);
}

int ksm_block_ask(const void *address, struct ksm_block_facts *facts)
{
	struct ksm_slot *slot = ksm_span_slot_at(address);
	struct ksm_block block;

	if (!slot || (uintptr_t)address & (KSM_PAGE - 1))
		return -EINVAL;
	look(slot, address, &block);
	if (block.pages == 0)
		return -EINVAL;
	tell(&block, facts);
	return 0;
}

void ksm_block_note_altered(const void *address, size_t length)
{
	uintptr_t at = ksm_max((uintptr_t)address, __atomic_load_n(&ksm_gate.low, __ATOMIC_RELAXED));
	uintptr_t end = ksm_min((uintptr_t)address + length,
				__atomic_load_n(&ksm_gate.end, __ATOMIC_RELAXED));
	uintptr_t slot_bytes = (uintptr_t)1 << ksm_span_slot_shift();

	while (at < end) {
		struct ksm_slot *slot = ksm_span_slot_at((const void *)at);

		if (slot)
			ksm_slot_note_altered(slot, at, end - at);
		at = ksm_span_map.base + ksm_align_down(at - ksm_span_map.base, slot_bytes) + slot_bytes;
	}
}

bool ksm_block_wants_small_pages(const void *address)
{
	struct ksm_slot *slot = ksm_span_holds(address) ? ksm_span_slot_at(address) : NULL;

	return slot && slot->pool->advise && ksm_options.huge_pages == KSM_HUGE_PAGES_NEVER;
}
