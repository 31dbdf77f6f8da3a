/* SPDX-License-Identifier: BSD-2-Clause */
#include "mapping.h"

#include "layout.h"
#include "os.h"
#include "region.h"
#include "thread.h"
#include "stat.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

struct range {
	uintptr_t begin;
	uintptr_t end;
	bool reserved;
};

static struct {
	atomic_flag busy;
	bool forking;		/* busy is held by a fork. Synchronization: busy. */
	struct range *ranges;	/* sorted by address */
	size_t count;
	size_t capacity;
	uint64_t live_bytes;
	uint64_t reserved_bytes;
	uint64_t calls;
	uint64_t placed;	/* of these calls */
	atomic_uint_fast64_t untracked;
} mappings = { .busy = ATOMIC_FLAG_INIT };

void ksm_mapping_publish(void)
{
	struct ksmalloc_process_stats *stats;

	if (!ksm_stat)
		return;
	stats = &ksm_stat->header.stats;
	ksm_stat_set(&stats->mmap_live_bytes, mappings.live_bytes);
	ksm_stat_set(&stats->mmap_reserved_bytes, mappings.reserved_bytes);
	ksm_stat_set(&stats->mmap_calls_total, mappings.calls);
	ksm_stat_set(&stats->mmap_untracked_total, mappings.untracked);
	ksm_stat_set(&stats->mmap_placed_total, mappings.placed);
	ksm_stat_set(&stats->place_taken_total, ksm_region_taken());
}

/*
 * Waits for as long as another thread may take; only a signal handler that interrupted the
 * holder, in whose thread nobody can let go, gives up.
 */
static bool enter(void)
{
	for (int tries = 0; tries < 300; tries++) {
		if (!atomic_flag_test_and_set_explicit(&mappings.busy, memory_order_acquire))
			return true;
		if (tries > 100)
			ksm_os_pause();
	}
	atomic_fetch_add_explicit(&mappings.untracked, 1, memory_order_relaxed);
	return false;
}

static void leave(void)
{
	ksm_mapping_publish();
	atomic_flag_clear_explicit(&mappings.busy, memory_order_release);
}

/* The first range that ends after address. */
static size_t find(uintptr_t address)
{
	size_t low = 0;
	size_t high = mappings.count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (mappings.ranges[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool make_room(void)
{
	size_t capacity = mappings.capacity ? 2 * mappings.capacity : KSM_PAGE / sizeof(struct range);
	void *memory;

	if (mappings.count + 1 < mappings.capacity)
		return true;
	if (ksm_os_map(&memory, ksm_align_up(capacity * sizeof(struct range), KSM_PAGE), true) != 0) {
		atomic_fetch_add_explicit(&mappings.untracked, 1, memory_order_relaxed);
		return false;
	}
	if (mappings.ranges) {
		memcpy(memory, mappings.ranges, mappings.count * sizeof(struct range));
		ksm_os_unmap(mappings.ranges,
			     ksm_align_up(mappings.capacity * sizeof(struct range), KSM_PAGE));
	}
	mappings.ranges = memory;
	mappings.capacity = capacity;
	return true;
}

static void count(const struct range *range, int sign)
{
	uint64_t *total = range->reserved ? &mappings.reserved_bytes : &mappings.live_bytes;

	*total += (uint64_t)sign * (range->end - range->begin);
}

static void insert(size_t at, struct range range)
{
	memmove(&mappings.ranges[at + 1], &mappings.ranges[at],
		(mappings.count - at) * sizeof(range));
	mappings.ranges[at] = range;
	mappings.count++;
	count(&range, 1);
}

static void erase(size_t at)
{
	count(&mappings.ranges[at], -1);
	mappings.count--;
	memmove(&mappings.ranges[at], &mappings.ranges[at + 1],
		(mappings.count - at) * sizeof(mappings.ranges[0]));
}

/* Takes [begin, end) out of the set; cuts ranges that reach beyond it. */
static void remove_range(uintptr_t begin, uintptr_t end)
{
	size_t at = find(begin);

	while (at < mappings.count && mappings.ranges[at].begin < end) {
		struct range range = mappings.ranges[at];

		erase(at);
		if (range.begin < begin)
			insert(at++, (struct range){ range.begin, begin, range.reserved });
		if (range.end > end && make_room())
			insert(at, (struct range){ end, range.end, range.reserved });
	}
}

/* Ranges that touch become one, so that there are few to look through. */
static void add_range(uintptr_t begin, uintptr_t end, bool reserved)
{
	size_t at;

	remove_range(begin, end);
	at = find(begin);
	if (at > 0 && mappings.ranges[at - 1].end == begin &&
	    mappings.ranges[at - 1].reserved == reserved) {
		begin = mappings.ranges[--at].begin;
		erase(at);
	}
	if (at < mappings.count && mappings.ranges[at].begin == end &&
	    mappings.ranges[at].reserved == reserved) {
		end = mappings.ranges[at].end;
		erase(at);
	}
	if (make_room())
		insert(at, (struct range){ begin, end, reserved });
}

/* --- places ------------------------------------------------------------------------------ */

#define LARGEST_PLACED	(KSM_GIB - 1)
#define LARGE_ALIGNMENT (2 * KSM_MIB) /* of mappings of this size and more, for huge pages */
#define PLACES_TO_TRY	64

static bool gets_place(size_t length, int flags)
{
	const int kinds_apart = MAP_FIXED | KSM_MAP_FIXED_NOREPLACE | KSM_MAP_32BIT | MAP_HUGETLB |
				MAP_GROWSDOWN | MAP_STACK | MAP_LOCKED;

	return (flags & MAP_ANONYMOUS) && (flags & MAP_TYPE) == MAP_PRIVATE &&
	       !(flags & kinds_apart) && length > 0 && length <= LARGEST_PLACED;
}

/* The lowest free place from at on, 0 if there is none. */
static uintptr_t find_place(uintptr_t at, uintptr_t end, size_t length, size_t alignment)
{
	at = ksm_align_up(at, alignment);
	for (size_t i = find(at); i < mappings.count; i++) {
		if (mappings.ranges[i].begin >= at + length)
			break;
		at = ksm_align_up(mappings.ranges[i].end, alignment);
	}
	return at + length <= end ? at : 0;
}

/* Maps length bytes, whole pages, in the range. The flag is held. */
static bool map_in(struct ksm_region_range range, size_t length, int prot, int flags, void **result)
{
	size_t alignment = length >= LARGE_ALIGNMENT ? LARGE_ALIGNMENT : KSM_PAGE;
	uintptr_t at = range.begin;

	for (int i = 0; i < PLACES_TO_TRY; i++) {
		int error;

		at = find_place(at, range.end, length, alignment);
		if (!at)
			return false;
		error = ksm_os_map_place((void *)at, length, prot, flags);
		if (!error) {
			*result = (void *)at;
			return true;
		}
		if (error != -EEXIST)
			return false;
		ksm_region_count_taken();
		at += ksm_max(length, LARGE_ALIGNMENT);
	}
	return false;
}

bool ksm_mapping_place(size_t length, int prot, int flags, void **result)
{
	size_t whole = ksm_align_up(length, KSM_PAGE);
	struct ksm_region_range range;
	bool placed;

	if (!ksm_layout_is_shared() || !gets_place(length, flags) || !enter())
		return false;
	range = ksm_region_of(KSM_REGION_MAPPINGS, ksm_layout_part(ksm_thread_ordinal()));
	placed = map_in(range, whole, prot, flags, result);
	if (placed) {
		mappings.calls++;
		mappings.placed++;
		add_range((uintptr_t)*result, (uintptr_t)*result + whole, prot == PROT_NONE);
	}
	leave();
	if (placed)
		ksm_region_introduce(KSM_REGION_MAPPINGS, *result, whole);
	return placed;
}

/*
 * In the shared layout what merges is advised wherever it lies: a runtime that commits its heap
 * piece by piece with MAP_FIXED replaces what was advised, and a private mapping of a file
 * gets pages of its own when it is written to.
 */
static void advise(void *addr, size_t length, int prot, int flags)
{
	const int kinds_apart = MAP_HUGETLB | MAP_GROWSDOWN | MAP_STACK;

	if (!ksm_layout_is_shared() || (flags & MAP_TYPE) != MAP_PRIVATE || (flags & kinds_apart))
		return;
	if ((flags & MAP_ANONYMOUS) || (prot & PROT_WRITE))
		ksm_region_introduce(KSM_REGION_MAPPINGS, addr, ksm_align_up(length, KSM_PAGE));
}

/* --- the calls --------------------------------------------------------------------------- */

static uintptr_t end_of(const void *addr, size_t length)
{
	return (uintptr_t)addr + ksm_align_up(length, KSM_PAGE);
}

void ksm_mapping_note_map(void *addr, size_t length, int prot, int flags)
{
	bool counted = (flags & MAP_ANONYMOUS) && (flags & MAP_TYPE) == MAP_PRIVATE;

	advise(addr, length, prot, flags);
	if (!enter())
		return;
	mappings.calls++;
	if (counted)
		add_range((uintptr_t)addr, end_of(addr, length), prot == PROT_NONE);
	else if (flags & MAP_FIXED)
		remove_range((uintptr_t)addr, end_of(addr, length));
	leave();
}

void ksm_mapping_note_unmap(const void *addr, size_t length)
{
	if (!enter())
		return;
	remove_range((uintptr_t)addr, end_of(addr, length));
	leave();
}

void ksm_mapping_note_remap(const void *old, size_t old_length, const void *addr, size_t length,
			    int flags)
{
	size_t at;
	bool known;
	bool reserved;

	if (!enter())
		return;
	at = find((uintptr_t)old);
	known = at < mappings.count && mappings.ranges[at].begin <= (uintptr_t)old;
	reserved = known && mappings.ranges[at].reserved;
#ifdef MREMAP_DONTUNMAP
	if (!(flags & MREMAP_DONTUNMAP))
#endif
		remove_range((uintptr_t)old, end_of(old, old_length));
	if (known && length > 0)
		add_range((uintptr_t)addr, end_of(addr, length), reserved);
	leave();
}

uint64_t ksm_mapping_live_bytes(void)
{
	return mappings.live_bytes;
}

void ksm_mapping_prefork(void)
{
	mappings.forking = enter();
}

void ksm_mapping_postfork_parent(void)
{
	if (mappings.forking)
		atomic_flag_clear_explicit(&mappings.busy, memory_order_release);
}

/* The child has no other thread that could hold the flag. */
void ksm_mapping_postfork_child(void)
{
	atomic_flag_clear_explicit(&mappings.busy, memory_order_release);
}
