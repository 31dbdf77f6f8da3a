/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap: an allocator of small objects whose memory is equal in equal workers.
 *
 * What it is: slabs of 16 KiB with objects of one size class each, a heap of slabs for each stream
 * (ksmalloc/stream.h), and the rule which place a new object gets. It knows nothing of Python.
 * What it is not: safe for several threads at once: the caller has a lock that all allocate and free
 * under (Python's interpreter lock). Only `current` is the thread's own.
 *
 * The rule: a new object goes to the lowest free place of its class in the calling thread's stream. So the
 * places depend on which objects live, and not on the order in which others were freed: workers
 * that differed for a while, and then hold the same objects again, go on equal. In the child of a
 * fork the stream is another one than the parent's was, and slabs that were inherited half full stay as they are.
 *
 * What is in a slab: a bit for each place in a header at its begin, and objects. The header follows
 * from the slab's own content: nothing in it points to another slab. A free object is
 * not written to. Which slabs have room is kept in tables elsewhere.
 *
 * A class's first objects in a stream lie in a piece of 1 or 2 KiB of a slab that classes share (a mixed
 * slab), since there are many streams with few objects each.
 *
 * Failure: NULL where the stream has no memory, and for sizes beyond KSP_LARGEST; the caller has
 * another allocator for those.
 */
#ifndef KSP_HEAP_H
#define KSP_HEAP_H

#include "base.h"

#define KSP_STREAMS	512u	/* ksmalloc/stream.h */
#define KSP_SLAB_SHIFT	14
#define KSP_SLAB	(UINT64_C(1) << KSP_SLAB_SHIFT)
#define KSP_GRAIN_SHIFT 4	/* places begin at multiples of 16 bytes */
#define KSP_ROWS	16u	/* a row is 64 grains, 1 KiB: one word of the header */
#define KSP_ROW_SHIFT	10
#define KSP_ALL_ROWS	0xffffu

#define KSP_FINE	512u	/* up to here a class is 16 bytes wider than the one before */
#define KSP_FINE_CLASSES 32u
#ifndef KSP_LARGEST
#define KSP_LARGEST	512u
#endif
#define KSP_CLASSES	(KSP_FINE_CLASSES + (KSP_LARGEST > 512 ? 4u : 0) + (KSP_LARGEST > 1024 ? 4u : 0))

/* The begin of a slab. Synchronization: the caller's lock, as all of this. */
struct ksp_slab {
	uint64_t free[KSP_ROWS];	/* a bit for each free place, at the grain where it begins */
	uint16_t rows;			/* the words above that are not 0 */
	uint16_t used;			/* places that are not free */
	uint16_t together;		/* KSP_ALL_ROWS in a slab of one class, 0 in a mixed one */
	uint16_t stream;
	uint32_t index;			/* among the slabs of its stream */
	uint8_t classes[KSP_ROWS];	/* the class of each row */
};

/* Where a class's next object comes from. */
struct ksp_cursor {
	struct ksp_slab *slab;
	uint32_t rows; /* of it that belong to the class */
};

struct ksp_heap;

/* What the heap takes its memory from. */
struct ksp_source {
	unsigned int (*stream)(void);	/* of the calling thread */
	void *(*map)(unsigned int stream, size_t bytes);
	void *(*map_table)(size_t bytes); /* zeros, for what is not to be equal; never given back */
	void (*give_back)(void *pages, size_t bytes); /* they read as zeros then */
	uintptr_t begin;		/* all that map() returns lies in [begin, end) */
	uintptr_t end;
};

/*
 * The cursors of the calling thread's heap; NULL after its stream has changed, until the next
 * allocation. Initial-exec, as ksp_heap_moved() must not allocate.
 */
extern __thread struct ksp_cursor *ksp_current
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Where objects lie. Synchronization: written once, before the first allocation. */
extern struct ksp_range {
	uintptr_t begin;
	uintptr_t bytes;
} ksp_range __attribute__((visibility("hidden")));

/* To be called once before all others. */
void ksp_heap_start(const struct ksp_source *source);

/* To be called in a thread whose stream has changed; also in a signal handler, and after fork. */
void ksp_heap_moved(void);

KSM_COLD void *ksp_heap_alloc_slowly(unsigned int class);
KSM_COLD void ksp_heap_got_room(struct ksp_slab *slab, unsigned int row);
KSM_COLD void ksp_heap_got_empty(struct ksp_slab *slab);

/* The size of places of the class. */
size_t ksp_heap_class_size(unsigned int class);

/* What there is, for tests and benchmarks. */
struct ksp_heap_counts {
	size_t heaps;
	size_t slabs;	/* that have objects, or had some and are still as they were */
	size_t dirty;	/* of those without objects that were not given back */
};

void ksp_heap_count(struct ksp_heap_counts *counts);

/* size is 1 to KSP_LARGEST. */
KSM_INLINE unsigned int ksp_heap_class(size_t size)
{
	if (KSP_LARGEST > KSP_FINE && size > KSP_FINE) {
		/* Four classes a doubling: 640, 768, 896, 1024, 1280 ... */
		unsigned int shift = 61u - (unsigned int)__builtin_clzl(size - 1);

		return KSP_FINE_CLASSES + 4 * (shift - 7) + ((unsigned int)((size - 1) >> shift) - 4);
	}
	return (unsigned int)((size - 1) >> KSP_GRAIN_SHIFT);
}

KSM_INLINE bool ksp_heap_holds(const void *p)
{
	return (uintptr_t)p - ksp_range.begin < ksp_range.bytes;
}

KSM_INLINE struct ksp_slab *ksp_heap_slab_of(const void *p)
{
	return (struct ksp_slab *)((uintptr_t)p & ~(KSP_SLAB - 1));
}

/* The lowest free place that the cursor is at; it has one. */
KSM_INLINE void *ksp_heap_alloc_from(const struct ksp_cursor *cursor)
{
	struct ksp_slab *slab = cursor->slab;
	unsigned int row = (unsigned int)__builtin_ctz(slab->rows & cursor->rows);
	uint64_t bits = slab->free[row];
	uint64_t rest = bits & (bits - 1);

	slab->free[row] = rest;
	if (!rest)
		slab->rows ^= (uint16_t)(1u << row);
	slab->used++;
	return (char *)slab + ((size_t)row << KSP_ROW_SHIFT) +
	       ((size_t)__builtin_ctzl(bits) << KSP_GRAIN_SHIFT);
}

KSM_INLINE void *ksp_heap_alloc(size_t size)
{
	unsigned int class = ksp_heap_class(size);
	const struct ksp_cursor *cursor = ksp_current;

	if (ksm_unlikely(!cursor))
		return ksp_heap_alloc_slowly(class);
	cursor += class;
	if (ksm_unlikely(!(cursor->slab->rows & cursor->rows)))
		return ksp_heap_alloc_slowly(class);
	return ksp_heap_alloc_from(cursor);
}

/* p is held. */
KSM_INLINE void ksp_heap_free(void *p)
{
	struct ksp_slab *slab = ksp_heap_slab_of(p);
	unsigned int grain = (unsigned int)((uintptr_t)p & (KSP_SLAB - 1)) >> KSP_GRAIN_SHIFT;
	unsigned int row = grain / 64;
	unsigned int bit = 1u << row;
	unsigned int before = slab->rows;

	slab->free[row] |= UINT64_C(1) << grain % 64;
	slab->rows = (uint16_t)(before | bit);
	if (ksm_unlikely(!(before & (slab->together | bit))))
		ksp_heap_got_room(slab, row);
	if (ksm_unlikely(--slab->used == 0))
		ksp_heap_got_empty(slab);
}

/* The bytes that p, which is held, has room for. */
KSM_INLINE size_t ksp_heap_size(const void *p)
{
	unsigned int row = (unsigned int)((uintptr_t)p & (KSP_SLAB - 1)) >> KSP_ROW_SHIFT;

	return ksp_heap_class_size(ksp_heap_slab_of(p)->classes[row]);
}

#endif
