/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap: the slabs of one stream, and what a thread has of its streams.
 *
 * What it is: which slabs there are and which have room, how they are made, and given back. What it is
 * not: the choice of a slab for the next object; slabs.c makes it.
 *
 * Tables lie in memory of their own, which need not be equal in equal workers.
 * Synchronization: the caller's lock, as in slabs.h.
 */
#ifndef KSP_HEAP_H
#define KSP_HEAP_H

#include "slabs.h"

#define KSP_GRAIN (1u << KSP_GRAIN_SHIFT)

/* Sets of slabs of a heap, one for each class, and these. */
enum {
	EMPTY = KSP_CLASSES,	/* hold nothing, of any class */
	DIRTY,			/* of these that were written to since they were mapped or given back */
	SETS,
};

/* The slabs of one stream. */
struct ksp_heap {
	struct ksp_thread *thread;
	struct ksp_heap *next;	 /* of the same thread, of a higher stream */
	uint64_t *sets[SETS];	 /* a bit for each slab; of a class: may have room */
	uint32_t lowest[SETS];	 /* the words of a set below this are 0 */
	char **chunks;
	uint32_t stream;
	uint32_t slabs;		 /* that were mapped */
	uint32_t room;		 /* slabs that the tables are made for */
	uint32_t in_use;
	uint32_t dirty;
	struct ksp_slab *mixed;	 /* where pieces are cut from */
	uint32_t mixed_rows;	 /* of it that were given away */
	uint8_t pieces[KSP_CLASSES]; /* rows of mixed slabs that each class has */
};

/*
 * What a thread has at a depth of forks: the streams among which its anchors choose. Its cursors take rows of the
 * heap that a class has its slabs from in the stream that the thread is in.
 */
struct ksp_thread {
	struct ksp_cursor at[KSP_CLASSES];
	struct ksp_heap *from[KSP_CLASSES]; /* NULL: not chosen in this stream */
	uint32_t floor[KSP_CLASSES];	 /* slabs of that heap below this are left as they are */
	uint32_t volume[KSP_CLASSES];	 /* KiB that all heaps have for the class */
	uint32_t partial[KSP_CLASSES];	 /* and what is not used of that at most, in slabs that have room */
	struct ksp_heap *first;		 /* of its heaps */
	uint32_t stream;		 /* that it is in; UINT32_MAX: none yet */
	uint32_t home;			 /* that new slabs are of: the last one that was worth following */
	uint32_t anchors;		 /* that it has passed */
};

extern struct ksp_heap *ksp_heaps[KSP_STREAMS] __attribute__((visibility("hidden")));

void ksp_heap_start(const struct ksp_source *source);

/* The heap of a stream, and the thread that the stream is of, made if need be. NULL without memory. */
struct ksp_heap *ksp_heap_of(unsigned int stream);
struct ksp_thread *ksp_heap_thread(unsigned int stream);

/* The lowest slab of a set from this one on; UINT32_MAX if there is none. */
uint32_t ksp_heap_first_from(struct ksp_heap *heap, unsigned int set, uint32_t index);
struct ksp_slab *ksp_heap_slab_at(const struct ksp_heap *heap, uint32_t index);

/* The slab has room for the class, or has none any more. */
void ksp_heap_put_roomy(struct ksp_heap *heap, unsigned int class, const struct ksp_slab *slab);
void ksp_heap_take_roomy(struct ksp_heap *heap, unsigned int class, const struct ksp_slab *slab);

/* A slab with room for the class that had none. NULL without memory. */
struct ksp_slab *ksp_heap_add_slab(struct ksp_heap *heap, unsigned int class);

/* The slab, which is one class's, holds nothing any more. */
void ksp_heap_release(struct ksp_heap *heap, struct ksp_slab *slab);

#endif
