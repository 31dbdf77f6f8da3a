/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The base is drawn between the addresses that programs without position
 * independence use and those where the kernel puts position independent ones
 * (two thirds of the address space on x86-64 and arm64).
 */
#include "layout/span.h"

#include "system/late.h"
#include "layout/layout.h"
#include "os/os.h"
#include "layout/stream.h"

#include <errno.h>

struct ksm_gate ksm_gate = { .entry_end = UINTPTR_MAX };

struct ksm_span_map ksm_span_map;
_Atomic(struct ksm_slot *) ksm_span_owners[KSM_SPAN_SLOTS] KSM_SPARSE;

static struct {
	uint32_t slot_count;
	uint32_t window;	/* slots that first choices are taken from in the private layout */
	uint64_t secret;	/* makes the choice of slots differ between processes */
} span;

/* What rows have of a slot. */
enum row {
	ROW_NEVER,
	ROW_FREE, /* nobody else may have it */
	ROW_TAKEN,
};

/* Synchronization: the lock of who has rows. */
static uint8_t rows[KSM_SPAN_SLOTS] KSM_SPARSE;

/* The thread sanitizer keeps its shadow where the wide span lies. */
#ifdef __SANITIZE_THREAD__
#define BUILT_FOR_TSAN true
#else
#define BUILT_FOR_TSAN false
#endif

#define PEER_SHIFT 30 /* the kernel's default peer_shift of 18, in bytes */
#define WIDE_BITS 46 /* user addresses of at least this many bits have room for the wide span */

/*
 * Where the base may lie. probe is the address of a mapping that the kernel has placed: it puts
 * them far above the span, unless the program runs with the legacy layout (setarch -L, and
 * unlimited stacks before Linux 6.9) or with a stack limit of many TiB. Then the span lies below,
 * or, where there is no room for it, above: the kernel goes downwards from a sixth of the
 * address space on then, and what has 39 bits of addresses has room for fewer slots.
 */
static void choose_size(uintptr_t probe, uintptr_t *lowest, uintptr_t *room)
{
	bool wide = (uintptr_t)&wide >> WIDE_BITS != 0 && !BUILT_FOR_TSAN;
	uintptr_t length, margin, above;

	*lowest = wide ? 16 * KSM_TIB : 32 * KSM_GIB;
	*room = wide ? 52 * KSM_TIB : 48 * KSM_GIB;
	ksm_span_map.slot_shift = wide ? 30 : 28;
	span.slot_count = wide ? KSM_SPAN_SLOTS : KSM_SPAN_SLOTS / 16;
	length = (uintptr_t)span.slot_count << (ksm_span_map.slot_shift + 1);
	margin = length / 8;
	if (probe > *lowest + length + margin) {
		*room = ksm_min(*room, probe - length - margin - *lowest);
		return;
	}
	above = ksm_align_up(ksm_max(probe + margin, *lowest), UINT64_C(1) << ksm_span_map.slot_shift);
	if (above >= *lowest + *room) {
		span.slot_count /= 4;
		*room += length - length / 4;
	}
	*room -= above - *lowest;
	*lowest = above;
}

/* The first slots are those that the first part chooses from; behind them, up to the middle, lie rows. */
static uint32_t window_of_main(void)
{
	return span.slot_count / 8 * 3;
}

static uint32_t window_of_rows(void)
{
	return span.slot_count / 2 - window_of_main();
}

void ksm_span_init(const void *probe)
{
	uintptr_t lowest, room, unit;
	uint64_t random[2];

	if (ksm_span_map.base)
		return;
	choose_size((uintptr_t)probe, &lowest, &room);
	if (ksm_layout_is_shared()) {
		/* A finer grain, since it is a secret of many processes. */
		random[0] = ksm_layout_word(KSMALLOC_SEED_SLOTS);
		random[1] = ksm_layout_word(KSMALLOC_SEED_SPAN);
		unit = KSM_SPAN_ALIGNMENT;
	} else {
		ksm_os_random(random, sizeof(random));
		/* Not more than there are, which in a narrow address space may be few. */
		span.window = (uint32_t)ksm_min(512, window_of_main());
		unit = UINT64_C(1) << ksm_span_map.slot_shift;
	}
	span.secret = random[0];
	ksm_span_map.base = lowest + random[1] % (room / unit) * unit;
}

void ksm_span_open(void)
{
	uintptr_t end = ksm_span_map.base + ((uintptr_t)span.slot_count << ksm_span_map.slot_shift);

	__atomic_store_n(&ksm_gate.low, ksm_span_map.base, __ATOMIC_RELAXED);
	__atomic_store_n(&ksm_gate.end, end, __ATOMIC_RELEASE);
	if (!ksm_late())
		__atomic_store_n(&ksm_gate.entry_end, end, __ATOMIC_RELEASE);
}

uintptr_t ksm_span_upper_half(size_t *length)
{
	*length = (size_t)span.slot_count << ksm_span_map.slot_shift;
	return ksm_span_map.base + *length;
}

uint32_t ksm_span_slot_shift(void)
{
	return ksm_span_map.slot_shift;
}

bool ksm_span_has_peers(void)
{
	/* In a narrow address space slots are less than a GiB. */
	return ksm_layout_is_shared() || ksm_span_map.slot_shift >= PEER_SHIFT;
}

/* A mixer of full period (the finaliser of MurmurHash3). */
static uint64_t mix(uint64_t value)
{
	value ^= value >> 33;
	value *= UINT64_C(0xff51afd7ed558ccd);
	value ^= value >> 33;
	value *= UINT64_C(0xc4ceb9fe1a85ec53);
	return value ^ value >> 33;
}

/*
 * The slots that a part of the process chooses from first. In the shared layout no two parts
 * choose from the same, so that who comes first depends on one thread alone; in the
 * private layout all choose from one window, since slots in it share page tables.
 */
static void window_of(uint32_t part, uint32_t *begin, uint32_t *count)
{
	uint32_t half = span.slot_count / 2;

	*begin = 0;
	*count = span.window;
	if (!ksm_layout_is_shared())
		return;
	if (part == 0) {
		*count = window_of_main();
	} else if (part % KSM_LANES == 0) {
		*count = half / 4;
		*begin = half + (part / KSM_LANES - 1) * *count;
	} else {
		*count = half / 2 / KSM_PARTS;
		*begin = half + half / 2 + part * *count;
	}
}

/* The window first; then all slots, by chance and in order. */
static uint32_t candidate(uint64_t seed, uint32_t part, uint32_t probe)
{
	uint64_t hash = mix((seed ^ span.secret) + probe);
	uint32_t begin, count;

	window_of(part, &begin, &count);
	if (probe < 2 * count)
		return begin + (uint32_t)(hash % count);
	if (probe < 4 * span.slot_count)
		return (uint32_t)(hash % span.slot_count);
	return (probe - 4 * span.slot_count) % span.slot_count;
}

uint64_t ksm_span_usual_offset(uint64_t secret, uint64_t seed, uint32_t number)
{
	return mix((seed ^ secret) + number) % window_of_main() << ksm_span_map.slot_shift;
}

uintptr_t ksm_span_claim(uint64_t seed, uint32_t part, uint32_t *probe, struct ksm_slot *owner)
{
	while (*probe < 5 * span.slot_count) {
		uint32_t index = candidate(seed, part, (*probe)++);
		struct ksm_slot *nobody = NULL;

		if (atomic_compare_exchange_strong(&ksm_span_owners[index], &nobody, owner))
			return ksm_span_map.base + ((uintptr_t)index << ksm_span_map.slot_shift);
	}
	return 0;
}

static uint32_t index_of(uintptr_t address)
{
	return (uint32_t)((address - ksm_span_map.base) >> ksm_span_map.slot_shift);
}

void ksm_span_abandon(uintptr_t address)
{
	atomic_store(&ksm_span_owners[index_of(address)], KSM_SPAN_ABANDONED);
}

/* --- rows ----------------------------------------------------------------------------------- */

#define ROW_PROBES 16 /* places in the window that are chosen by chance */
#define FEW_SLOTS  2  /* of a row that is short: one of up to a GiB */

/*
 * The first slot of a row in the window. Short ones choose from one half of it, long ones, which would be in the way of many,
 * from the other. False if the row is too long for that.
 */
static bool row_in_window(uint64_t hash, uint32_t count, uint32_t *first)
{
	uint32_t half = window_of_rows() / 2;

	if (count > half)
		return false;
	*first = window_of_main() + (count > FEW_SLOTS ? half : 0) + (uint32_t)(hash % (half - count + 1));
	return true;
}

/*
 * Places in the window by chance, then all in it, then those behind the middle from the end on: what was a row's is no
 * other pool's any more, so that the first slots are left to those. False: there are no more.
 */
static bool find_row(uint64_t seed, uint32_t count, uint32_t probe, uint32_t *first)
{
	uint32_t window = window_of_rows(), rest = span.slot_count / 2;

	if (probe < ROW_PROBES && row_in_window(mix((seed ^ span.secret) + probe), count, first))
		return true;
	probe -= ksm_min(probe, ROW_PROBES);
	if (count <= window && probe <= window - count) {
		*first = window_of_main() + probe;
		return true;
	}
	probe -= count <= window ? window - count + 1 : 0;
	if (count > rest || probe > rest - count)
		return false;
	*first = span.slot_count - count - probe;
	return true;
}

static bool take_for_row(uint32_t index)
{
	struct ksm_slot *nobody = NULL;

	if (rows[index] == ROW_TAKEN)
		return false;
	if (rows[index] == ROW_NEVER &&
	    !atomic_compare_exchange_strong(&ksm_span_owners[index], &nobody, KSM_SPAN_ABANDONED))
		return false;
	rows[index] = ROW_TAKEN;
	return true;
}

uintptr_t ksm_span_claim_row(uint64_t seed, uint32_t count, uint32_t *probe)
{
	uint32_t first;

	while (find_row(seed, count, *probe, &first)) {
		uint32_t taken = 0;

		(*probe)++;
		while (taken < count && take_for_row(first + taken))
			taken++;
		if (taken == count)
			return ksm_span_map.base + ((uintptr_t)first << ksm_span_map.slot_shift);
		while (taken > 0)
			rows[first + --taken] = ROW_FREE;
	}
	return 0;
}

void ksm_span_own(uintptr_t address, struct ksm_slot *owner)
{
	atomic_store_explicit(&ksm_span_owners[index_of(address)], owner, memory_order_release);
}

void ksm_span_give_back_row(uintptr_t address, uint32_t count)
{
	uint32_t first = index_of(address);

	for (uint32_t i = first; i < first + count; i++) {
		atomic_store_explicit(&ksm_span_owners[i], KSM_SPAN_ABANDONED, memory_order_release);
		rows[i] = ROW_FREE;
	}
}

uint64_t ksm_span_usual_offset_of_row(uint64_t secret, uint64_t seed, uint32_t count)
{
	uint32_t first = 0;

	if (!row_in_window(mix(seed ^ secret), count, &first))
		first = count <= window_of_rows() ? window_of_main() : span.slot_count - (uint32_t)ksm_min(count, span.slot_count);
	return (uint64_t)first << ksm_span_map.slot_shift;
}
