/* SPDX-License-Identifier: BSD-2-Clause */
#include "mapping.h"

#include "layout.h"
#include "os.h"
#include "ranges.h"
#include "region.h"
#include "stat.h"
#include "stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define NOBODY ((uintptr_t)0)
#define SPINS  100
#define PAUSES 2000 /* of some 50 microseconds each */

static struct {
	atomic_uintptr_t holder;	/* the thread that may use the others, or NOBODY */
	bool forking;			/* it is in a fork */
	struct ksm_ranges ranges;
	uint64_t calls;
	uint64_t placed;	/* of these calls */
	atomic_uint_fast64_t untracked;
} mappings;

void ksm_mapping_publish(void)
{
	struct ksmalloc_process_stats *stats;

	if (!ksm_stat)
		return;
	stats = &ksm_stat->header.stats;
	ksm_stat_set(&stats->mmap_live_bytes, mappings.ranges.bytes[0]);
	ksm_stat_set(&stats->mmap_reserved_bytes, mappings.ranges.bytes[1]);
	ksm_stat_set(&stats->mmap_calls_total, mappings.calls);
	ksm_stat_set(&stats->mmap_untracked_total, mappings.untracked);
	ksm_stat_set(&stats->mmap_placed_total, mappings.placed);
	ksm_stat_set(&stats->place_taken_total, ksm_region_taken());
}

/* Names the calling thread; a function of libc that only reads a register. */
static uintptr_t myself(void)
{
	return (uintptr_t)pthread_self();
}

static void count_untracked(void)
{
	atomic_fetch_add_explicit(&mappings.untracked, 1, memory_order_relaxed);
}

/*
 * A signal handler that interrupted the holder, in whose thread nobody can let go, gives up at
 * once; others wait for longer than a thread is off its processor for. Not for ever: the holder's
 * thread may be in a signal handler that waits for this one.
 */
static bool enter(void)
{
	uintptr_t me = myself();

	for (int tries = 0; tries < SPINS + PAUSES; tries++) {
		uintptr_t holder = atomic_load_explicit(&mappings.holder, memory_order_relaxed);

		if (holder == NOBODY &&
		    atomic_compare_exchange_strong_explicit(&mappings.holder, &holder, me,
							    memory_order_acquire,
							    memory_order_relaxed))
			return true;
		if (holder == me)
			break;
		if (tries >= SPINS)
			ksm_os_pause();
	}
	count_untracked();
	return false;
}

static bool is_mine(void)
{
	return atomic_load_explicit(&mappings.holder, memory_order_relaxed) == myself();
}

static void let_go(void)
{
	atomic_store_explicit(&mappings.holder, NOBODY, memory_order_release);
}

static void leave(void)
{
	ksm_mapping_publish();
	let_go();
}

static void add_range(uintptr_t begin, uintptr_t end, bool reserved)
{
	if (!ksm_ranges_add(&mappings.ranges, (struct ksm_range){ begin, end, reserved }))
		count_untracked();
}

static void remove_range(uintptr_t begin, uintptr_t end)
{
	if (!ksm_ranges_remove(&mappings.ranges, begin, end))
		count_untracked();
}

/* --- places ------------------------------------------------------------------------------ */

#define LARGEST_PLACED	(KSM_GIB - 1)
#define LARGE_ALIGNMENT KSM_RANGES_ALIGNMENT /* of mappings of this size and more, for huge pages */
#define PLACES_TO_TRY	64

static bool gets_place(size_t length, int flags)
{
	const int kinds_apart = MAP_FIXED | KSM_MAP_FIXED_NOREPLACE | KSM_MAP_32BIT | MAP_HUGETLB |
				MAP_GROWSDOWN | MAP_STACK | MAP_LOCKED;

	return (flags & MAP_ANONYMOUS) && (flags & MAP_TYPE) == MAP_PRIVATE &&
	       !(flags & kinds_apart) && length > 0 && length <= LARGEST_PLACED;
}

/* Maps length bytes, whole pages, in the range. The flag is held. */
static bool map_in(struct ksm_region_range range, size_t length, int prot, int flags, void **result)
{
	size_t alignment = length >= LARGE_ALIGNMENT ? LARGE_ALIGNMENT : KSM_PAGE;
	uintptr_t at = range.begin;

	for (int i = 0; i < PLACES_TO_TRY; i++) {
		int error;

		at = ksm_ranges_place(&mappings.ranges, at, range.end, length, alignment);
		if (!at)
			return false;
		error = ksm_region_map_place(at, length, prot, flags);
		if (!error) {
			*result = (void *)at;
			return true;
		}
		if (error != -EEXIST)
			return false;
		at += ksm_max(length, LARGE_ALIGNMENT);
	}
	return false;
}

bool ksm_mapping_place(size_t distance, size_t length, int prot, int flags, void **result)
{
	size_t whole = ksm_align_up(length, KSM_PAGE);
	struct ksm_region_range range;
	bool placed;

	if (!ksm_layout_is_shared() || !gets_place(length, flags) || !enter())
		return false;
	range = ksm_region_of_mappings(ksm_stream_part_to_map());
	if (distance < range.end - range.begin)
		range.begin += distance;
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
 * In the shared layout what merges is advised wherever it lies (in the private one nothing is, but
 * what the filters deny may have to be kept out): a runtime that commits its heap
 * piece by piece with MAP_FIXED replaces what was advised, and a private mapping of a file
 * gets pages of its own when it is written to.
 */
static void advise(void *addr, size_t length, int prot, int flags)
{
	const int kinds_apart = MAP_HUGETLB | MAP_GROWSDOWN | MAP_STACK;

	if ((flags & MAP_TYPE) != MAP_PRIVATE || (flags & kinds_apart))
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
	struct ksm_range range;
	bool known;

	if (!enter())
		return;
	known = ksm_ranges_find(&mappings.ranges, (uintptr_t)old, &range) &&
		range.begin <= (uintptr_t)old;
#ifdef MREMAP_DONTUNMAP
	if (!(flags & MREMAP_DONTUNMAP))
#endif
		remove_range((uintptr_t)old, end_of(old, old_length));
	if (known && length > 0)
		add_range((uintptr_t)addr, end_of(addr, length), range.reserved);
	leave();
}

uint64_t ksm_mapping_live_bytes(void)
{
	return mappings.ranges.bytes[0];
}

void ksm_mapping_prefork(void)
{
	if (enter())
		mappings.forking = true;
}

void ksm_mapping_postfork_parent(void)
{
	if (!is_mine() || !mappings.forking)
		return;
	mappings.forking = false;
	let_go();
}

/*
 * Where the fork did not get the set, somebody was changing it. This thread itself, if it forked
 * in a signal handler: it goes on with that when the handler returns. Another one never ends what
 * it began, in the child, and what it left is not a set: the child begins with an empty one.
 */
void ksm_mapping_postfork_child(void)
{
	if (is_mine() && !mappings.forking)
		return;
	if (!is_mine() && atomic_load_explicit(&mappings.holder, memory_order_relaxed) != NOBODY) {
		memset(&mappings.ranges, 0, sizeof(mappings.ranges));
		count_untracked();
	}
	mappings.forking = false;
	let_go();
}
