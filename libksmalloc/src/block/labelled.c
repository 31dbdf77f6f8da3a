/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entries of the segment's table of slots stay for good, and no two of them may be of one address. So a slot that an
 * arena has given back keeps its entry, and the next arena there takes both.
 */
#include "block/labelled.h"

#include "system/fatal.h"
#include "segment/hint.h"
#include "system/lock.h"
#include "block/magazine.h"
#include "system/meta.h"
#include "os/os.h"
#include "store/shared.h"
#include "site/site.h"
#include "slot/slot.h"
#include "layout/span.h"
#include "segment/stat.h"

#include <errno.h>
#include <sys/mman.h>

/* Places where something else lies that are tried one after the other. */
#define PLACES_TO_TRY 64

struct arena {
	struct ksm_pool pool;
	struct ksm_site *site;
	struct arena *next;	/* in the order of their numbers; of those that are free: LIFO */
	uint32_t number;	/* among those of the site: the lowest that was free */
	size_t reserved;	/* bytes, whole pages */
	size_t committed;	/* of these from the first one on */
	size_t live;		/* what reports are told: committed, or what the runtime says */
	bool says_live;
};

static struct {
	pthread_mutex_t lock;	/* Protects all of it, and all arenas and their slots. */
	struct arena *used;
	struct arena *free;
	struct ksm_slot *given_back; /* LIFO */
} arenas = { .lock = KSM_LOCK_INITIALIZER };

/* --- slots of an arena ---------------------------------------------------------------------- */

static size_t slot_bytes(void)
{
	return (size_t)1 << ksm_span_slot_shift();
}

/* The slot that was there before, or a new one. NULL without memory. */
static struct ksm_slot *obtain_slot_locked(uintptr_t base)
{
	struct ksm_slot **link = &arenas.given_back;
	struct ksm_slot *slot;

	while (*link && (*link)->base != base)
		link = &(*link)->next;
	slot = *link;
	if (slot) {
		*link = slot->next;
		return slot;
	}
	slot = ksm_meta_alloc(sizeof(*slot));
	if (slot) {
		slot->base = base;
		slot->record = -1;
	}
	return slot;
}

static void give_back_slots_locked(struct ksm_pool *pool)
{
	struct ksm_slot *slot;

	while ((slot = pool->first) != NULL) {
		pool->first = slot->next;
		slot->next = arenas.given_back;
		arenas.given_back = slot;
	}
	pool->last = NULL;
}

/* Gives the arena its slots, which nobody finds yet. */
static int add_slots_locked(struct arena *arena, uintptr_t base)
{
	struct ksm_pool *pool = &arena->pool;

	for (uint32_t i = 0; i < pool->slot_count; i++) {
		struct ksm_slot *slot = obtain_slot_locked(base + i * slot_bytes());

		if (!slot) {
			give_back_slots_locked(pool);
			return -ENOMEM;
		}
		slot->pool = pool;
		slot->next = NULL;
		slot->altered_begin = slot->altered_end = 0;
		ksm_runs_init(&slot->runs, (uint32_t)(slot_bytes() >> KSM_PAGE_SHIFT), false);
		if (pool->last)
			pool->last->next = slot;
		else
			pool->first = slot;
		pool->last = slot;
	}
	return 0;
}

static void publish_slots_locked(const struct ksm_pool *pool)
{
	uint32_t flags = pool->is_exempt ? KSMALLOC_SLOT_EXEMPT : 0;

	for (struct ksm_slot *slot = pool->first; slot; slot = slot->next) {
		if (slot->record >= 0)
			ksm_stat_reuse_slot(slot->record, pool->site, flags);
		else
			slot->record = ksm_stat_add_slot(slot->base, pool->site, flags);
		ksm_span_own(slot->base, slot);
	}
}

/* Says how much of each slot is memory now. */
static void set_mapped_locked(struct arena *arena, size_t committed)
{
	size_t left = committed;

	for (struct ksm_slot *slot = arena->pool.first; slot; slot = slot->next) {
		size_t mapped = ksm_min(left, slot_bytes());

		slot->mapped_pages = (uint32_t)(mapped >> KSM_PAGE_SHIFT);
		if (slot->record >= 0)
			__atomic_store_n(&ksm_stat->slots[slot->record].mapped_bytes, mapped, __ATOMIC_RELEASE);
		left -= mapped;
	}
}

/* --- counters ------------------------------------------------------------------------------- */

static void count_locked(struct arena *arena, size_t committed, size_t live)
{
	struct ksmalloc_site_stats *stats = &arena->site->record->stats;

	ksm_lock_take(&arena->site->lock);
	ksm_stat_add_locked(&stats->slot_bytes, committed - arena->committed);
	ksm_stat_add_locked(&stats->placed_bytes, committed - arena->committed);
	ksm_stat_add_locked(&stats->live_bytes, live - arena->live);
	if (committed > arena->committed) {
		ksm_stat_add_locked(&stats->allocated_bytes_total, committed - arena->committed);
		ksm_stat_add_locked(&stats->calls_total, 1);
	} else if (committed < arena->committed) {
		ksm_stat_add_locked(&stats->given_back_bytes_total, arena->committed - committed);
		ksm_stat_add_locked(&stats->frees_total, 1);
	}
	ksm_magazine_note_peak_locked(arena->site);
	pthread_mutex_unlock(&arena->site->lock);
	ksm_stat_add(&ksm_stat->header.stats.placed_live_bytes, committed - arena->committed);
	arena->live = live;
}

static void commit_locked(struct arena *arena, size_t committed)
{
	size_t live = arena->says_live ? ksm_min(arena->live, committed) : committed;

	count_locked(arena, committed, live);
	arena->committed = committed;
}

/* The site has address space of its own from now on. */
static void note_site(struct ksm_site *site)
{
	ksm_lock_take(&site->lock);
	if (site->record->state != KSMALLOC_SITE_PLACED)
		ksm_stat_add(&ksm_stat->header.stats.placed_sites, 1);
	__atomic_store_n(&site->record->state, KSMALLOC_SITE_PLACED, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&site->lock);
}

/* --- arenas --------------------------------------------------------------------------------- */

/* The place in the list for an arena of the site with the lowest number that none has. */
static struct arena **find_number_locked(const struct ksm_site *site, uint32_t *number)
{
	struct arena **link = &arenas.used;

	*number = 0;
	for (; *link && (*link)->number <= *number; link = &(*link)->next) {
		if ((*link)->site == site && (*link)->number == *number)
			(*number)++;
	}
	return link;
}

static struct arena *obtain_arena_locked(void)
{
	struct arena *arena = arenas.free;

	if (!arena)
		return ksm_meta_alloc(sizeof(*arena));
	arenas.free = arena->next;
	return arena;
}

static void init_arena(struct arena *arena, struct ksm_site *site, uint32_t number, size_t bytes, bool is_private)
{
	*arena = (struct arena){ .site = site, .number = number, .reserved = ksm_align_up(bytes, KSM_PAGE) };
	arena->pool = (struct ksm_pool){
		.lock = &arenas.lock,
		.site_id = site->id,
		.seed = site->id + ((uint64_t)number << 48),
		.site = site->index,
		.hint = ksm_hint_word(site->id, site->priority, KSMALLOC_STABILITY_UNKNOWN, ksm_span_has_peers()),
		.advise = site->advise && !is_private,
		.is_exempt = is_private || (!site->advise && ksm_hint_covers_process()),
		.is_arena = true,
		/* One page more: what runs over the end of an arena does not come into the next one. */
		.slot_count = (uint32_t)((arena->reserved + KSM_PAGE + slot_bytes() - 1) >> ksm_span_slot_shift()),
	};
}

/* Maps all of it without rights, where nothing else lies. */
static int map_place_locked(struct arena *arena, uintptr_t *place)
{
	struct ksm_pool *pool = &arena->pool;
	int error = -ENOMEM;

	for (int i = 0; i < PLACES_TO_TRY; i++) {
		uint32_t before = pool->probe;

		*place = ksm_span_claim_row(pool->seed, pool->slot_count, &pool->probe);
		if (!*place)
			return -ENOMEM;
		if (pool->probe - before > 1)
			ksm_stat_add(&ksm_stat->header.stats.slot_collisions_total, 1);
		error = ksm_os_map_place((void *)*place, arena->reserved, PROT_NONE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
		if (!error)
			return 0;
		ksm_span_give_back_row(*place, pool->slot_count);
		if (error != -EEXIST)
			return error;
		ksm_stat_add(&ksm_stat->header.stats.place_taken_total, 1);
	}
	return -ENOMEM;
}

static int reserve_locked(struct arena *arena)
{
	uintptr_t place;
	int error = map_place_locked(arena, &place);

	if (error)
		return error;
	error = add_slots_locked(arena, place);
	if (error) {
		ksm_os_unmap((void *)place, arena->reserved);
		ksm_span_give_back_row(place, arena->pool.slot_count);
		return error;
	}
	publish_slots_locked(&arena->pool);
	return 0;
}

int ksm_labelled_reserve(struct ksm_site *site, size_t bytes, bool is_private, void **base)
{
	struct arena **link, *arena;
	uint32_t number;
	int error = -ENOMEM;

	if (bytes > KSM_SPAN_SLOTS * slot_bytes())
		return -ENOMEM;
	ksm_lock_take(&arenas.lock);
	link = find_number_locked(site, &number);
	arena = obtain_arena_locked();
	if (arena) {
		init_arena(arena, site, number, bytes, is_private);
		error = reserve_locked(arena);
		arena->next = error ? arenas.free : *link;
		*(error ? &arenas.free : link) = arena;
	}
	if (!error)
		*base = (void *)arena->pool.first->base;
	pthread_mutex_unlock(&arenas.lock);
	if (!error)
		note_site(site);
	return error;
}

/* The arena of this address; else it says so, and ends the program. */
static struct arena *find_locked(const void *base)
{
	struct ksm_slot *slot = ksm_span_holds(base) ? ksm_span_slot_at(base) : NULL;

	if (!slot || !slot->pool->is_arena || (uintptr_t)base != slot->pool->first->base) {
		pthread_mutex_unlock(&arenas.lock);
		ksm_fatal(KSM_FATAL_ARENA);
	}
	return (struct arena *)((char *)slot->pool - offsetof(struct arena, pool));
}

/* Says of new memory what is to be said of the arena's. */
static void introduce_locked(struct arena *arena, void *addr, size_t length)
{
	struct ksm_pool *pool = &arena->pool;

	if (!ksm_slot_introduce(pool->first, addr, length, true))
		return;
	__atomic_fetch_or(&arena->site->record->flags, KSMALLOC_SITE_ADVISED, __ATOMIC_RELAXED);
	if (ksm_hint_is_taken())
		ksm_stat_set(&arena->site->record->hint, pool->hint);
	for (struct ksm_slot *slot = pool->first; slot; slot = slot->next) {
		if (slot->record >= 0)
			__atomic_fetch_or(&ksm_stat->slots[slot->record].flags, KSMALLOC_SLOT_ADVISED,
					  __ATOMIC_RELAXED);
	}
}

static int grow_locked(struct arena *arena, size_t bytes)
{
	void *end = (void *)(arena->pool.first->base + arena->committed);
	size_t more = bytes - arena->committed;
	int error;

	ksm_shared_hold();
	error = ksm_os_map_anew(end, more);
	if (error) {
		/* The kernel may have unmapped what was there before it said no. */
		ksm_os_map_instead(end, more, PROT_NONE);
		ksm_stat_add(&ksm_stat->header.stats.grow_failed_total, 1);
	} else {
		introduce_locked(arena, end, more);
		set_mapped_locked(arena, bytes);
	}
	ksm_shared_let_go();
	return error;
}

static int shrink_locked(struct arena *arena, size_t bytes)
{
	void *end = (void *)(arena->pool.first->base + bytes);
	size_t less = arena->committed - bytes;
	int error;

	ksm_shared_hold();
	error = ksm_os_map_instead(end, less, PROT_NONE);
	if (!error) {
		ksm_shared_is_gone(end, less);
		set_mapped_locked(arena, bytes);
	}
	ksm_shared_let_go();
	return error;
}

int ksm_labelled_resize(void *base, size_t bytes, size_t *before, size_t *after)
{
	struct arena *arena;
	size_t whole = ksm_align_up(bytes, KSM_PAGE);
	int error = 0;

	ksm_lock_take(&arenas.lock);
	arena = find_locked(base);
	*before = arena->committed;
	if (whole < bytes || whole > arena->reserved)
		error = -ENOSPC;
	else if (whole > arena->committed)
		error = grow_locked(arena, whole);
	else if (whole < arena->committed)
		error = shrink_locked(arena, whole);
	if (!error && whole != arena->committed)
		commit_locked(arena, whole);
	*after = arena->committed;
	pthread_mutex_unlock(&arenas.lock);
	return error;
}

void ksm_labelled_set_live(void *base, size_t bytes)
{
	struct arena *arena;

	ksm_lock_take(&arenas.lock);
	arena = find_locked(base);
	arena->says_live = true;
	count_locked(arena, arena->committed, ksm_min(bytes, arena->committed));
	pthread_mutex_unlock(&arenas.lock);
}

static void unlink_locked(struct arena *arena)
{
	struct arena **link = &arenas.used;

	while (*link != arena)
		link = &(*link)->next;
	*link = arena->next;
	arena->next = arenas.free;
	arenas.free = arena;
}

int ksm_labelled_release(void *base)
{
	struct arena *arena;
	int error;

	ksm_lock_take(&arenas.lock);
	arena = find_locked(base);
	ksm_shared_hold();
	error = ksm_os_unmap(base, arena->reserved);
	if (!error) {
		ksm_shared_is_gone(base, arena->reserved);
		set_mapped_locked(arena, 0);
		ksm_span_give_back_row((uintptr_t)base, arena->pool.slot_count);
	}
	ksm_shared_let_go();
	if (!error) {
		commit_locked(arena, 0);
		give_back_slots_locked(&arena->pool);
		unlink_locked(arena);
	}
	pthread_mutex_unlock(&arenas.lock);
	return error;
}

/* --- forks ---------------------------------------------------------------------------------- */

void ksm_labelled_prefork(void)
{
	pthread_mutex_lock(&arenas.lock);
}

void ksm_labelled_postfork_parent(void)
{
	pthread_mutex_unlock(&arenas.lock);
}

void ksm_labelled_postfork_child(void)
{
	ksm_lock_init(&arenas.lock);
}
