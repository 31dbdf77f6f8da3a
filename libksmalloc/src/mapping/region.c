/* SPDX-License-Identifier: BSD-2-Clause */
#include "mapping/region.h"

#include "segment/hint.h"
#include "layout/history.h"
#include "os/os.h"
#include "site/policy.h"
#include "layout/span.h"
#include "segment/stat.h"
#include "layout/stream.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT (2 * KSM_MIB)

#define NAME_PREFIX "ksmalloc:"

static const char *const names[KSM_REGIONS] = { NAME_PREFIX "heap", NAME_PREFIX "mappings" };
static const enum ksmalloc_hint_region hints[KSM_REGIONS] = { KSMALLOC_HINT_HEAP,
							      KSMALLOC_HINT_MAPPINGS };

static struct {
	struct ksm_region_range all[KSM_REGIONS];
	bool merges[KSM_REGIONS];
	uint64_t hint[KSM_REGIONS];
	atomic_uint_fast64_t taken;
	/* What each arena and each stream has taken of its stretches. The last one of next is of no part. */
	atomic_uintptr_t next[KSM_REGION_NO_PART + 1];
	atomic_bool has_shelves[KSM_ARENAS]; /* what all classes have in common is mapped */
	atomic_uintptr_t next_first[KSM_STREAMS];
	atomic_uintptr_t next_objects[KSM_STREAMS];
	atomic_uintptr_t next_large_objects[KSM_PARTS];
} regions KSM_SPARSE;

/* One of the pieces of equal length that lie side by side. */
static struct ksm_region_range piece(uintptr_t begin, size_t length, uint32_t number)
{
	return (struct ksm_region_range){ begin + number * length, begin + (number + 1) * length };
}

void ksm_region_init(void)
{
	bool is_shared = ksm_layout_is_shared();
	size_t length = 0;
	uintptr_t begin = is_shared ? ksm_span_upper_half(&length) : 0;

	if (!is_shared && !ksm_hint_covers_process())
		return;
	for (uint32_t i = 0; i < KSM_REGIONS; i++) {
		struct ksm_policy policy = ksm_policy_of_region(names[i] + strlen(NAME_PREFIX));

		regions.all[i] = piece(begin, length / KSM_REGIONS, i);
		regions.merges[i] = policy.advise;
		/* Addresses are equal in the group. */
		regions.hint[i] = ksm_hint_word(hints[i], policy.priority,
						KSMALLOC_STABILITY_UNKNOWN, true);
	}
}

bool ksm_region_merges(enum ksm_region region)
{
	return regions.merges[region];
}

struct ksm_region_range ksm_region_all(enum ksm_region region)
{
	return regions.all[region];
}

/*
 * The shares of a region, in 1024ths. The first thread of each depth has a large one, since its parts
 * and streams go on there when theirs are used up; of mappings, which may be large and come and go,
 * the process that was started has a half.
 */
#define SHARES 1024u
#define HEAP_OF_MAIN 112u
#define HEAP_OF_NO_PART 8u
#define OTHER 2u /* other parts, and arenas of anchored streams */

struct share {
	uint32_t begin;
	uint32_t count;
};

static struct share heap_share(uint32_t arena)
{
	const uint32_t others = KSM_DEPTHS * HEAP_OF_MAIN + HEAP_OF_NO_PART;

	static_assert((KSM_DEPTHS + 1) * HEAP_OF_MAIN + HEAP_OF_NO_PART + OTHER * KSM_ARENAS <= SHARES,
		      "the shares fit");
	if (arena == KSM_REGION_NO_PART)
		return (struct share){ KSM_DEPTHS * HEAP_OF_MAIN, HEAP_OF_NO_PART };
	if (arena < KSM_PARTS && arena % KSM_LANES == 0)
		return (struct share){ arena / KSM_LANES * HEAP_OF_MAIN, HEAP_OF_MAIN };
	/* Where a process goes on that has left its start. */
	if (arena == KSM_PARTS)
		return (struct share){ others + OTHER * KSM_ARENAS, HEAP_OF_MAIN };
	return (struct share){ others + OTHER * arena, OTHER };
}

static struct share mapping_share(uint32_t part)
{
	const uint32_t first = SHARES / 2, main = SHARES / 8;

	static_assert(SHARES / 2 + (KSM_DEPTHS - 1) * SHARES / 8 + OTHER * KSM_PARTS <= SHARES, "the shares fit");
	if (part == 0)
		return (struct share){ 0, first };
	if (part % KSM_LANES == 0)
		return (struct share){ first + (part / KSM_LANES - 1) * main, main };
	return (struct share){ first + (KSM_DEPTHS - 1) * main + OTHER * part, OTHER };
}

static struct ksm_region_range stretch(struct ksm_region_range all, struct share share)
{
	uintptr_t unit = ksm_align_down((all.end - all.begin) / SHARES, ALIGNMENT);
	uintptr_t begin = all.begin + share.begin * unit;

	return (struct ksm_region_range){ begin, begin + share.count * unit };
}

struct ksm_region_range ksm_region_of_mappings(uint32_t part)
{
	return stretch(regions.all[KSM_REGION_MAPPINGS], mapping_share(part));
}

/* The last quarter of the region heap is for objects of runtimes. */
static struct ksm_region_range blocks(void)
{
	struct ksm_region_range heap = regions.all[KSM_REGION_HEAP];

	return (struct ksm_region_range){ heap.begin, heap.begin + (heap.end - heap.begin) / 4 * 3 };
}

struct ksm_region_range ksm_region_of_objects(void)
{
	return (struct ksm_region_range){ blocks().end, regions.all[KSM_REGION_HEAP].end };
}

/* Where something was taken: what is known of a stretch when it turns out that something else lies there. */
struct source {
	atomic_uintptr_t *next;
	uintptr_t room; /* of the stretch, taken or not */
};

/* Takes length bytes of the range, of which *next were taken before. 0 if they are not there. */
static uintptr_t take(struct ksm_region_range range, atomic_uintptr_t *next, size_t length, struct source *source)
{
	uintptr_t room = range.end - range.begin;
	uintptr_t at;

	if (length > room)
		return 0;
	at = atomic_fetch_add_explicit(next, length, memory_order_relaxed);
	if (at > room - length) {
		atomic_fetch_sub_explicit(next, length, memory_order_relaxed);
		return 0;
	}
	*source = (struct source){ next, room };
	return range.begin + at;
}

/* Leaves out length bytes of the stretch, or the rest of it: more than its room counts as all of it. */
static void leave_out(const struct source *source, size_t length)
{
	atomic_fetch_add_explicit(source->next, ksm_min(length, source->room), memory_order_relaxed);
}

/* The stretch of an arena: its upper half is for shelves. */
static struct ksm_region_range lower_half(uint32_t arena)
{
	struct ksm_region_range range = stretch(blocks(), heap_share(arena));

	if (arena != KSM_REGION_NO_PART)
		range.end -= (range.end - range.begin) / 2;
	return range;
}

static struct ksm_region_range shelves(uint32_t arena)
{
	struct ksm_region_range range = stretch(blocks(), heap_share(arena));

	range.begin = ksm_align_up(lower_half(arena).end, ALIGNMENT);
	return range;
}

void ksm_region_count_full(void)
{
	if (ksm_stat)
		ksm_stat_add(&ksm_stat->header.bounds.stretch_full_total, 1);
}

static uintptr_t next_heap(uint32_t arena, size_t length, struct source *source)
{
	uintptr_t at;
	uint32_t part;

	length = ksm_align_up(length, ALIGNMENT);
	at = take(lower_half(arena), &regions.next[arena], length, source);
	if (at)
		return at;
	ksm_region_count_full();
	if (arena == KSM_REGION_NO_PART)
		return 0;
	part = ksm_stream_part_behind(arena, KSM_ARENAS_ANCHORED);
	return part == arena ? 0 : take(lower_half(part), &regions.next[part], length, source);
}

/*
 * A stream's first objects, as many as libksmalloc-python.so maps for a few of each size, lie beside those of other
 * streams, so that a few pages of many streams share their page tables. What comes after has stretches of equal size,
 * and behind those one of the depth's first part.
 */
#define FIRST_OBJECTS (2560 * KSM_KIB)

static uintptr_t next_objects(uint32_t stream, size_t length, struct source *source)
{
	struct ksm_region_range all = ksm_region_of_objects();
	uintptr_t later = all.begin + ksm_align_up(KSM_STREAMS * FIRST_OBJECTS, ALIGNMENT);
	uintptr_t last = later + (all.end - later) / 2;
	size_t share = ksm_align_down((last - later) / KSM_STREAMS, ALIGNMENT);
	uint32_t part = ksm_stream_part_behind(stream, KSM_ANCHORED);
	uintptr_t at = take(piece(all.begin, FIRST_OBJECTS, stream), &regions.next_first[stream], length, source);

	if (!at)
		at = take(piece(later, share, stream), &regions.next_objects[stream], length, source);
	if (at)
		return at;
	ksm_region_count_full();
	return take(stretch((struct ksm_region_range){ last, all.end }, heap_share(part)),
		    &regions.next_large_objects[part], length, source);
}

int ksm_region_map_place(uintptr_t at, size_t length, int prot, int flags)
{
	int error = ksm_os_map_place((void *)at, length, prot, flags);

	if (error == -EEXIST)
		atomic_fetch_add_explicit(&regions.taken, 1, memory_order_relaxed);
	return error;
}

/*
 * Maps at the next place of a stretch that nothing else lies at. NULL if there is none. What lies there may be a page
 * or, where the program has used up its address space, all of the stretch: ever longer steps go over it. They stay
 * in the stretch: what comes after it, which others use, too, may be free.
 */
static void *map_at_next(uintptr_t (*next)(uint32_t number, size_t length, struct source *source), uint32_t number,
			 size_t length, int prot, int flags)
{
	atomic_uintptr_t *filled = NULL;
	struct source source;
	size_t step = 0;
	uintptr_t at;

	while ((at = next(number, length, &source)) != 0) {
		int error = ksm_region_map_place(at, length, prot, flags);

		if (!error)
			return (void *)at;
		if (error != -EEXIST)
			break;
		/* One place may be a page of somebody's; after the second one it is more. */
		if (source.next == filled)
			leave_out(&source, step);
		step = source.next == filled ? 2 * step : ksm_align_up(length, ALIGNMENT);
		filled = source.next;
	}
	return NULL;
}

void *ksm_region_map_heap(uint32_t arena, size_t length, int prot, int flags)
{
	void *memory = map_at_next(next_heap, arena, length, prot, flags);

	/* Jemalloc's own tables belong to no event. */
	if (memory && arena != KSM_REGION_NO_PART)
		ksm_history_add_memory(KSMALLOC_EVENT_BLOCKS, arena, (uintptr_t)memory,
				       ksm_align_up(length, ALIGNMENT));
	return memory;
}

uintptr_t ksm_region_map_shelf(uint32_t arena, const struct ksm_shelf_place *place)
{
	struct ksm_region_range range = shelves(arena);
	size_t length = place->map_end - place->map_begin;
	uintptr_t begin = range.begin + place->map_begin;
	bool is_common = place->map_begin == 0;

	if (range.end < range.begin || place->map_end > range.end - range.begin)
		return 0;
	if (!place->is_first_of_step ||
	    (is_common && atomic_load_explicit(&regions.has_shelves[arena], memory_order_relaxed)))
		return range.begin;
	if (ksm_region_map_place(begin, length, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE) != 0)
		return 0;
	if (is_common)
		atomic_store_explicit(&regions.has_shelves[arena], true, memory_order_relaxed);
	ksm_history_add_memory(KSMALLOC_EVENT_BLOCKS, arena, begin, length);
	ksm_region_introduce(KSM_REGION_HEAP, (void *)begin, length);
	return range.begin;
}

void *ksm_region_map_objects(uint32_t stream, size_t length, int prot, int flags)
{
	void *memory = map_at_next(next_objects, stream, length, prot, flags);

	if (memory)
		ksm_history_add_memory(KSMALLOC_EVENT_OBJECTS, stream, (uintptr_t)memory, length);
	return memory;
}

uint64_t ksm_region_taken(void)
{
	return atomic_load_explicit(&regions.taken, memory_order_relaxed);
}

void ksm_region_advise(enum ksm_region region, void *addr, size_t length)
{
	if (!regions.merges[region]) {
		if (ksm_hint_covers_process())
			ksm_hint_exempt(addr, length);
	} else if (ksm_layout_is_shared() && ksm_hint_advise(addr, length)) {
		ksm_hint_set(addr, length, regions.hint[region]);
	}
}

void ksm_region_introduce(enum ksm_region region, void *addr, size_t length)
{
	const struct ksm_region_range *all = &regions.all[region];

	ksm_region_advise(region, addr, length);
	if ((uintptr_t)addr >= all->begin && (uintptr_t)addr < all->end)
		ksm_hint_name(addr, length, names[region]);
}

void ksm_region_keep_out(void *addr, size_t length)
{
	if (ksm_hint_covers_process())
		ksm_hint_exempt(addr, length);
	ksm_hint_name(addr, length, NAME_PREFIX "kept-out");
}
