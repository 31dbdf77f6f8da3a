/* SPDX-License-Identifier: BSD-2-Clause */
#include "slot/slot.h"

#include "segment/hint.h"
#include "system/meta.h"
#include "store/shared.h"
#include "site/site.h"
#include "layout/span.h"
#include "segment/stat.h"

#include <errno.h>
#include <stdio.h>

/* A slot grows to these sizes, then by the last one. */
#define FIRST_PAGES ((uint32_t)(256 * KSM_KIB >> KSM_PAGE_SHIFT))
#define STEP_PAGES  ((uint32_t)(2 * KSM_MIB >> KSM_PAGE_SHIFT))

int ksm_slot_create(struct ksm_pool *pool, struct ksm_slot **result)
{
	struct ksm_slot *slot = ksm_meta_alloc(sizeof(*slot));
	uint32_t first_probe = pool->probe;

	if (!slot)
		return -ENOMEM;
	slot->pool = pool;
	slot->base = ksm_span_claim(pool->seed, pool->part, &pool->probe, slot);
	if (!slot->base)
		return -ENOSPC;
	if (pool->probe - first_probe > 1)
		ksm_stat_add(&ksm_stat->header.stats.slot_collisions_total, 1);
	ksm_runs_init(&slot->runs, 1u << (ksm_span_slot_shift() - KSM_PAGE_SHIFT),
		      pool->has_owners);
	slot->record = -1;
	if (pool->last)
		pool->last->next = slot;
	else
		pool->first = slot;
	pool->last = slot;
	*result = slot;
	return 0;
}

/* The size to grow to: doubling to 2 MiB, then whole steps of it. */
static uint32_t grown_size(uint32_t pages)
{
	uint32_t size = FIRST_PAGES;

	while (size < pages && size < STEP_PAGES)
		size *= 2;
	return size >= pages ? size : (uint32_t)ksm_align_up(pages, STEP_PAGES);
}

/* Whether the kernel took what it was told of memory. */
struct told {
	bool advised;
	bool hinted;
};

static struct told tell(const struct ksm_pool *pool, void *addr, size_t length)
{
	bool advised = pool->advise && ksm_hint_advise(addr, length);
	bool hinted = advised && pool->hint && ksm_hint_set(addr, length, pool->hint) == 0;

	if (pool->is_exempt)
		ksm_hint_exempt(addr, length);
	if (pool->has_owners && !advised)
		ksm_hint_small_pages(addr, length);
	return (struct told){ advised, hinted };
}

static void name_memory(const struct ksm_pool *pool, void *addr, size_t length)
{
	char name[32];

	snprintf(name, sizeof(name), "ksmalloc:%012llx", (unsigned long long)pool->site_id);
	ksm_hint_name(addr, length, pool->name ? pool->name : name);
}

bool ksm_slot_introduce(struct ksm_slot *slot, void *addr, size_t length, bool named)
{
	struct told told = tell(slot->pool, addr, length);

	if (named)
		name_memory(slot->pool, addr, length);
	return told.advised;
}

/* Says of new memory what the pool wants said of it. */
static void introduce(struct ksm_slot *slot, void *addr, size_t length)
{
	const struct ksm_pool *pool = slot->pool;
	struct told told = tell(pool, addr, length);

	name_memory(pool, addr, length);
	if (slot->record < 0) {
		uint32_t flags = (told.advised ? KSMALLOC_SLOT_ADVISED : 0) |
				 (pool->has_owners ? KSMALLOC_SLOT_NURSERY : 0) |
				 (pool->is_exempt ? KSMALLOC_SLOT_EXEMPT : 0);

		slot->record = ksm_stat_add_slot(slot->base, pool->site, flags);
	}
	if (told.hinted && !pool->has_owners)
		ksm_stat_set(&ksm_stat->sites[pool->site].hint, pool->hint);
	if (told.advised && !pool->has_owners)
		__atomic_fetch_or(&ksm_stat->sites[pool->site].flags, KSMALLOC_SITE_ADVISED,
				  __ATOMIC_RELAXED);
}

/*
 * Maps the slot's first piece. If something that is not ours lies at its
 * address the slot moves to the next candidate; nothing of it is in use yet.
 */
static int map_first(struct ksm_slot *slot, size_t length)
{
	int error;

	while ((error = ksm_os_map_at((void *)slot->base, length)) == -EEXIST) {
		ksm_span_abandon(slot->base);
		slot->base = ksm_span_claim(slot->pool->seed, slot->pool->part, &slot->pool->probe,
					    slot);
		if (!slot->base) {
			/* The slot stays in its pool, but nothing fits into it any more. */
			slot->runs.capacity = 0;
			return -ENOSPC;
		}
		ksm_stat_add(&ksm_stat->header.stats.slot_collisions_total, 1);
	}
	return error;
}

/*
 * The last page that is mapped is no block's until the slot is full: what is grown by takes the
 * rights of the page before it, and those of a block's pages are the program's to change.
 */
int ksm_slot_reserve(struct ksm_slot *slot, uint32_t pages)
{
	uint32_t size;
	size_t length;
	void *end;
	int error;

	if (ksm_likely(pages < slot->mapped_pages))
		return 0;
	size = (uint32_t)ksm_min(grown_size(pages + 1), slot->runs.capacity);
	if (size == slot->mapped_pages)
		return pages <= size ? 0 : -ENOSPC;
	length = (size_t)(size - slot->mapped_pages) << KSM_PAGE_SHIFT;
	if (slot->mapped_pages == 0) {
		error = map_first(slot, length);
		end = (void *)slot->base;
	} else {
		end = ksm_slot_address(slot, slot->mapped_pages);
		error = ksm_os_extend(end, length);
		if (!error)
			goto grown;
		/* The program may have split the mapping; a second one is better than none. */
		error = ksm_os_map_at(end, length);
	}
	if (error) {
		ksm_stat_add(&ksm_stat->header.stats.grow_failed_total, 1);
		return error;
	}
	introduce(slot, end, length);
grown:
	slot->mapped_pages = size;
	if (slot->record >= 0)
		__atomic_store_n(&ksm_stat->slots[slot->record].mapped_bytes,
				 (uint64_t)size << KSM_PAGE_SHIFT, __ATOMIC_RELEASE);
	if (!slot->pool->has_owners)
		ksm_stat_add_locked(&ksm_stat->sites[slot->pool->site].stats.slot_bytes, length);
	return 0;
}

void ksm_slot_note_altered(struct ksm_slot *slot, uintptr_t addr, size_t length)
{
	uintptr_t slot_end = slot->base + ((uintptr_t)slot->runs.capacity << KSM_PAGE_SHIFT);
	uintptr_t end = ksm_min(addr + length, slot_end);
	uint32_t first, last;
	uint32_t old;

	addr = ksm_max(addr, slot->base);
	if (addr >= end)
		return;
	first = (uint32_t)((addr - slot->base) >> KSM_PAGE_SHIFT);
	last = (uint32_t)(ksm_align_up(end - slot->base, KSM_PAGE) >> KSM_PAGE_SHIFT);
	/* The end goes last: where it is 0 nothing is looked at. */
	old = __atomic_load_n(&slot->altered_end, __ATOMIC_RELAXED);
	if (old == 0)
		__atomic_store_n(&slot->altered_begin, first, __ATOMIC_RELAXED);
	else if (first < __atomic_load_n(&slot->altered_begin, __ATOMIC_RELAXED))
		__atomic_store_n(&slot->altered_begin, first, __ATOMIC_RELAXED);
	while (old < last && !__atomic_compare_exchange_n(&slot->altered_end, &old, last, false,
							  __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

int ksm_slot_renew(struct ksm_slot *slot, uint32_t page, uint32_t pages)
{
	void *addr = ksm_slot_address(slot, page);
	size_t length = (size_t)pages << KSM_PAGE_SHIFT;
	int error;

	ksm_shared_hold();
	error = ksm_os_map_anew(addr, length);
	if (ksm_shared_is_any())
		ksm_shared_forget(addr, length);
	ksm_shared_let_go();
	if (!error)
		introduce(slot, addr, length);
	return error;
}
