/* SPDX-License-Identifier: BSD-2-Clause */
#include "slabs.h"

#include <string.h>

#define CHUNK_SLABS	16u	/* are mapped at once */
#define CHUNK_BYTES	(CHUNK_SLABS * KSP_SLAB)
#define FIRST_ROOM	64u	/* slabs that the tables of a heap are made for at first */
#define TABLE_BYTES	(64 * KSM_KIB)
#define GRAIN		(1u << KSP_GRAIN_SHIFT)

/* A class has a slab of its own after so many rows of mixed ones: before, it would leave most of a page unused. */
#define PIECE_ROWS	4u

/* Freed slabs that are kept as they are: these, and a part of those in use. */
#define KEPT_SLABS	16u
#define KEPT_PART	8u

/* Sets of slabs of a heap, one for each class, and these. */
enum {
	EMPTY = KSP_CLASSES,	/* hold nothing, of any class */
	DIRTY,			/* of these that were written to since they were mapped or given back */
	SETS,
};

struct ksp_heap {
	struct ksp_cursor at[KSP_CLASSES];
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

/* The header of a new slab of a class, but for its stream and index; no rows: not made yet. */

static_assert(sizeof(struct ksp_slab) <= 512, "the header leaves room in its row of a mixed slab");

/* Never written to: there are no bits to take. */
static struct ksp_cursor nowhere[KSP_CLASSES];

__thread struct ksp_cursor *ksp_current = nowhere;
struct ksp_range ksp_range;

static struct ksp_source source;
static struct ksp_heap *heaps[KSP_STREAMS];
static struct ksp_slab patterns[KSP_CLASSES];
static char *table_next;
static char *table_end;

void ksp_start(const struct ksp_source *from)
{
	source = *from;
	ksp_range.begin = from->begin;
	ksp_range.bytes = from->end - from->begin;
}

void ksp_moved(void)
{
	ksp_current = nowhere;
}

bool ksp_has_moved(void)
{
	return ksp_current == nowhere;
}

bool ksp_is_current(const void *p)
{
	return ksp_holds(p) && ksp_slab_of(p)->stream == source.stream();
}

/* As many as possible in what the header of one row leaves of a slab: there is hardly a rest. */
static const uint16_t large_sizes[KSP_LARGE_CLASSES] = { 560,  624,  704,  816,	 896,  1008, 1168,
							  1248, 1360, 1472, 1632, 1808, KSP_LARGEST };

size_t ksp_class_size(unsigned int class)
{
	if (class < KSP_FINE_CLASSES)
		return (class + 1) << KSP_GRAIN_SHIFT;
	return large_sizes[class - KSP_FINE_CLASSES];
}

unsigned int ksp_class(size_t size)
{
	unsigned int low = 0;
	unsigned int high = KSP_LARGE_CLASSES - 1;

	if (size <= KSP_FINE)
		return (unsigned int)((size - 1) >> KSP_GRAIN_SHIFT);
	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (large_sizes[middle] < size)
			low = middle + 1;
		else
			high = middle;
	}
	return KSP_FINE_CLASSES + low;
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

static struct ksp_heap *make_heap(unsigned int stream)
{
	struct ksp_heap *heap = table(sizeof(*heap));

	if (!heap || !make_room(heap))
		return NULL;
	heap->stream = stream;
	heaps[stream] = heap;
	return heap;
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

/* The lowest of a set; UINT32_MAX if it is empty. */
static uint32_t first_of(struct ksp_heap *heap, unsigned int set)
{
	const uint64_t *words = heap->sets[set];
	uint32_t count = (heap->slabs + 63) / 64;
	uint32_t word = heap->lowest[set];

	while (word < count && !words[word])
		word++;
	heap->lowest[set] = word;
	return word < count ? 64 * word + (uint32_t)__builtin_ctzl(words[word]) : UINT32_MAX;
}

static struct ksp_slab *slab_at(const struct ksp_heap *heap, uint32_t index)
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
	slab = slab_at(heap, index);
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
	size_t header = ksm_align_up(offsetof(struct ksp_slab, free) + 8 * rows_needed(size), GRAIN);

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
	pattern->first = (uint8_t)(first % size / GRAIN);
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
	struct ksp_slab pattern = { .inverse = 65536 / GRAIN };

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
	memset(heap->mixed->classes + row, (int)class, rows);
	make_places(heap->mixed, row ? row * 64 : (sizeof(struct ksp_slab) + GRAIN - 1) / GRAIN,
		    (uint32_t)size / GRAIN, (row + rows) * 64);
	return heap->mixed;
}

/* The rows of a slab that belong to the class. */
static uint32_t rows_of(const struct ksp_slab *slab, unsigned int class)
{
	uint32_t rows = 0;

	if (slab->together)
		return KSP_ALL_ROWS;
	for (unsigned int row = 0; row < KSP_ROWS; row++)
		rows |= (uint32_t)(slab->classes[row] == class) << row;
	return rows;
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
		slab = (char *)slab_at(heap, index);
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

static void release(struct ksp_heap *heap, struct ksp_slab *slab)
{
	take(heap, slab->class, slab->index);
	put(heap, EMPTY, slab->index);
	put(heap, DIRTY, slab->index);
	heap->in_use--;
	if (++heap->dirty > KEPT_SLABS + heap->in_use / KEPT_PART)
		give_back(heap);
}

/* --- slow paths ------------------------------------------------------------------------------ */

void ksp_free_slowly(struct ksp_slab *slab, uint32_t row, uint64_t bit)
{
	struct ksp_heap *heap = heaps[slab->stream];
	unsigned int class = slab->together ? slab->class : slab->classes[row];
	struct ksp_cursor *cursor = &heap->at[class];
	uint32_t row_bit = 1u << row;

	if (ksm_likely(cursor->row == &slab->free[row])) {
		cursor->bits |= bit;
		return;
	}
	slab->free[row] = bit;
	if (!(slab->rows & (slab->together | row_bit)))
		put(heap, class, slab->index);
	slab->rows |= (uint16_t)row_bit;
	if (--slab->used == 0)
		ksp_got_empty(slab);
}

/* A mixed slab stays. */
void ksp_got_empty(struct ksp_slab *slab)
{
	if (slab->together)
		release(heaps[slab->stream], slab);
}

/* The lowest slab with room for the class, made if need be. */
static struct ksp_slab *find_slab(struct ksp_heap *heap, unsigned int class)
{
	uint32_t index = first_of(heap, class);
	struct ksp_slab *slab;

	if (index != UINT32_MAX)
		return slab_at(heap, index);
	if (class < KSP_FINE_CLASSES && heap->pieces[class] < PIECE_ROWS)
		slab = make_piece(heap, class);
	else
		slab = make_slab(heap, class);
	if (slab)
		put(heap, class, slab->index);
	return slab;
}

/* How many bits are set, for processors that cannot tell. */
static unsigned int count_bits(uint64_t bits)
{
	bits -= bits >> 1 & 0x5555555555555555;
	bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
	bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (unsigned int)(bits * 0x0101010101010101 >> 56);
}

/* Takes a row's places for the class. False without memory. */
static bool take_row(struct ksp_heap *heap, unsigned int class)
{
	struct ksp_slab *slab = find_slab(heap, class);
	struct ksp_cursor *cursor = &heap->at[class];
	uint32_t rows;
	uint32_t row;

	if (!slab)
		return false;
	rows = slab->rows & rows_of(slab, class);
	row = (uint32_t)__builtin_ctz(rows);
	cursor->bits = slab->free[row];
	cursor->unit = slab->together ? ksp_class_size(class) : GRAIN;
	cursor->begin = (char *)slab + slab->first * GRAIN + 64 * row * cursor->unit;
	cursor->row = &slab->free[row];
	slab->free[row] = 0;
	slab->used = (uint16_t)(slab->used + count_bits(cursor->bits));
	slab->rows ^= (uint16_t)(1u << row);
	if (rows == 1u << row)
		take(heap, class, slab->index);
	return true;
}

void *ksp_alloc_slowly(unsigned int class)
{
	/* A heap begins with its cursors. The thread may be moved at any time, by a signal handler. */
	struct ksp_heap *heap = (struct ksp_heap *)ksp_current;
	struct ksp_cursor *cursor;
	uint64_t bits;

	if (heap->at == nowhere) {
		unsigned int stream = source.stream();

		heap = heaps[stream] ? heaps[stream] : make_heap(stream);
		if (!heap)
			return NULL;
		ksp_current = heap->at;
	}
	cursor = &heap->at[class];
	if (!cursor->bits && !take_row(heap, class))
		return NULL;
	bits = cursor->bits;
	cursor->bits = bits & (bits - 1);
	return cursor->begin + (uintptr_t)__builtin_ctzl(bits) * cursor->unit;
}

void ksp_count(struct ksp_counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	for (unsigned int i = 0; i < KSP_STREAMS; i++) {
		if (!heaps[i])
			continue;
		counts->heaps++;
		counts->slabs += heaps[i]->in_use + heaps[i]->dirty;
		counts->dirty += heaps[i]->dirty;
	}
}
