/* SPDX-License-Identifier: BSD-2-Clause */
#include "heap.h"

#include <string.h>

#define CHUNK_SLABS	16u	/* are mapped at once */
#define CHUNK_BYTES	(CHUNK_SLABS * KSP_SLAB)
#define FIRST_ROOM	64u	/* slabs that the tables of a heap are made for at first */
#define TABLE_BYTES	(64 * KSM_KIB)
#define HEADER_GRAINS	((sizeof(struct ksp_slab) + 15) >> KSP_GRAIN_SHIFT)

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
	uint64_t pieces;	 /* a bit for each class that has had its piece */
};

static_assert(SETS <= 64, "a bit for each class in a word");
static_assert(sizeof(struct ksp_slab) <= 256, "the header leaves room in its row");

__thread struct ksp_cursor *ksp_current;
struct ksp_range ksp_range;

/* Full at all times: what a class's cursor is at before its first slab. */
static struct ksp_slab nothing;

static struct ksp_source source;
static struct ksp_heap *heaps[KSP_STREAMS];
static char *table_next;
static char *table_end;

void ksp_heap_start(const struct ksp_source *from)
{
	source = *from;
	ksp_range.begin = from->begin;
	ksp_range.bytes = from->end - from->begin;
}

void ksp_heap_moved(void)
{
	ksp_current = NULL;
}

size_t ksp_heap_class_size(unsigned int class)
{
	if (class < KSP_FINE_CLASSES)
		return (class + 1) << KSP_GRAIN_SHIFT;
	class -= KSP_FINE_CLASSES;
	return (size_t)(5 + class % 4) << (7 + class / 4);
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
	for (unsigned int i = 0; i < KSP_CLASSES; i++)
		heap->at[i].slab = &nothing;
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

/* A slab without places. */
static struct ksp_slab *take_empty(struct ksp_heap *heap)
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
	memset(slab, 0, sizeof(*slab));
	/* Rows of a mixed slab that were not given away belong to no class. */
	memset(slab->classes, UINT8_MAX, sizeof(slab->classes));
	slab->stream = (uint16_t)heap->stream;
	slab->index = index;
	return slab;
}

/* Makes places of the class in [begin, end) of the slab, in grains. */
static void make_places(struct ksp_slab *slab, unsigned int class, unsigned int begin,
			unsigned int end)
{
	unsigned int step = (unsigned int)ksp_heap_class_size(class) >> KSP_GRAIN_SHIFT;

	for (unsigned int grain = begin; grain + step <= end; grain += step) {
		slab->free[grain / 64] |= UINT64_C(1) << grain % 64;
		slab->rows |= (uint16_t)(1u << grain / 64);
	}
	for (unsigned int row = begin / 64; row < (end + 63) / 64; row++)
		slab->classes[row] = (uint8_t)class;
}

static struct ksp_slab *make_slab(struct ksp_heap *heap, unsigned int class)
{
	struct ksp_slab *slab = take_empty(heap);

	if (slab) {
		slab->together = KSP_ALL_ROWS;
		make_places(slab, class, HEADER_GRAINS, 64 * KSP_ROWS);
	}
	return slab;
}

/*
 * The piece of a class that has not had one; NULL without memory. The first row of a mixed slab holds
 * its header, and the piece that fits the rest of it.
 */
static struct ksp_slab *make_piece(struct ksp_heap *heap, unsigned int class)
{
	uint32_t rows = ksp_heap_class_size(class) <= 256 ? 1 : 2;
	uint32_t row;

	if (!heap->mixed || heap->mixed_rows + rows > KSP_ROWS) {
		struct ksp_slab *slab = take_empty(heap);

		if (!slab)
			return NULL;
		heap->mixed = slab;
		heap->mixed_rows = 0;
	}
	row = heap->mixed_rows;
	heap->mixed_rows += rows;
	heap->pieces |= UINT64_C(1) << class;
	make_places(heap->mixed, class, row ? row * 64 : HEADER_GRAINS, (row + rows) * 64);
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
	take(heap, slab->classes[0], slab->index);
	put(heap, EMPTY, slab->index);
	put(heap, DIRTY, slab->index);
	heap->in_use--;
	if (++heap->dirty > KEPT_SLABS + heap->in_use / KEPT_PART)
		give_back(heap);
}

/* --- slow paths ------------------------------------------------------------------------------ */

static void point_at(struct ksp_heap *heap, unsigned int class, struct ksp_slab *slab)
{
	struct ksp_cursor *cursor = &heap->at[class];
	struct ksp_slab *before = cursor->slab;

	cursor->slab = slab;
	cursor->rows = rows_of(slab, class);
	if (before != slab && before->together && before->used == 0)
		release(heap, before);
}

/* A place was freed in a row or slab that had none. */
void ksp_heap_got_room(struct ksp_slab *slab, unsigned int row)
{
	struct ksp_heap *heap = heaps[slab->stream];
	unsigned int class = slab->classes[row];
	const struct ksp_slab *at = heap->at[class].slab;

	put(heap, class, slab->index);
	if (at == &nothing || slab->index < at->index)
		point_at(heap, class, slab);
}

/* The slab that is allocated from stays, and so does a mixed one. */
void ksp_heap_got_empty(struct ksp_slab *slab)
{
	struct ksp_heap *heap = heaps[slab->stream];

	if (slab->together && heap->at[slab->classes[0]].slab != slab)
		release(heap, slab);
}

/* The lowest slab with room for the class, made if need be. */
static struct ksp_slab *find_slab(struct ksp_heap *heap, unsigned int class)
{
	struct ksp_slab *slab = NULL;
	uint32_t index;

	while ((index = first_of(heap, class)) != UINT32_MAX) {
		slab = slab_at(heap, index);
		if (slab->rows & rows_of(slab, class))
			return slab;
		take(heap, class, index);
	}
	if (class < KSP_FINE_CLASSES && !(heap->pieces >> class & 1))
		slab = make_piece(heap, class);
	else
		slab = make_slab(heap, class);
	if (slab)
		put(heap, class, slab->index);
	return slab;
}

void *ksp_heap_alloc_slowly(unsigned int class)
{
	struct ksp_cursor *cursor = ksp_current;
	struct ksp_heap *heap = (struct ksp_heap *)cursor; /* which begins with its cursors */
	struct ksp_slab *slab;

	if (!heap) {
		unsigned int stream = source.stream();

		heap = heaps[stream] ? heaps[stream] : make_heap(stream);
		if (!heap)
			return NULL;
		ksp_current = heap->at;
	}
	cursor = &heap->at[class];
	if (!(cursor->slab->rows & cursor->rows)) {
		slab = find_slab(heap, class);
		if (!slab)
			return NULL;
		point_at(heap, class, slab);
	}
	/* A signal handler may move the thread at any time; then the object comes from where it was. */
	return ksp_heap_alloc_from(cursor);
}

void ksp_heap_count(struct ksp_heap_counts *counts)
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
