/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * aside: programs whose blocks belong to a sanitizer.
 *
 * What it is: the way through to the malloc of AddressSanitizer and its relatives.
 * A preloaded library is asked first; a program built with one of them runs and
 * finds its mistakes only if all its blocks come from the sanitizer, from the
 * first one on, which the loader allocates before any constructor runs.
 * What it is not: Valgrind, which takes over our entry points by itself.
 *
 * How it is told: the sanitizers' run-time libraries export __interceptor_malloc.
 * Locking: none. Failure: as the sanitizer's calls have it.
 */
#ifndef KSM_ASIDE_H
#define KSM_ASIDE_H

#include "base.h"

void *__interceptor_malloc(size_t size) __attribute__((weak));
void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *block, size_t size) __attribute__((weak));
void *__interceptor_aligned_alloc(size_t alignment, size_t size) __attribute__((weak));
void __interceptor_free(void *block) __attribute__((weak));
size_t __interceptor_malloc_usable_size(void *block) __attribute__((weak));

/* True if the sanitizer's malloc is to be used for everything. */
KSM_INLINE bool ksm_aside(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	/* Built with a sanitizer, the library itself is what is tested. */
	return false;
#else
	return ksm_unlikely(__interceptor_malloc != NULL);
#endif
}

#endif
