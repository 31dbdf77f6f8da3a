/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ksmalloc: a malloc whose large blocks the kernel can merge between processes.
 *
 * Most programs need none of these calls: LD_PRELOAD=libksmalloc.so or linking
 * with -lksmalloc replaces malloc and the rest of its family. The calls here
 * are for programs that know more about their memory than a call stack tells:
 * interpreters that name sites, and programs that ask for merging explicitly.
 *
 * Threads: every call may be made from any thread. Labels belong to the thread
 * that set them. Signals: none of these calls is async-signal-safe.
 */
#ifndef KSMALLOC_KSMALLOC_H
#define KSMALLOC_KSMALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KSMALLOC_VERSION_STRING "0.1.0"

#ifndef KSMALLOC_EXPORT
#define KSMALLOC_EXPORT
#endif

/* The version of the library that is loaded, as "major.minor.patch". */
KSMALLOC_EXPORT const char *ksmalloc_version(void);

/*
 * The malloc family under names of its own, for programs that keep their libc's
 * malloc beside it. Results, errors and errno are those of malloc(3).
 */
KSMALLOC_EXPORT void *ksmalloc_malloc(size_t size);
KSMALLOC_EXPORT void *ksmalloc_calloc(size_t count, size_t size);
KSMALLOC_EXPORT void *ksmalloc_realloc(void *block, size_t size);
KSMALLOC_EXPORT void *ksmalloc_reallocarray(void *block, size_t count, size_t size);
KSMALLOC_EXPORT void ksmalloc_free(void *block);
KSMALLOC_EXPORT void *ksmalloc_aligned_alloc(size_t alignment, size_t size);
KSMALLOC_EXPORT int ksmalloc_posix_memalign(void **result, size_t alignment, size_t size);
KSMALLOC_EXPORT size_t ksmalloc_usable_size(const void *block);

/*
 * Gives freed memory back to the kernel now: freed runs of all sites and what
 * jemalloc caches. Returns 1 if memory was given back, else 0.
 */
KSMALLOC_EXPORT int ksmalloc_trim(void);

/*
 * Begins a label: until the matching ksmalloc_label_end(), blocks that this
 * thread allocates belong to the site called name, whatever the call stack is.
 * Labels nest, 16 deep; the innermost counts. The name is copied; equal names
 * are the same site in every process. At most 64 bytes of it are used.
 *
 * Returns 0, -EINVAL if name is NULL or empty, -E2BIG if 16 labels are open (the
 * matching ksmalloc_label_end() must be called all the same), -ENOMEM.
 */
KSMALLOC_EXPORT int ksmalloc_label_begin(const char *name);

/* Ends the innermost label of this thread. Without an open label it does nothing. */
KSMALLOC_EXPORT void ksmalloc_label_end(void);

/*
 * Allocates size bytes in the site's slot from its first block on, whatever the
 * size and however little the site holds; the slot is advised unless the policy
 * is "none". Use it for data that is known to be equal in several processes.
 * Returns the block, to be released with free(), or NULL with errno ENOMEM.
 */
KSMALLOC_EXPORT void *ksmalloc_malloc_mergeable(size_t size);

/*
 * Allocates size bytes that are never marked mergeable, whatever the policy
 * says: for keys and other content that must not leak by the timing of merges.
 * Returns the block, to be released with free(), or NULL with errno ENOMEM.
 * A later realloc() keeps the block private.
 */
KSMALLOC_EXPORT void *ksmalloc_malloc_private(size_t size);

#ifdef __cplusplus
}
#endif
#endif
