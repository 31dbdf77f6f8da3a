/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slabs: an allocator of small objects whose memory is equal in equal workers.
 *
 * What it is: slabs of 16 KiB with objects of one size class each, a heap of slabs for each stream
 * (ksmalloc/stream.h), and the rule which place a new object gets. It knows nothing of Python.
 * What it is not: safe for several threads at once: the caller has a lock that all allocate and free
 * under (Python's interpreter lock). Only `current` is the thread's own.
 *
 * The rule: after an anchor that is worth following all classes go on in new slabs of the stream that it has chosen, at once
 * or when ksp_go_on() is called; from then on in the lowest slab of these with room, and there in the lowest row with
 * room. What is left half full has its turn where it is too much of all memory. A row's free places, 64 at most, are
 * taken all at once by the heap's cursor of the class, and go from there to objects, the lowest first; those of the row
 * that are freed meanwhile come back to the cursor. So places depend on which objects live, and not on the order in
 * which others were freed: workers that differed for a while and then hold the same objects again go on equal after a
 * row. At an anchor what a cursor has left goes back to its slab.
 * Where a slab lies follows from its stream, its class, and how many of this class were needed before (heap.h): objects
 * of one class move none of another one.
 * In the child of a fork the stream is another one than the parent's was, and slabs that were
 * inherited half full stay as they are.
 *
 * What is in a slab: a header with a bit for each place, and objects. The header follows
 * from the slab's own content: nothing in it points to another slab. A free object is
 * not written to. Which slabs have room is kept in tables elsewhere.
 *
 * A class's first objects in a stream lie in pieces of 256 bytes and more of slabs that classes share (mixed
 * slabs, pieces.h), since there are many streams with few objects each.
 *
 * Failure: NULL where the stream has no memory, and for sizes beyond KSP_LARGEST; the caller has
 * another allocator for those.
 */
#ifndef KSP_SLABS_H
#define KSP_SLABS_H

#include "../source.h"

#include "base.h"

#define KSP_STREAMS	1024u	/* ksmalloc/stream.h */
#define KSP_SLAB_SHIFT	14
#define KSP_SLAB	(UINT64_C(1) << KSP_SLAB_SHIFT)
#define KSP_GRAIN_SHIFT 4	/* a grain: sizes are multiples of it */
#define KSP_GRAIN	(1u << KSP_GRAIN_SHIFT)
#define KSP_ROWS	16u	/* of 64 places each, a word of the header; at most, in a slab of one class */
#define KSP_MIXED_ROWS	64u /* in a mixed slab: of 256 bytes each, that is 64 places of 4 bytes */
#define KSP_MIXED_UNIT	4u

#define KSP_FINE	512u	/* up to here a class is 16 bytes wider than the one before */
#define KSP_FINE_CLASSES 32u
/* Larger ones are as large as 29, 26, 23, 20, 18, 16, 14, 13, 12, 11, 10, 9 and 8 in a slab can be. */
#define KSP_LARGE_CLASSES 13u
#define KSP_LARGEST	2032u
#define KSP_CLASSES	(KSP_FINE_CLASSES + KSP_LARGE_CLASSES)

/*
 * The begin of a slab. Places are a unit apart, which is the class's size, and 4 bytes in a mixed slab; a
 * place's number is how many whole units lie before it in the slab. Row by row there is a bit for each free
 * place. A slab of one class has as many rows as it needs, and its first place lies behind those; a
 * mixed slab gives each row, which is 256 bytes, to a class. Synchronization: the caller's lock, as all of this.
 */
struct ksp_slab {
	uint16_t rows;		/* those that have free places, in a slab of one class */
	uint16_t used;		/* places that are not free, those that a cursor has included */
	uint16_t inverse;	/* 65536 / unit, rounded up */
	uint8_t class;		/* of a slab of one class */
	uint8_t first;		/* where place 0 is or would be, in grains; less than a unit */
	uint32_t number;	/* among what its class has in its stream; of a mixed slab among these */
	uint16_t stream;
	bool is_mixed;
	uint64_t free[KSP_MIXED_ROWS];
};

/* Where a class's next object comes from: what is left of a row that was taken. */
struct ksp_cursor {
	uint64_t bits;	/* the places, as in the slab's header, where they are not free any more */
	char *begin;	/* where the place of the lowest bit is, or would be */
	uint64_t unit;
	const uint64_t *row; /* of the slab's header */
};

struct ksp_heap;

/* What the heap takes its memory from, and whom it tells. */
struct ksp_source {
	struct ksh_source memory;
	/*
	 * The calling thread's stream was another one before, and is now that of an anchor of this rank: one of so many
	 * has a multiple of the number. True if ksp_go_on() will be called soon; may be NULL.
	 */
	bool (*moved)(uint32_t rank);
	void (*added)(size_t size, uint32_t number); /* a slab or piece of places of this size; may be NULL */
};

/*
 * The cursors of the calling thread's heap; ksp_nowhere, which have nothing, from a change of its stream
 * until the next allocation. Initial-exec, as ksp_moved() must not allocate.
 */
extern __thread struct ksp_cursor *ksp_current
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Where objects lie. Synchronization: written once, before the first allocation. */
extern struct ksp_range {
	uintptr_t begin;
	uintptr_t bytes;
} ksp_range __attribute__((visibility("hidden")));

/* Whose the rows of mixed slabs are (pieces.h). */
extern uint8_t ksp_mixed_classes[][KSP_MIXED_ROWS] __attribute__((visibility("hidden")));

/* To be called once before all others. */
void ksp_start(const struct ksp_source *source);

/* To be called in a thread whose stream has changed; also in a signal handler, and after fork. */
void ksp_moved(void);

/*
 * Has the calling thread's next objects come from new slabs of the stream that its last anchor leads to, of those that
 * were worth following or of all. False if there was none.
 */
bool ksp_go_on(bool always);

/* Another number than before, in the calling thread, if it has been given a place since, and not if it has not. */
uint64_t ksp_mark(void);

__attribute__((noinline)) void *ksp_alloc_slowly(unsigned int class);

/* Frees a place, whose bit is given, of a row that has no free one and is not at hand in the calling thread. */
__attribute__((noinline)) void ksp_free_slowly(struct ksp_slab *slab, uint64_t row, uint64_t bit);
KSM_COLD void ksp_got_empty(struct ksp_slab *slab);

/* The size of places of the class. */
size_t ksp_class_size(unsigned int class);

/* What there is, for tests and benchmarks. */
struct ksp_counts {
	size_t heaps;
	size_t slabs;	/* that have objects, or had some and are still as they were */
	size_t dirty;	/* of those without objects that were not given back */
};

void ksp_count(struct ksp_counts *counts);

/* The classes of sizes above KSP_FINE, in grains above it. Written once, by ksp_start(). */
extern uint8_t ksp_large_classes[] __attribute__((visibility("hidden")));

/* size is 1 to KSP_LARGEST. */
KSM_INLINE unsigned int ksp_class(size_t size)
{
	size_t grains = (size - 1) >> KSP_GRAIN_SHIFT;

	return grains < KSP_FINE_CLASSES ? (unsigned int)grains : ksp_large_classes[grains - KSP_FINE_CLASSES];
}

KSM_INLINE bool ksp_holds(const void *p)
{
	return (uintptr_t)p - ksp_range.begin < ksp_range.bytes;
}

KSM_INLINE struct ksp_slab *ksp_slab_of(const void *p)
{
	return (struct ksp_slab *)((uintptr_t)p & ~(KSP_SLAB - 1));
}

/* size is 1 to KSP_FINE. NULL where ksp_alloc_slowly() is to be called. */
KSM_INLINE void *ksp_try_alloc(size_t size)
{
	struct ksp_cursor *cursor = &ksp_current[(size - 1) >> KSP_GRAIN_SHIFT];
	uint64_t bits = cursor->bits;
	char *place;

	if (ksm_unlikely(!bits))
		return NULL;
	cursor->bits = bits & (bits - 1);
	place = cursor->begin + (uintptr_t)__builtin_ctzl(bits) * cursor->unit;
	/* The compiler does not know it, and would have callers look once more. */
	if (!place)
		__builtin_unreachable();
	return place;
}

/* The number of a place in its slab. */
KSM_INLINE uint64_t ksp_number(const struct ksp_slab *slab, const void *p)
{
	return ((uintptr_t)p & (KSP_SLAB - 1)) * slab->inverse >> 16;
}

/* The class that a row of a slab has. */
KSM_INLINE unsigned int ksp_class_of_row(const struct ksp_slab *slab, uint64_t row)
{
	return ksm_likely(!slab->is_mixed) ? slab->class : ksp_mixed_classes[slab->number][row];
}

/* A place comes back whose row has no free one: to who has the row at hand, or to the row. */
KSM_INLINE void ksp_free_of_taken(struct ksp_slab *slab, uint64_t number)
{
	uint64_t row = number / 64;
	uint64_t bit = UINT64_C(1) << number % 64;
	struct ksp_cursor *cursor = &ksp_current[ksp_class_of_row(slab, row)];

	if (ksm_likely(cursor->row == &slab->free[row]))
		cursor->bits |= bit;
	else
		ksp_free_slowly(slab, row, bit);
}

/* p is held. */
KSM_INLINE void ksp_free(void *p)
{
	struct ksp_slab *slab = ksp_slab_of(p);
	uint64_t number = ksp_number(slab, p);
	uint64_t row = number / 64;
	uint64_t before = slab->free[row];

	if (ksm_unlikely(!before)) {
		/* Else the compiler makes the bit for both, before it is known which, instead of setting it in one instruction. */
		__asm__("" : "+r"(number));
		ksp_free_of_taken(slab, number);
		return;
	}
	slab->free[row] = before | UINT64_C(1) << number % 64;
	if (ksm_unlikely(--slab->used == 0))
		ksp_got_empty(slab);
}

/* The class of p, which is held. */
KSM_INLINE unsigned int ksp_class_of(const void *p)
{
	const struct ksp_slab *slab = ksp_slab_of(p);

	return ksp_class_of_row(slab, ksp_number(slab, p) / 64);
}

/* The bytes that p, which is held, has room for. */
KSM_INLINE size_t ksp_size(const void *p)
{
	return ksp_class_size(ksp_class_of(p));
}

#endif
