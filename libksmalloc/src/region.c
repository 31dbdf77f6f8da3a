/* SPDX-License-Identifier: BSD-2-Clause */
#include "region.h"

#include "hint.h"
#include "policy.h"
#include "span.h"

#include <stdatomic.h>
#include <string.h>

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
	atomic_uintptr_t next[KSM_PARTS + 1]; /* of the region heap, relative to the part's begin */
} regions;

void ksm_region_init(void)
{
	bool is_shared = ksm_layout_is_shared();
	size_t length = 0;
	uintptr_t begin = is_shared ? ksm_span_upper_half(&length) : 0;

	if (!is_shared && !ksm_hint_covers_process())
		return;
	for (uint32_t i = 0; i < KSM_REGIONS; i++) {
		struct ksm_policy policy = ksm_policy_of_region(names[i] + strlen(NAME_PREFIX));

		regions.all[i].begin = begin + i * (length / KSM_REGIONS);
		regions.all[i].end = regions.all[i].begin + length / KSM_REGIONS;
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

struct ksm_region_range ksm_region_of(enum ksm_region region, uint32_t part)
{
	const struct ksm_region_range *all = &regions.all[region];
	uintptr_t half = (all->end - all->begin) / 2;
	/* Parts 1 to KSM_PARTS - 1, and the stretch of no part. */
	uintptr_t share = ksm_align_down(half / KSM_PARTS, ALIGNMENT);
	struct ksm_region_range range = { all->begin, all->begin + half };

	if (part > 0) {
		range.begin = all->begin + half + (part - 1) * share;
		range.end = range.begin + share;
	}
	return range;
}

uintptr_t ksm_region_next_heap(uint32_t part, size_t length)
{
	struct ksm_region_range range = ksm_region_of(KSM_REGION_HEAP, part);
	uintptr_t room = range.end - range.begin;
	uintptr_t at;

	length = ksm_align_up(length, ALIGNMENT);
	if (length > room)
		return 0;
	at = atomic_fetch_add_explicit(&regions.next[part], length, memory_order_relaxed);
	if (at > room - length) {
		atomic_fetch_sub_explicit(&regions.next[part], length, memory_order_relaxed);
		return 0;
	}
	return range.begin + at;
}

void ksm_region_count_taken(void)
{
	atomic_fetch_add_explicit(&regions.taken, 1, memory_order_relaxed);
}

uint64_t ksm_region_taken(void)
{
	return atomic_load_explicit(&regions.taken, memory_order_relaxed);
}

void ksm_region_introduce(enum ksm_region region, void *addr, size_t length)
{
	const struct ksm_region_range *all = &regions.all[region];

	if (!regions.merges[region]) {
		if (ksm_hint_covers_process())
			ksm_hint_exempt(addr, length);
	} else if (ksm_layout_is_shared() && ksm_hint_advise(addr, length)) {
		ksm_hint_set(addr, length, regions.hint[region]);
	}
	if ((uintptr_t)addr >= all->begin && (uintptr_t)addr < all->end)
		ksm_hint_name(addr, length, names[region]);
}

void ksm_region_keep_out(void *addr, size_t length)
{
	if (ksm_hint_covers_process())
		ksm_hint_exempt(addr, length);
	ksm_hint_name(addr, length, NAME_PREFIX "kept-out");
}
