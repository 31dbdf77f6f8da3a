/* SPDX-License-Identifier: BSD-2-Clause */
#include "heap.h"

#include <string.h>

#define CHUNK_SLABS	16u	/* are mapped at once */
#define CHUNK_BYTES	(CHUNK_SLABS * KSP_SLAB)
#define FIRST_ROOM	64u	/* slabs that the tables of a heap are made for at first */
#define TABLE_BYTES	(64 * KSM_KIB)

/* A class has a slab of its own after so many rows of mixed ones: before, it would leave most of a page unused. */
#define PIECE_ROWS	4u

/* Freed slabs that are kept as they are: these, and a part of those in use. */
#define KEPT_SLABS	64u
#define KEPT_PART	8u

static_assert(sizeof(struct ksp_slab) <= 512, "the header leaves room in its row of a mixed slab");

struct ksp_heap *ksp_heaps[KSP_STREAMS];

static struct ksp_source source;
static struct ksp_thread *threads[KSP_STREAMS]; /* by the first of their streams */
/* The header of a new slab of a class, but for its stream and index; no rows: not made yet. */
static struct ksp_slab patterns[KSP_CLASSES];
static char *table_next;
static char *table_end;

void ksp_heap_start(const struct ksp_source *from)
{
	source = *from;
}

/* --- tables -------------------------------------------------------------------------------- */

/* Zeros; NULL without memory. */
static void *table(size_t bytes)
{
	char *result = table_next;

	bytes = ksm_align_up(bytes, 16);
	if (bytes > TABLE_BYTES / 4)
		return source.map_table(ksm_align_up(bytes, 4 * KSM_KIB));
	if (bytes > (size_t)(table_end - table_next)) {
		result = source.map_table(TABLE_BYTES);
		if (!result)
			return NULL;
		table_end = result + TABLE_BYTES;
	}
	table_next = result + bytes;
	return result;
}

/* What the tables were before is not used again: all of them together are no more than the last. */
static bool make_room(struct ksp_heap *heap)
{
	uint32_t room = heap->room ? 2 * heap->room : FIRST_ROOM;
	uint64_t *sets = table(SETS * (room / 64) * sizeof(*sets));
	char **chunks = table(room / CHUNK_SLABS * sizeof(*chunks));

	if (!sets || !chunks)
		return false;
	for (unsigned int i = 0; i < SETS; i++) {
		if (heap->room)
			memcpy(sets, heap->sets[i], heap->room / 8);
		heap->sets[i] = sets;
		sets += room / 64;
	}
	if (heap->room)
		memcpy(chunks, heap->chunks, heap->room / CHUNK_SLABS * sizeof(*chunks));
	heap->chunks = chunks;
	heap->room = room;
	return true;
}

struct ksp_thread *ksp_heap_thread(unsigned int stream)
{
	unsigned int first = source.among(stream, 1);
	struct ksp_thread *thread = threads[first];

	if (thread)
		return thread;
	thread = table(sizeof(*thread));
	if (!thread)
		return NULL;
	thread->stream = UINT32_MAX;
	threads[first] = thread;
	return thread;
}

static struct ksp_heap *make_heap(unsigned int stream)
{
	struct ksp_thread *thread = ksp_heap_thread(stream);
	struct ksp_heap *heap = thread ? table(sizeof(*heap)) : NULL;
	struct ksp_heap **link;

	if (!heap || !make_room(heap))
		return NULL;
	heap->thread = thread;
	heap->stream = stream;
	ksp_heaps[stream] = heap;
	for (link = &thread->first; *link && (*link)->stream < stream; link = &(*link)->next)
		;
	heap->next = *link;
	*link = heap;
	return heap;
}

struct ksp_heap *ksp_heap_of(unsigned int stream)
{
	return ksp_heaps[stream] ? ksp_heaps[stream] : make_heap(stream);
}

/* --- sets of slabs --------------------------------------------------------------------------- */

static void put(struct ksp_heap *heap, unsigned int set, uint32_t index)
{
	heap->sets[set][index / 64] |= UINT64_C(1) << index % 64;
	if (index / 64 < heap->lowest[set])
		heap->lowest[set] = index / 64;
}

static void take(struct ksp_heap *heap, unsigned int set, uint32_t index)
{
	heap->sets[set][index / 64] &= ~(UINT64_C(1) << index % 64);
}

static bool has(const struct ksp_heap *heap, unsigned int set, uint32_t index)
{
	return heap->sets[set][index / 64] >> index % 64 & 1;
}

/*
 * What a slab that has room for a class is taken to leave unused: a half of it, if it is the class's alone.
 */
static uint32_t unused_kib(const struct ksp_slab *slab)
{
	return slab->together ? 8 : 1;
}

void ksp_heap_put_roomy(struct ksp_heap *heap, unsigned int class, const struct ksp_slab *slab)
{
	if (has(heap, class, slab->index))
		return;
	put(heap, class, slab->index);
	heap->thread->partial[class] += unused_kib(slab);
}

void ksp_heap_take_roomy(struct ksp_heap *heap, unsigned int class, const struct ksp_slab *slab)
{
	if (!has(heap, class, slab->index))
		return;
	take(heap, class, slab->index);
	heap->thread->partial[class] -= unused_kib(slab);
}

uint32_t ksp_heap_first_from(struct ksp_heap *heap, unsigned int set, uint32_t index)
{
	const uint64_t *words = heap->sets[set];
	uint32_t count = (heap->slabs + 63) / 64;
	uint32_t begin = index / 64;
	uint32_t word = begin > heap->lowest[set] ? begin : heap->lowest[set];
	uint64_t bits = word < count ? words[word] : 0;

	if (word == begin)
		bits &= UINT64_MAX << index % 64;
	while (!bits && ++word < count)
		bits = words[word];
	if (!bits)
		return UINT32_MAX;
	if (index == 0)
		heap->lowest[set] = word;
	return 64 * word + (uint32_t)__builtin_ctzl(bits);
}

/* The lowest of a set; UINT32_MAX if it is empty. */
static uint32_t first_of(struct ksp_heap *heap, unsigned int set)
{
	return ksp_heap_first_from(heap, set, 0);
}

struct ksp_slab *ksp_heap_slab_at(const struct ksp_heap *heap, uint32_t index)
{
	return (struct ksp_slab *)(heap->chunks[index / CHUNK_SLABS] +
				   (size_t)(index % CHUNK_SLABS) * KSP_SLAB);
}

/* --- slabs --------------------------------------------------------------------------------- */

static bool map_chunk(struct ksp_heap *heap)
{
	char *chunk;

	if (heap->slabs == heap->room && !make_room(heap))
		return false;
	chunk = source.map(heap->stream, CHUNK_BYTES);
	if (!chunk)
		return false;
	heap->chunks[heap->slabs / CHUNK_SLABS] = chunk;
	heap->slabs += CHUNK_SLABS;
	for (uint32_t i = 1; i <= CHUNK_SLABS; i++)
		put(heap, EMPTY, heap->slabs - i);
	return true;
}

/* A slab whose header is still to be written; its index is. NULL without memory. */
static struct ksp_slab *take_empty(struct ksp_heap *heap, const struct ksp_slab *pattern, size_t bytes)
{
	uint32_t index = first_of(heap, EMPTY);
	struct ksp_slab *slab;

	if (index == UINT32_MAX) {
		if (!map_chunk(heap))
			return NULL;
		index = first_of(heap, EMPTY);
	}
	take(heap, EMPTY, index);
	if (has(heap, DIRTY, index)) {
		take(heap, DIRTY, index);
		heap->dirty--;
	}
	heap->in_use++;
	slab = ksp_heap_slab_at(heap, index);
	memcpy(slab, pattern, bytes);
	slab->stream = (uint16_t)heap->stream;
	slab->index = index;
	return slab;
}

/* Makes the numbers from begin on, step apart, free, of which as many as there are before end. */
static void make_places(struct ksp_slab *slab, uint32_t begin, uint32_t step, uint32_t end)
{
	for (uint32_t number = begin; number + step <= end; number += step) {
		slab->free[number / 64] |= UINT64_C(1) << number % 64;
		slab->rows |= (uint16_t)(1u << number / 64);
	}
}

static uint32_t rows_needed(size_t size)
{
	return (uint32_t)(KSP_SLAB / size + 63) / 64;
}

/* Where the first place is: behind the header, in a place that is all the header's or in none. */
static size_t first_place(size_t size)
{
	size_t header = ksm_align_up(offsetof(struct ksp_slab, free) + 8 * rows_needed(size), KSP_GRAIN);

	/* A number is found by a product that is exact if less than 3/4 of a unit lie before the places. */
	return 4 * header < 3 * size ? header : (header + size - 1) / size * size;
}

static void make_pattern(struct ksp_slab *pattern, unsigned int class)
{
	size_t size = ksp_class_size(class);
	size_t first = first_place(size);
	uint32_t number = (uint32_t)(first / size);

	pattern->together = KSP_ALL_ROWS;
	pattern->class = (uint8_t)class;
	pattern->first = (uint8_t)(first % size / KSP_GRAIN);
	pattern->inverse = (uint16_t)((65536 + size - 1) / size);
	make_places(pattern, number, 1, number + (uint32_t)((KSP_SLAB - first) / size));
}

/* Of the header only the rows that the class needs are there; places lie behind. */
static struct ksp_slab *make_slab(struct ksp_heap *heap, unsigned int class)
{
	struct ksp_slab *pattern = &patterns[class];

	if (!pattern->rows)
		make_pattern(pattern, class);
	return take_empty(heap, pattern, offsetof(struct ksp_slab, free) +
						 8 * rows_needed(ksp_class_size(class)));
}

static struct ksp_slab *make_mixed(struct ksp_heap *heap)
{
	struct ksp_slab pattern = { .inverse = 65536 / KSP_GRAIN };

	/* Rows that were not given away belong to no class. */
	memset(pattern.classes, UINT8_MAX, sizeof(pattern.classes));
	return take_empty(heap, &pattern, sizeof(pattern));
}

/*
 * A slab that a piece for the class was cut from; NULL without memory. The first row of a mixed slab holds
 * its header, and the piece that fits the rest of it.
 */
static struct ksp_slab *make_piece(struct ksp_heap *heap, unsigned int class)
{
	size_t size = ksp_class_size(class);
	uint32_t rows = size <= 256 ? 1 : 2;
	uint32_t row;

	if (!heap->mixed || heap->mixed_rows + rows > KSP_ROWS) {
		struct ksp_slab *slab = make_mixed(heap);

		if (!slab)
			return NULL;
		heap->mixed = slab;
		heap->mixed_rows = 0;
	}
	row = heap->mixed_rows;
	heap->mixed_rows += rows;
	heap->pieces[class] = (uint8_t)(heap->pieces[class] + rows);
	heap->thread->volume[class] += rows;
	memset(heap->mixed->classes + row, (int)class, rows);
	make_places(heap->mixed, row ? row * 64 : (sizeof(struct ksp_slab) + KSP_GRAIN - 1) / KSP_GRAIN,
		    (uint32_t)size / KSP_GRAIN, (row + rows) * 64);
	return heap->mixed;
}

/* --- giving back ----------------------------------------------------------------------------- */

/*
 * Gives back the upper half of what is dirty: new slabs come from below. Neighbours
 * go in one call.
 */
static void give_back(struct ksp_heap *heap)
{
	uint32_t wanted = heap->dirty / 2;
	char *begin = NULL;
	size_t bytes = 0;

	for (uint32_t index = heap->slabs; wanted > 0 && index-- > 0;) {
		char *slab;

		if (!has(heap, DIRTY, index))
			continue;
		slab = (char *)ksp_heap_slab_at(heap, index);
		if (slab + KSP_SLAB != begin && bytes) {
			source.give_back(begin, bytes);
			bytes = 0;
		}
		begin = slab;
		bytes += KSP_SLAB;
		take(heap, DIRTY, index);
		heap->dirty--;
		wanted--;
	}
	if (bytes)
		source.give_back(begin, bytes);
}

void ksp_heap_release(struct ksp_heap *heap, struct ksp_slab *slab)
{
	ksp_heap_take_roomy(heap, slab->class, slab);
	heap->thread->volume[slab->class] -= KSP_SLAB / KSM_KIB;
	put(heap, EMPTY, slab->index);
	put(heap, DIRTY, slab->index);
	heap->in_use--;
	if (++heap->dirty > KEPT_SLABS + heap->in_use / KEPT_PART)
		give_back(heap);
}

/* A slab of the heap's with room for the class that has had none. NULL without memory. */
struct ksp_slab *ksp_heap_add_slab(struct ksp_heap *heap, unsigned int class)
{
	struct ksp_slab *slab;

	if (class < KSP_FINE_CLASSES && heap->pieces[class] < PIECE_ROWS) {
		slab = make_piece(heap, class);
	} else {
		slab = make_slab(heap, class);
		if (slab)
			heap->thread->volume[class] += KSP_SLAB / KSM_KIB;
	}
	if (slab)
		ksp_heap_put_roomy(heap, class, slab);
	return slab;
}
