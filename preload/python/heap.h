/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap: the slabs of one stream, and what a thread has of its streams.
 *
 * What it is: which slabs there are and which have room, how they are made, and given back. What it is
 * not: the choice of a slab for the next object; slabs.c makes it.
 *
 * What a class has in a stream is its *lane*: its pieces of mixed slabs (pieces.h), and then slabs of its own. They are
 * numbered, the address follows from stream, class and number, and a slab never becomes another class's. So it does not
 * matter which of two classes was first to need one: an object more in one class moves nothing in others.
 *
 * Addresses: a lane's first slab lies beside the first one of all other classes, the next 2 beside the next 2 of others,
 * then 4, 8, and so on, so that the page tables of a lane are about as full as the lane is. All that lanes have of one
 * length is mapped at once; what is not touched takes no memory. Behind the longest are chunks in the order of demand,
 * which are so long that the order of few of them can differ.
 *
 * Tables lie in memory of their own, which need not be equal in equal workers.
 * Synchronization: the caller's lock, as in slabs.h.
 */
#ifndef KSP_HEAP_H
#define KSP_HEAP_H

#include "slabs.h"

#define KSP_LEVELS 6u /* lengths of stretches of lanes: 1 to 32 slabs */
#define KSP_NONE   UINT32_MAX

/* What is there is counted in rows of a mixed slab. */
#define ROWS_IN_KIB 4u

/* Sets of a lane's numbers. */
enum {
	ROOMY, /* may have room */
	EMPTY, /* slabs that hold nothing */
	DIRTY, /* empty ones that were written to since they were mapped or given back */
	SETS,
};

/* What one class has in a heap. */
struct ksp_lane {
	uint64_t *sets[SETS];	/* a bit for each number */
	uint32_t lowest[SETS];	/* the words of a set below this are 0 */
	uint32_t count;		/* numbers that were used */
	uint32_t room;		/* numbers that the sets are made for */
	char **chunks;
	uint32_t chunk_count;
	uint32_t chunk_room;
	uint64_t words[SETS];	/* the sets as long as they are short */
};

/* The slabs of one stream. */
struct ksp_heap {
	struct ksp_thread *thread;
	struct ksp_heap *next;	 /* of the same thread, of a higher stream */
	struct ksp_lane *lanes[KSP_CLASSES]; /* NULL: the class has nothing here */
	char *mixed;		 /* NULL: not mapped */
	char *levels[KSP_LEVELS];
	uint32_t mixed_made;	 /* a bit for each mixed slab that has a header */
	uint32_t stream;
	uint32_t in_use;
	uint32_t dirty;
	uint32_t regrets;	/* slabs that were needed again after they had been given back; since the last anchor */
};

/*
 * What a thread has at a depth of forks: the streams among which its anchors choose. Its cursors take rows of the
 * heap that a class has its slabs from in the stream that the thread is in.
 */
struct ksp_thread {
	struct ksp_cursor at[KSP_CLASSES];
	struct ksp_heap *from[KSP_CLASSES]; /* NULL: not chosen in this stream */
	uint32_t floor[KSP_CLASSES];	 /* numbers of that lane below this are left as they are */
	uint32_t volume[KSP_CLASSES];	 /* rows that all heaps have for the class */
	uint32_t partial[KSP_CLASSES];	 /* and what is not used of that at most, where there is room */
	struct ksp_heap *first;		 /* of its heaps */
	uint32_t stream;		 /* that it is in; UINT32_MAX: none yet */
	uint32_t next;			 /* to be home soon; KSP_NONE: no other is */
	uint32_t home;			 /* that new slabs are of: the last one that was worth following */
	uint32_t anchors;		 /* that it has passed */
	uint32_t data_anchors;		 /* those among them that are no code's */
};

extern struct ksp_heap *ksp_heaps[KSP_STREAMS] __attribute__((visibility("hidden")));

void ksp_heap_start(const struct ksp_source *source);

/* The heap of a stream, and the thread that the stream is of, made if need be. NULL without memory. */
struct ksp_heap *ksp_heap_of(unsigned int stream);
struct ksp_thread *ksp_heap_thread(unsigned int stream);

/* The lowest number of the class in a set from this one on; KSP_NONE if there is none. */
uint32_t ksp_heap_first_from(struct ksp_heap *heap, unsigned int class, unsigned int set, uint32_t number);
struct ksp_slab *ksp_heap_slab_at(const struct ksp_heap *heap, unsigned int class, uint32_t number);

/* The lowest row with room of what is the class's in a slab; KSP_NONE if there is none. */
uint32_t ksp_heap_first_row(const struct ksp_slab *slab, unsigned int class);

/* What is the class's in the slab has room, or has none any more. */
void ksp_heap_put_roomy(struct ksp_heap *heap, unsigned int class, const struct ksp_slab *slab);
void ksp_heap_take_roomy(struct ksp_heap *heap, unsigned int class, const struct ksp_slab *slab);

/* The numbers of places in a slab of the class: from begin on, and less than end. */
struct ksp_places {
	uint32_t begin;
	uint32_t end;
};

struct ksp_places ksp_heap_places(unsigned int class);

/* The number of a slab or piece with room for the class that had none. KSP_NONE without memory. */
uint32_t ksp_heap_add_slab(struct ksp_heap *heap, unsigned int class);

/* The slab, which is one class's, holds nothing any more. */
void ksp_heap_release(struct ksp_heap *heap, struct ksp_slab *slab);

/* Slabs that hold nothing are not kept as they are any longer; places stay as they are. */
void ksp_heap_give_back_empty(struct ksp_heap *heap);

/* New objects come from another heap from now on: nothing that is empty is kept here. */
void ksp_heap_trim(struct ksp_heap *heap);

#endif
