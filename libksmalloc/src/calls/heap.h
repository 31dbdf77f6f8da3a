/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap: the malloc family, divided between jemalloc and slots.
 *
 * What it is: the calls behind every entry point, public or interposed.
 * The short paths are inline: one comparison, then jemalloc.
 * What it is not: the exported names; those are in api.c and preload/. Nor what is set up before (start.h): the slow
 * paths see to that.
 *
 * In a process that has another malloc (late.h) these calls are those of ksmalloc_*; who is
 * called by a usual name asks ksm_late() first.
 * Locking: none held while jemalloc is called.
 * Failure: NULL with errno ENOMEM, as malloc(3) has it. errno is otherwise kept.
 */
#ifndef KSM_HEAP_H
#define KSM_HEAP_H

#include "base.h"
#include "layout/span.h"

#include <jemalloc/jemalloc.h>

/*
 * The slow paths. They take the call stack from their own return address, so
 * entry points must reach them by a tail call.
 */
void *ksm_heap_malloc_slow(size_t size);
void *ksm_heap_calloc_slow(size_t count, size_t size);
void *ksm_heap_realloc_slow(void *block, size_t size);
void *ksm_heap_aligned_slow(size_t alignment, size_t size);
void ksm_heap_free_slow(void *block);

void *ksm_heap_malloc_mergeable(size_t size);
void *ksm_heap_malloc_private(size_t size);
size_t ksm_heap_usable_size(const void *block);
bool ksm_heap_trim(void);

/* What mallinfo2(3) tells, in bytes. */
struct ksm_heap_info {
	size_t small_mapped;	/* by jemalloc */
	size_t small_allocated;	/* of it */
	size_t placed_bytes;	/* live blocks in slots, whole pages */
	size_t kept_bytes;	/* freed runs in slots */
};

void ksm_heap_info(struct ksm_heap_info *info);

KSM_INLINE void *ksm_heap_malloc(size_t size)
{
	if (ksm_likely(ksm_span_is_small(size)))
		return ksm_je_malloc(size);
	return ksm_heap_malloc_slow(size);
}

KSM_INLINE void ksm_heap_free(void *block)
{
	if (ksm_likely(ksm_span_is_beyond(block))) {
		ksm_je_free(block);
		return;
	}
	ksm_heap_free_slow(block);
}

KSM_INLINE void *ksm_heap_calloc(size_t count, size_t size)
{
	/* Neither factor alone says how large the product is, but two small ones do. */
	if (ksm_likely((count | size) < UINT32_MAX && ksm_span_is_small(count * size)))
		return ksm_je_calloc(count, size);
	return ksm_heap_calloc_slow(count, size);
}

KSM_INLINE void *ksm_heap_realloc(void *block, size_t size)
{
	if (ksm_likely(ksm_span_is_small(size) && ksm_span_is_beyond(block)))
		return ksm_je_realloc(block, size);
	return ksm_heap_realloc_slow(block, size);
}

/* alignment is a power of two. */
KSM_INLINE void *ksm_heap_aligned(size_t alignment, size_t size)
{
	if (ksm_likely(ksm_span_is_small(size)))
		return ksm_je_aligned_alloc(alignment, size);
	return ksm_heap_aligned_slow(alignment, size);
}

#endif
