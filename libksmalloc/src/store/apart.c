/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/apart.h"

#include "os/os.h"
#include "layout/span.h"

#include <stdatomic.h>

#define MOST_RANGES 64u

/* Synchronization: atomic; an end is written last. */
static struct {
	atomic_uintptr_t begin;
	atomic_uintptr_t end;
} ranges[MOST_RANGES] KSM_SPARSE;
static atomic_uint range_count; /* also of those that found no room */

/* Synchronization: atomic. */
static atomic_uintptr_t small_begin = UINTPTR_MAX;
static atomic_uintptr_t small_end;

/* The whole pages that the range lies in; false if there are none in the span. */
static bool find_pages(const void *addr, size_t length, uintptr_t *begin, uintptr_t *end)
{
	size_t half;
	uintptr_t span_end = ksm_span_upper_half(&half) + half;

	*begin = ksm_align_down((uintptr_t)addr, KSM_PAGE);
	*end = ksm_align_up((uintptr_t)addr + length, KSM_PAGE);
	return *begin < *end && *begin >= ksm_span_map.base && *begin < span_end;
}

void ksm_apart_keep_out(const void *addr, size_t length)
{
	uintptr_t begin, end;
	unsigned int i;

	if (!find_pages(addr, length, &begin, &end))
		return;
	i = atomic_fetch_add(&range_count, 1);
	if (i < MOST_RANGES) {
		atomic_store(&ranges[i].begin, begin);
		atomic_store(&ranges[i].end, end);
	}
}

bool ksm_apart_is_kept_out(const void *addr, size_t length)
{
	unsigned int count = atomic_load(&range_count);

	for (unsigned int i = 0; i < count && i < MOST_RANGES; i++) {
		if ((uintptr_t)addr < atomic_load(&ranges[i].end) &&
		    (uintptr_t)addr + length > atomic_load(&ranges[i].begin))
			return true;
	}
	return count > MOST_RANGES;
}

void ksm_apart_keep_small(const void *addr, size_t length)
{
	uintptr_t begin, end;
	uintptr_t least = atomic_load(&small_begin), most = atomic_load(&small_end);

	if (!find_pages(addr, length, &begin, &end))
		return;
	while (begin < least && !atomic_compare_exchange_weak(&small_begin, &least, begin))
		;
	while (end > most && !atomic_compare_exchange_weak(&small_end, &most, end))
		;
}

bool ksm_apart_is_kept_small(const void *addr, size_t length)
{
	uintptr_t begin, end;

	/* Outside of the span nothing was noted. */
	return !find_pages(addr, length, &begin, &end) ||
	       (begin < atomic_load(&small_end) && end > atomic_load(&small_begin));
}
