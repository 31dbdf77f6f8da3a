/* SPDX-License-Identifier: BSD-2-Clause */
#include "mapping/mapping.h"

#include "layout/layout.h"
#include "system/option.h"
#include "os/os.h"
#include "site/policy.h"
#include "mapping/ranges.h"
#include "mapping/region.h"
#include "store/shared.h"
#include "segment/stat.h"
#include "layout/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define NOBODY ((uintptr_t)0)
#define SPINS  100
#define PAUSES 2000 /* of some 50 microseconds each */

/* Advice that memory keeps, and what ends it. */
enum kind {
	UNFORKED,
	UNDUMPED,
	UNMERGED,
	KINDS,
};

static const struct {
	int on;
	int off;
} lasting[KINDS] = {
	[UNFORKED] = { MADV_DONTFORK, MADV_DOFORK },
	[UNDUMPED] = { MADV_DONTDUMP, MADV_DODUMP },
	[UNMERGED] = { MADV_UNMERGEABLE, MADV_MERGEABLE },
};

static struct {
	atomic_uintptr_t holder;	/* the thread that may use the others, or NOBODY */
	bool forking;			/* it is in a fork */
	struct ksm_ranges ranges;
	struct ksm_ranges shareable;	/* of these */
	struct ksm_ranges said[KINDS];	/* of these: for what advice was given */
	atomic_bool is_incomplete;	/* what is shareable, or was said, may not be so */
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
	atomic_store_explicit(&mappings.is_incomplete, true, memory_order_relaxed);
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

/* --- what may be shared ------------------------------------------------------------------ */

/* Synchronization: written at load. */
static bool is_on;

static bool matches(const char *list, const char *name)
{
	while (*list) {
		size_t length = strcspn(list, "|");

		if (length && ksm_policy_glob(list, length, name))
			return true;
		list += length + (list[length] == '|');
	}
	return false;
}

/* The variable is inherited by whatever the program starts: each looks for itself whether it is meant. */
void ksm_mapping_init(void)
{
	char path[1024];
	const char *slash;

	if (!ksm_options.share || !ksm_options.share_mappings[0] || !ksm_layout_is_shared() ||
	    ksm_os_read_link("/proc/self/exe", path, sizeof(path)) <= 0)
		return;
	slash = strrchr(path, '/');
	is_on = matches(ksm_options.share_mappings, slash ? slash + 1 : path);
}

bool ksm_mapping_are_shared(void)
{
	return ksm_unlikely(is_on);
}

static void add_to(struct ksm_ranges *set, uintptr_t begin, uintptr_t end)
{
	if (!ksm_ranges_add(set, (struct ksm_range){ begin, end, false }))
		count_untracked();
}

static void remove_from(struct ksm_ranges *set, uintptr_t begin, uintptr_t end)
{
	if (!ksm_ranges_remove(set, begin, end))
		count_untracked();
}

/* There is something new, or nothing. */
static void forget_said(uintptr_t begin, uintptr_t end)
{
	for (uint32_t i = 0; i < KINDS; i++) {
		if (mappings.said[i].count > 0)
			remove_from(&mappings.said[i], begin, end);
	}
}

/* What a mapping of the store could not be in the place of is left out. */
static void note_shareable(uintptr_t begin, uintptr_t end, int flags)
{
	const int kinds_apart = MAP_HUGETLB | MAP_GROWSDOWN | MAP_STACK | MAP_LOCKED;

	if (!is_on)
		return;
	if ((flags & MAP_ANONYMOUS) && (flags & MAP_TYPE) == MAP_PRIVATE && !(flags & kinds_apart))
		add_to(&mappings.shareable, begin, end);
	else
		remove_from(&mappings.shareable, begin, end);
	forget_said(begin, end);
}

/* The first range at or behind begin, cut to what lies before end; false if there is none. */
static bool find_part(const struct ksm_ranges *set, uintptr_t begin, uintptr_t end, struct ksm_range *part)
{
	if (begin >= end || !ksm_ranges_find(set, begin, part) || part->begin >= end)
		return false;
	part->begin = ksm_max(part->begin, begin);
	part->end = ksm_min(part->end, end);
	return true;
}

static bool covers(const struct ksm_ranges *set, uintptr_t begin, uintptr_t end)
{
	struct ksm_range part;

	while (begin < end && find_part(set, begin, end, &part) && part.begin == begin)
		begin = part.end;
	return begin >= end;
}

/* Of what is known. */
static void note_said(enum kind kind, uintptr_t begin, uintptr_t end)
{
	struct ksm_range part;

	for (; find_part(&mappings.ranges, begin, end, &part); begin = part.end)
		add_to(&mappings.said[kind], part.begin, part.end);
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
		if (!at) {
			ksm_region_count_full();
			return false;
		}
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
		note_shareable((uintptr_t)*result, (uintptr_t)*result + whole, flags);
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
	note_shareable((uintptr_t)addr, end_of(addr, length), flags);
	leave();
}

void ksm_mapping_note_unmap(const void *addr, size_t length)
{
	if (!enter())
		return;
	remove_range((uintptr_t)addr, end_of(addr, length));
	note_shareable((uintptr_t)addr, end_of(addr, length), 0);
	leave();
}

/* What is moved keeps its kernel's flags. If not all of it may be shared, none of it is. */
static void move_shareable(const void *old, size_t old_length, const void *addr, size_t length, int flags)
{
	uintptr_t begin = (uintptr_t)old, end = end_of(old, old_length);
	bool may = covers(&mappings.shareable, begin, end) && length > 0;
	bool was_said[KINDS];

	for (uint32_t i = 0; i < KINDS; i++) {
		struct ksm_range part;

		was_said[i] = find_part(&mappings.said[i], begin, end, &part);
	}
#ifdef MREMAP_DONTUNMAP
	if (!(flags & MREMAP_DONTUNMAP))
#endif
		note_shareable(begin, end, 0);
	note_shareable((uintptr_t)addr, end_of(addr, length), may ? MAP_PRIVATE | MAP_ANONYMOUS : 0);
	/* It was one mapping: what holds for a part of it holds for all. */
	for (uint32_t i = 0; i < KINDS; i++) {
		if (was_said[i])
			note_said(i, (uintptr_t)addr, end_of(addr, length));
	}
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
	if (is_on)
		move_shareable(old, old_length, addr, length, flags);
	leave();
}

bool ksm_mapping_note_advice(const void *addr, size_t length, int advice)
{
	uintptr_t begin = ksm_align_down((uintptr_t)addr, KSM_PAGE), end = end_of(addr, length);
	bool is_known;

	if (!enter())
		return false;
	for (uint32_t kind = 0; is_on && kind < KINDS; kind++) {
		if (advice == lasting[kind].on)
			note_said(kind, begin, end);
		else if (advice == lasting[kind].off)
			remove_from(&mappings.said[kind], begin, end);
	}
	if (is_on && (advice == MADV_WIPEONFORK || advice == MADV_UNMERGEABLE || advice == 0))
		remove_from(&mappings.shareable, begin, end);
	is_known = covers(&mappings.ranges, begin, end);
	leave();
	return is_known;
}

void ksm_mapping_allow(uintptr_t slice, bool merges, struct ksm_share_set *allowed)
{
	uintptr_t end = slice + KSM_SHARE_SLICE;
	struct ksm_range part;

	if (atomic_load_explicit(&mappings.holder, memory_order_relaxed) != NOBODY) {
		memset(allowed, 0, sizeof(*allowed));
		return;
	}
	for (uintptr_t at = slice; find_part(&mappings.ranges, at, end, &part); at = part.end)
		ksm_share_remove_range(allowed, slice, part.begin, part.end);
	if (!is_on || !merges || atomic_load_explicit(&mappings.is_incomplete, memory_order_relaxed))
		return;
	for (uintptr_t at = slice; find_part(&mappings.shareable, at, end, &part); at = part.end)
		ksm_share_add_range(allowed, slice, part.begin, part.end);
}

bool ksm_mapping_is_known(const void *addr, size_t length)
{
	bool known;

	if (!enter())
		return false;
	known = covers(&mappings.ranges, (uintptr_t)addr, end_of(addr, length));
	leave();
	return known;
}

bool ksm_mapping_may_share(const void *addr, size_t length)
{
	bool may;

	if (!is_on || !enter())
		return false;
	may = covers(&mappings.shareable, (uintptr_t)addr, end_of(addr, length));
	leave();
	return may;
}

void ksm_mapping_introduce(void *addr, size_t length)
{
	uintptr_t begin = (uintptr_t)addr, end = end_of(addr, length);
	struct ksm_range part;

	if (!is_on || !enter())
		return;
	for (uint32_t kind = 0; kind < KINDS; kind++) {
		for (uintptr_t at = begin; find_part(&mappings.said[kind], at, end, &part); at = part.end)
			ksm_os_madvise((void *)part.begin, part.end - part.begin, lasting[kind].on);
	}
	let_go();
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
		memset(&mappings.shareable, 0, sizeof(mappings.shareable));
		memset(&mappings.said, 0, sizeof(mappings.said));
		count_untracked();
	}
	mappings.forking = false;
	let_go();
}

void ksm_mapping_forget_unforked(void)
{
	uintptr_t begin = 0;
	struct ksm_range part;

	if (!is_on || mappings.said[UNFORKED].count == 0 || !enter())
		return;
	while (find_part(&mappings.said[UNFORKED], begin, UINTPTR_MAX, &part)) {
		remove_range(part.begin, part.end);
		note_shareable(part.begin, part.end, 0);
		ksm_shared_forget((void *)part.begin, part.end - part.begin);
		begin = part.end;
	}
	leave();
}
