/* SPDX-License-Identifier: BSD-2-Clause */
#include "places.h"

#include "../tables.h"

#include <string.h>

#define STREAMS 1024u	/* ksmalloc/stream.h */
#define HEADER 16u	/* bytes before a slab's first place */
#define FIRST_SLABS 4u	/* are mapped one by one */
#define MOST_MAPPED 32u /* slabs that are mapped at once */

/* A part of its class's slabs that an epoch uses, and the least. */
#define EPOCH_PART 16u
#define EPOCH_LEAST (16 * KSM_KIB)

/* Slabs without objects that are kept as they are: these, and a part of those in use. */
#define KEPT_SLABS 8u
#define KEPT_PART 8u

/* The begin of a slab. */
struct header {
	uint32_t ordinal; /* among the slabs of its class */
	uint16_t class;	  /* and kind: the place in heap.classes */
	uint16_t stream;  /* of the heap */
};

static_assert(sizeof(struct header) <= HEADER, "the header lies before the first place");

/* What is known of a slab. Of its places, row by row: the free ones that the epoch has, and those
 * of the next one. */
struct slab {
	char *begin;
	uint64_t *now;
	uint64_t *later;
	uint32_t inverse; /* 2^32 / size, rounded up */
	uint32_t used;	  /* places that are not free, those that a cursor has included */
	uint32_t rows;
	bool is_blank; /* new, or given back: there is no header */
};

/* The slabs of a kind and class. */
struct class
{
	struct slab **slabs; /* in the order in which they were made */
	uint32_t count;
	uint32_t room;	 /* of the table */
	uint32_t mapped; /* slabs that there is memory for at next */
	char *next;
	uint32_t at; /* the epoch has nothing more below this slab, and this row of it */
	uint32_t row;
	uint32_t left;	/* objects of the epoch */
	uint32_t waiting; /* places that were freed since it began */
	uint32_t blank; /* slabs */
	uint32_t empty; /* slabs without objects that are not blank */
};

/* What the thread has at one depth of forks. */
struct heap {
	struct ksl_cursor cursors[KSL_KINDS][KSL_CLASSES];
	struct class classes[KSL_KINDS * KSL_CLASSES];
	unsigned int stream; /* the first of the depth's */
};

/* Never written to. */
static struct ksl_cursor nowhere[KSL_KINDS][KSL_CLASSES];

__thread struct ksl_cursor (*ksl_current)[KSL_CLASSES] = nowhere;
struct ksl_range ksl_range;

static __thread char self __attribute__((tls_model("initial-exec")));
static const char
	*owner; /* the thread that has called ksl_start(); it has the same address in a child */
static struct ksh_source source;
static struct heap *heaps[STREAMS]; /* by their stream */
static struct ksh_tables tables;

void ksl_start(const struct ksh_source *from)
{
	source = *from;
	tables.map = source.map_table;
	ksl_range.begin = from->begin;
	ksl_range.bytes = from->end - from->begin;
	owner = &self;
}

void ksl_moved(void)
{
	ksl_current = nowhere;
}

/* Zeros; NULL without memory. */
static void *table(size_t bytes)
{
	return ksh_table(&tables, bytes);
}

static size_t class_size(unsigned int class)
{
	unsigned int above = class - KSL_FINE_CLASSES;

	return class < KSL_FINE_CLASSES ? (class + 1) << 4
	       : above < 4		? KSL_FINE + ((above + 1) << 7)
					: 2 * KSL_FINE + ((above - 3) << 8);
}

/* --- slabs ----------------------------------------------------------------------------------- */

static void write_header(const struct heap *heap, const struct class *class, uint32_t ordinal)
{
	struct header *header = (struct header *)class->slabs[ordinal]->begin;

	header->ordinal = ordinal;
	header->class = (uint16_t)(class - heap->classes);
	header->stream = (uint16_t)heap->stream;
}

/* What the table was before is not used again: all of them together are no more than the last. */
static bool make_room(struct class *class)
{
	uint32_t room = class->room ? 2 * class->room : 8;
	struct slab **slabs = table(room * sizeof(struct slab *));

	if (!slabs)
		return false;
	if (class->count)
		memcpy(slabs, class->slabs, class->count * sizeof(struct slab *));
	class->slabs = slabs;
	class->room = room;
	return true;
}

/*
 * Memory for the next slabs. Each class has a stream of its own: where two classes grow at the same time the
 * one that does so first would decide where the other lies.
 */
static bool map_slabs(const struct heap *heap, struct class *class)
{
	unsigned int stream = heap->stream + 1 + (unsigned int)(class - heap->classes);
	uint32_t slabs = class->count < FIRST_SLABS ? 1 : (uint32_t)ksm_min(class->count, MOST_MAPPED);

	if (stream >= STREAMS || source.among(stream, 1) != heap->stream)
		stream = heap->stream;
	class->next = source.map(stream, slabs * KSL_SLAB);
	if (!class->next)
		return false;
	class->mapped = slabs;
	return true;
}

/* False without memory, and then nothing of the tables is taken: Lua asks again and again. */
static bool add_slab(struct heap *heap, struct class *class, size_t size)
{
	uint32_t places = (uint32_t)((KSL_SLAB - HEADER) / size);
	uint32_t rows = (places + 63) / 64;
	struct slab *slab;

	if (class->count == class->room && !make_room(class))
		return false;
	if (!class->mapped && !map_slabs(heap, class))
		return false;
	slab = table(sizeof(*slab) + 2 * rows * sizeof(uint64_t));
	if (!slab)
		return false;
	slab->begin = class->next;
	class->next += KSL_SLAB;
	class->mapped--;
	slab->now = (uint64_t *)(slab + 1);
	slab->later = slab->now + rows;
	slab->rows = rows;
	slab->inverse = (uint32_t)(((UINT64_C(1) << 32) + size - 1) / size);
	slab->is_blank = true;
	memset(slab->now, 0xff, rows * sizeof(uint64_t));
	if (places % 64)
		slab->now[rows - 1] = (UINT64_C(1) << places % 64) - 1;
	class->slabs[class->count++] = slab;
	class->blank++;
	if (source.taken)
		source.taken(slab->begin, KSL_SLAB);
	return true;
}

/* Gives back the upper half of the slabs without objects: new objects come from below. */
static void give_back(struct class *class)
{
	uint32_t wanted = class->empty / 2;

	for (uint32_t i = class->count; i-- > 0 && class->empty > wanted;) {
		struct slab *slab = class->slabs[i];

		if (slab->is_blank || slab->used)
			continue;
		source.give_back(slab->begin, KSL_SLAB);
		slab->is_blank = true;
		class->blank++;
		class->empty--;
	}
}

/* The last object of a slab was freed. */
KSM_COLD static void got_empty(struct class *class)
{
	uint32_t in_use = class->count - class->blank - ++class->empty;

	if (class->empty > KEPT_SLABS + in_use / KEPT_PART)
		give_back(class);
}

/* --- epochs ---------------------------------------------------------------------------------- */

static uint32_t epoch_length(const struct class *class, size_t size)
{
	uint64_t part = class->count * KSL_SLAB / EPOCH_PART;
	uint64_t bytes = EPOCH_LEAST;

	while (2 * bytes <= part)
		bytes *= 2;
	return (uint32_t)(bytes / size);
}

static void begin_epoch(struct class *class, size_t size)
{
	for (uint32_t i = 0; i < class->count; i++) {
		struct slab *slab = class->slabs[i];

		for (uint32_t row = 0; row < slab->rows; row++) {
			slab->now[row] |= slab->later[row];
			slab->later[row] = 0;
		}
	}
	class->at = 0;
	class->row = 0;
	class->waiting = 0;
	class->left = epoch_length(class, size);
}

/* The slab with the lowest free place of the epoch, at the class's row. NULL without memory. */
static struct slab *find_row(struct heap *heap, struct class *class, size_t size)
{
	for (;;) {
		struct slab *slab;

		if (class->at == class->count && !add_slab(heap, class, size))
			return NULL;
		slab = class->slabs[class->at];
		while (class->row < slab->rows && !slab->now[class->row])
			class->row++;
		if (class->row < slab->rows)
			return slab;
		class->at++;
		class->row = 0;
	}
}

/*
 * The same; but what was freed does not wait where there is no memory for more. Lua collects its garbage then, and asks
 * once more.
 */
static struct slab *find_row_at_any_rate(struct heap *heap, struct class *class, size_t size)
{
	struct slab *slab = find_row(heap, class, size);

	if (slab || !class->waiting)
		return slab;
	begin_epoch(class, size);
	return find_row(heap, class, size);
}

/* The lowest of these bits, that many at most, which are counted off. */
static uint64_t lowest(uint64_t bits, uint32_t *left, uint32_t *count)
{
	uint64_t rest = bits;

	for (*count = 0; rest && *left > 0; ++*count, --*left)
		rest &= rest - 1;
	return bits ^ rest;
}

/* Gives the cursor a row's places. False without memory. */
static bool take_row(struct heap *heap, struct class *class, struct ksl_cursor *cursor, size_t size)
{
	struct slab *slab;
	uint32_t count;

	if (!class->left)
		begin_epoch(class, size);
	slab = find_row_at_any_rate(heap, class, size);
	if (!slab)
		return false;
	if (slab->is_blank) {
		write_header(heap, class, class->at);
		slab->is_blank = false;
		class->blank--;
	} else if (!slab->used) {
		class->empty--;
	}
	cursor->bits = lowest(slab->now[class->row], &class->left, &count);
	cursor->begin = slab->begin + HEADER + 64 * class->row * size;
	cursor->size = size;
	slab->now[class->row] ^= cursor->bits;
	slab->used += count;
	return true;
}

/* --- calls ----------------------------------------------------------------------------------- */

/* The heap of the depth that the thread is at. NULL without memory. */
static struct heap *enter(void)
{
	unsigned int stream = source.among(source.stream(), 1);
	struct heap *heap = heaps[stream];

	if (!heap) {
		heap = table(sizeof(*heap));
		if (!heap)
			return NULL;
		heap->stream = stream;
		heaps[stream] = heap;
	}
	ksl_current = heap->cursors;
	return heap;
}

void *ksl_alloc_slowly(enum ksl_kind kind, unsigned int class)
{
	/* A heap begins with its cursors. The thread may be moved at any time, by a signal handler.
	 */
	struct heap *heap = (struct heap *)ksl_current;
	struct ksl_cursor *cursor;
	uint64_t bits;

	if (owner != &self)
		return NULL;
	if (heap->cursors == nowhere) {
		heap = enter();
		if (!heap)
			return NULL;
	}
	cursor = &heap->cursors[kind][class];
	if (!cursor->bits &&
	    !take_row(heap, &heap->classes[kind * KSL_CLASSES + class], cursor, class_size(class)))
		return NULL;
	bits = cursor->bits;
	cursor->bits = bits & (bits - 1);
	return cursor->begin + (uintptr_t)__builtin_ctzl(bits) * cursor->size;
}

KSM_INLINE const struct header *header_of(const void *p)
{
	return (const struct header *)((uintptr_t)p & ~(KSL_SLAB - 1));
}

void ksl_free(void *p)
{
	const struct header *header = header_of(p);
	struct class *class;
	struct slab *slab;
	uint64_t number;

	if (ksm_unlikely(owner != &self))
		return;
	class = &heaps[header->stream]->classes[header->class];
	slab = class->slabs[header->ordinal];
	number = (((uintptr_t)p & (KSL_SLAB - 1)) - HEADER) * slab->inverse >> 32;
	slab->later[number / 64] |= UINT64_C(1) << number % 64;
	class->waiting++;
	if (ksm_unlikely(--slab->used == 0))
		got_empty(class);
}

size_t ksl_size(const void *p)
{
	return class_size(header_of(p)->class % KSL_CLASSES);
}
