/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/marked.h"

#include "block/magazine.h"
#include "origin/mark.h"
#include "system/option.h"

/* Of what a thread has allocated at a site there are so many marks, or more that are no nearer than mark_bytes. */
#define MARKS_OF_A_SITE 1024u

/* The first block of a site, and each of a thread that has no magazine for it, is looked at by itself. */
static uint64_t weight_alone(const struct ksm_site *site, uint64_t bytes)
{
	uint64_t calls = __atomic_load_n(&site->record->stats.calls_total, __ATOMIC_RELAXED);
	struct ksm_steps steps = { 0 };

	return ksm_steps_add(&steps, bytes, calls << 16 ^ site->index, ksm_options.mark_bytes);
}

uint64_t ksm_marked_weight(const struct ksm_site *site, size_t size, bool is_asked)
{
	struct ksm_magazine *magazine = ksm_thread_self ? ksm_thread_self->magazines[site->index] : NULL;
	uint64_t bytes = ksm_align_up(size, KSM_PAGE);
	uint64_t least = ksm_options.mark_bytes;

	if (least == 0 || !ksm_options.stats)
		return 0;
	if (!magazine)
		return weight_alone(site, bytes);
	least = ksm_steps_add(&magazine->steps, bytes, site->index,
			      ksm_max(least, magazine->steps.count / MARKS_OF_A_SITE));
	return is_asked ? ksm_max(least, (uint64_t)ksm_magazine_step(magazine)) : least;
}

static size_t bytes_of(const struct ksm_block *block)
{
	return (size_t)block->pages << KSM_PAGE_SHIFT;
}

void ksm_marked_set(void *address, uint32_t origin, uint64_t weight)
{
	const struct ksm_mark_of of = { .weight = weight, .origin = origin, .kind = KSMALLOC_MARK_LARGE };
	struct ksm_block found;

	ksm_block_find(ksm_block_slot(address), address, &found);
	ksm_mark_set((uintptr_t)address, bytes_of(&found), &of);
	__atomic_store_n(found.entry, found.value | KSM_RUN_MARKED, __ATOMIC_RELAXED);
}

void ksm_marked_clear(const void *address, const struct ksm_block *block)
{
	ksm_mark_clear((uintptr_t)address, bytes_of(block), KSMALLOC_MARK_LARGE);
	__atomic_store_n(block->entry, block->value, __ATOMIC_RELAXED);
}

void ksm_marked_lift(const struct ksm_block *block)
{
	__atomic_store_n(block->entry, block->value, __ATOMIC_RELAXED);
}

void ksm_marked_put_back(const void *address, const struct ksm_block *block, uint32_t pages)
{
	if (pages != block->pages)
		ksm_mark_move((uintptr_t)address, bytes_of(block), (uintptr_t)address,
			      (size_t)pages << KSM_PAGE_SHIFT, KSMALLOC_MARK_LARGE);
	__atomic_fetch_or(block->entry, KSM_RUN_MARKED, __ATOMIC_RELAXED);
}
