/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zend: PHP's own functions for its memory, and what follows from its sizes.
 *
 * What it is: the functions and variables that a PHP program exports, looked up when the process starts, since PHP's
 * headers need not be there when this is built. All of them have been the same since PHP 7.3.
 * What it is not: for a PHP that is built for threads, whose memory each thread has for itself.
 * Failure: ksz_zend_find() says that there is no PHP, or not all of it.
 */
#ifndef KSZ_ZEND_H
#define KSZ_ZEND_H

#include <stdbool.h>
#include <stddef.h>

/* As in PHP's own zend_alloc_sizes.h. Equal since 7.0. */
#define KSZ_CHUNK_BYTES ((size_t)2 << 20)
#define KSZ_PAGE_BYTES ((size_t)4096)
#define KSZ_LARGEST_IN_CHUNK (KSZ_CHUNK_BYTES - KSZ_PAGE_BYTES)

struct ksz_zend {
	bool (*is_own)(void);	   /* the memory is PHP's own, and not the handlers of a profiler or malloc's */
	size_t (*usage)(bool real); /* bytes of blocks, or of chunks */
	void *(*heap)(void);
	void *(*alloc)(void *heap, size_t bytes);
	void (*free)(void *heap, void *block);
	size_t (*collect)(void *heap); /* gives pages back that have no block */
	void (*end_request)(void *heap, bool full, bool silent);
};

/* False where there is no PHP, one for threads, or one that lacks any of them. */
bool ksz_zend_find(struct ksz_zend *zend) __attribute__((visibility("hidden")));

/* A block of all that a chunk can give, whose pages have gone back to the kernel. NULL where there is none. */
void *ksz_zend_take_empty(const struct ksz_zend *zend, void *heap) __attribute__((visibility("hidden")));

#endif
