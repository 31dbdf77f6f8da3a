/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * places: an allocator of Lua's objects whose memory is equal in workers that did nearly the same.
 *
 * What it is: slabs of 64 KiB, each of one kind of objects and one size class, in memory of a
 * stream of the class's own (ksmalloc/stream.h). A worker that has made one string more has shifted
 * later strings of that size; no table, function or array is at another place. It knows nothing of
 * Lua but what its allocator function is told. What it is not: safe for several threads. The thread
 * that called ksl_start() has it alone: others get NULL from ksl_alloc(), and what they free is
 * lost.
 *
 * The rule: new objects of a class get the lowest places that were free when the class's *epoch*
 * began, then new slabs. What is freed later has its turn in the next epoch. An epoch is a count of
 * objects, a sixteenth of what the class has room for, so that it begins at the same object in
 * equal workers; the collector, whose pace is a count of bytes, frees the same garbage a few
 * objects sooner or later in one of them, which matters only where an epoch begins meanwhile. In
 * the child of a fork all classes go on in new slabs, and what was inherited half full stays as it
 * is.
 *
 * What is in a slab: a header that follows from class and ordinal, and objects. A free object is
 * not written to. Which places are free is kept in tables elsewhere, which need not be equal.
 *
 * Failure: NULL where there is no memory, and for sizes beyond KSL_LARGEST; the caller has another
 * allocator. Without memory for a new slab an epoch ends early: what was freed is used at once.
 */
#ifndef KSL_PLACES_H
#define KSL_PLACES_H

#include "../source.h"

#include "base.h"

#define KSL_SLAB UINT64_C(65536)
#define KSL_FINE 512u /* up to here a class is 16 bytes wider than the one before */
#define KSL_FINE_CLASSES 32u
#define KSL_LARGEST 2048u /* from there to here there are four of them in each power of two */
#define KSL_CLASSES (KSL_FINE_CLASSES + 8u)

enum ksl_kind {
	KSL_OTHER, /* arrays, and all that was made longer or shorter */
	KSL_STRING,
	KSL_TABLE,
	KSL_FUNCTION,
	KSL_RARE,
	KSL_KINDS,
};

/* Where a class's next objects come from. */
struct ksl_cursor {
	uint64_t bits; /* places that follow one another from begin on */
	char *begin;
	uint64_t size;
};

/* Those of the calling thread, by kind and class; without places where it has none. */
extern __thread struct ksl_cursor (*ksl_current)[KSL_CLASSES]
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Where objects lie. Synchronization: written once, before the first allocation. */
extern struct ksl_range {
	uintptr_t begin;
	uintptr_t bytes;
} ksl_range __attribute__((visibility("hidden")));

/* The calling thread has it from now on. To be called once. map() gives memory that is aligned to a slab. */
void ksl_start(const struct ksh_source *source);

/* To be called when a thread's stream has changed, and in the child of a fork; also in a signal
 * handler. */
void ksl_moved(void);

__attribute__((noinline)) void *ksl_alloc_slowly(enum ksl_kind kind, unsigned int class);

/* p is held. */
void ksl_free(void *p);

/* The bytes that p, which is held, has room for. */
size_t ksl_size(const void *p);

/* size is 1 to KSL_LARGEST. */
KSM_INLINE unsigned int ksl_class(size_t size)
{
	if (ksm_likely(size <= KSL_FINE))
		return (unsigned int)((size - 1) >> 4);
	return size <= 2 * KSL_FINE ? KSL_FINE_CLASSES - 4 + (unsigned int)((size - 1) >> 7)
				    : KSL_FINE_CLASSES + (unsigned int)((size - 1) >> 8);
}

KSM_INLINE bool ksl_holds(const void *p)
{
	return (uintptr_t)p - ksl_range.begin < ksl_range.bytes;
}

/* size is 1 to KSL_LARGEST. */
KSM_INLINE void *ksl_alloc(enum ksl_kind kind, size_t size)
{
	unsigned int class = ksl_class(size);
	struct ksl_cursor *cursor = &ksl_current[kind][class];
	uint64_t bits = cursor->bits;

	if (ksm_unlikely(!bits))
		return ksl_alloc_slowly(kind, class);
	cursor->bits = bits & (bits - 1);
	return cursor->begin + (uintptr_t)__builtin_ctzl(bits) * cursor->size;
}

#endif
