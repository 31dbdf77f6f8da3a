/* SPDX-License-Identifier: BSD-2-Clause */
#include "heap.h"

#include "pieces.h"

#include "../tables.h"

#include <string.h>

#define CHUNK_SLABS	64u	/* are mapped at once for a class behind the levels */
#define FIRST_CHUNKS	8u	/* that the tables of a lane are made for */

/* Lanes of a level, so that each level is a multiple of what a stream's memory is given out in. */
#define LEVEL_LANES	48u

/*
 * Freed slabs that are kept as they are: a part of those in use, so that much that is freed goes back in few calls; and
 * where new objects come from these and as many as were needed again after they had been given back. Each page of one
 * more would be a page fault each time.
 */
#define KEPT_PART	128u
#define KEPT_SLABS	2u
#define MOST_REGRETS	192u

static_assert(KSP_CLASSES <= LEVEL_LANES, "each class has a lane");
static_assert(KSP_SLAB == 16384 && sizeof(struct ksp_slab) == 528, "libksmalloc/report/pages/events.c leaves headers out");

struct ksp_heap *ksp_heaps[KSP_STREAMS];

static struct ksp_source source;
static struct ksp_thread *threads[KSP_STREAMS]; /* by the first of their streams */
static struct ksh_tables tables;

void ksp_heap_start(const struct ksp_source *from)
{
	source = *from;
	tables.map = source.memory.map_table;
	ksp_pieces_plan();
}

/* --- tables -------------------------------------------------------------------------------- */

/* Zeros; NULL without memory. */
static void *table(size_t bytes)
{
	return ksh_table(&tables, bytes);
}

struct ksp_thread *ksp_heap_thread(unsigned int stream)
{
	unsigned int first = source.memory.among(stream, 1);
	struct ksp_thread *thread = threads[first];

	if (thread)
		return thread;
	thread = table(sizeof(*thread));
	if (!thread)
		return NULL;
	thread->stream = UINT32_MAX;
	thread->next = KSP_NONE;
	threads[first] = thread;
	return thread;
}

static struct ksp_heap *make_heap(unsigned int stream)
{
	struct ksp_thread *thread = ksp_heap_thread(stream);
	struct ksp_heap *heap = thread ? table(sizeof(*heap)) : NULL;
	struct ksp_heap **link;

	if (!heap)
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

/* --- sets of a lane -------------------------------------------------------------------------- */

static struct ksp_lane *make_lane(struct ksp_heap *heap, unsigned int class)
{
	struct ksp_lane *lane = table(sizeof(*lane));

	if (!lane)
		return NULL;
	for (unsigned int i = 0; i < SETS; i++)
		lane->sets[i] = &lane->words[i];
	lane->room = 64;
	heap->lanes[class] = lane;
	return lane;
}

/* What the tables were before is not used again: all of them together are no more than the last. */
static bool make_room(struct ksp_lane *lane)
{
	uint64_t *words = table(SETS * (lane->room / 32) * sizeof(*words));

	if (!words)
		return false;
	for (unsigned int i = 0; i < SETS; i++) {
		memcpy(words, lane->sets[i], lane->room / 8);
		lane->sets[i] = words;
		words += lane->room / 32;
	}
	lane->room *= 2;
	return true;
}

static void put(struct ksp_lane *lane, unsigned int set, uint32_t number)
{
	lane->sets[set][number / 64] |= UINT64_C(1) << number % 64;
	if (number / 64 < lane->lowest[set])
		lane->lowest[set] = number / 64;
}

static void take(struct ksp_lane *lane, unsigned int set, uint32_t number)
{
	lane->sets[set][number / 64] &= ~(UINT64_C(1) << number % 64);
}

static bool has(const struct ksp_lane *lane, unsigned int set, uint32_t number)
{
	return lane->sets[set][number / 64] >> number % 64 & 1;
}

/* The lowest of a set from this number on; KSP_NONE if there is none. */
static uint32_t first_from(struct ksp_lane *lane, unsigned int set, uint32_t number)
{
	const uint64_t *words = lane->sets[set];
	uint32_t begin = number / 64;
	uint32_t word = begin;
	uint64_t bits = words[begin] & UINT64_MAX << number % 64;

	if (ksm_unlikely(!bits)) {
		uint32_t count = (lane->count + 63) / 64;

		if (word < lane->lowest[set])
			word = lane->lowest[set] - 1;
		while (!bits && ++word < count)
			bits = words[word];
		if (!bits)
			return KSP_NONE;
	}
	if (number == 0)
		lane->lowest[set] = word;
	return 64 * word + (uint32_t)__builtin_ctzl(bits);
}

uint32_t ksp_heap_first_from(struct ksp_heap *heap, unsigned int class, unsigned int set, uint32_t number)
{
	struct ksp_lane *lane = heap->lanes[class];

	return lane ? first_from(lane, set, number) : KSP_NONE;
}

/* --- what has room --------------------------------------------------------------------------- */

/* The number of a slab in the class's lane, or of the piece that the class has in a mixed one. */
static uint32_t number_of(const struct ksp_slab *slab)
{
	return slab->is_mixed ? ksp_piece_of_mixed(slab->number) : slab->number;
}

/* In rows of a mixed slab. */
static uint32_t volume_of(unsigned int class, uint32_t number)
{
	return number < ksp_pieces_of(class) ? ksp_piece(class, number)->rows : KSP_SLAB / KSP_ROW;
}

void ksp_heap_put_roomy(struct ksp_heap *heap, unsigned int class, const struct ksp_slab *slab)
{
	uint32_t number = number_of(slab);

	if (has(heap->lanes[class], ROOMY, number))
		return;
	put(heap->lanes[class], ROOMY, number);
	/* What has room is taken to leave half of itself unused. */
	heap->thread->partial[class] += (volume_of(class, number) + 1) / 2;
}

void ksp_heap_take_roomy(struct ksp_heap *heap, unsigned int class, const struct ksp_slab *slab)
{
	uint32_t number = number_of(slab);

	if (!has(heap->lanes[class], ROOMY, number))
		return;
	take(heap->lanes[class], ROOMY, number);
	heap->thread->partial[class] -= (volume_of(class, number) + 1) / 2;
}

uint32_t ksp_heap_first_row(const struct ksp_slab *slab, unsigned int class)
{
	const struct ksp_piece *piece;

	if (!slab->is_mixed)
		return slab->rows ? (uint32_t)__builtin_ctz(slab->rows) : KSP_NONE;
	piece = ksp_piece(class, ksp_piece_of_mixed(slab->number));
	for (uint32_t row = piece->row; row < (uint32_t)piece->row + piece->rows; row++) {
		if (slab->free[row])
			return row;
	}
	return KSP_NONE;
}

/* --- addresses ------------------------------------------------------------------------------- */

/* The levels have 1, 2, 4, ... slabs of each class: slab k, from 1 on, is in the one of its highest bit. */
static uint32_t level_of(uint32_t k)
{
	return 31 - (uint32_t)__builtin_clz(k);
}

struct ksp_slab *ksp_heap_slab_at(const struct ksp_heap *heap, unsigned int class, uint32_t number)
{
	uint32_t pieces = ksp_pieces_of(class);
	uint32_t k = number - pieces + 1;
	char *begin;

	if (number < pieces)
		return (struct ksp_slab *)(heap->mixed + ksp_piece(class, number)->slab * KSP_SLAB);
	if (level_of(k) < KSP_LEVELS) {
		begin = heap->levels[level_of(k)];
		return (struct ksp_slab *)(begin + (((uint64_t)class << level_of(k)) + k - (1u << level_of(k))) * KSP_SLAB);
	}
	k -= 1u << KSP_LEVELS;
	begin = heap->lanes[class]->chunks[k / CHUNK_SLABS];
	return (struct ksp_slab *)(begin + k % CHUNK_SLABS * KSP_SLAB);
}

static bool map_chunk(struct ksp_heap *heap, struct ksp_lane *lane)
{
	if (lane->chunk_count == lane->chunk_room) {
		uint32_t room = lane->chunk_room ? 2 * lane->chunk_room : FIRST_CHUNKS;
		char **chunks = table(room * sizeof(*chunks));

		if (!chunks)
			return false;
		if (lane->chunk_room)
			memcpy(chunks, lane->chunks, lane->chunk_room * sizeof(*chunks));
		lane->chunks = chunks;
		lane->chunk_room = room;
	}
	lane->chunks[lane->chunk_count] = source.memory.map(heap->stream, CHUNK_SLABS * KSP_SLAB);
	return lane->chunks[lane->chunk_count] && ++lane->chunk_count;
}

/* Sees to it that there is memory for the next number of a lane. */
static bool map_next(struct ksp_heap *heap, unsigned int class, struct ksp_lane *lane)
{
	uint32_t pieces = ksp_pieces_of(class);
	uint32_t k = lane->count - pieces + 1;
	char **where = &heap->mixed;
	size_t bytes = KSP_MIXED_SLABS * KSP_SLAB;

	if (lane->count >= pieces && level_of(k) >= KSP_LEVELS) {
		k -= 1u << KSP_LEVELS;
		return k < lane->chunk_count * CHUNK_SLABS || map_chunk(heap, lane);
	}
	if (lane->count >= pieces) {
		where = &heap->levels[level_of(k)];
		bytes = (LEVEL_LANES * KSP_SLAB) << level_of(k);
	}
	if (!*where)
		*where = source.memory.map(heap->stream, bytes);
	return *where;
}

/* --- slabs --------------------------------------------------------------------------------- */

/* Makes the numbers from begin on free, but for end. */
static void make_places(struct ksp_slab *slab, uint32_t begin, uint32_t end)
{
	for (uint32_t row = begin / 64; 64 * row < end; row++) {
		uint64_t bits = UINT64_MAX;

		if (64 * row < begin)
			bits <<= begin % 64;
		if (end < 64 * row + 64)
			bits &= UINT64_MAX >> (64 * row + 64 - end);
		slab->free[row] = bits;
		slab->rows |= (uint16_t)(1u << row);
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

struct ksp_places ksp_heap_places(unsigned int class)
{
	size_t size = ksp_class_size(class);
	size_t first = first_place(size);
	uint32_t begin = (uint32_t)(first / size);

	return (struct ksp_places){ begin, begin + (uint32_t)((KSP_SLAB - first) / size) };
}

/* Of the header only the rows that the class needs are there; places lie behind. */
static void make_slab(struct ksp_heap *heap, unsigned int class, uint32_t number)
{
	struct ksp_slab *slab = ksp_heap_slab_at(heap, class, number);
	size_t size = ksp_class_size(class);
	struct ksp_places places = ksp_heap_places(class);

	memset(slab, 0, offsetof(struct ksp_slab, free) + 8 * rows_needed(size));
	slab->class = (uint8_t)class;
	slab->first = (uint8_t)(first_place(size) % size / KSP_GRAIN);
	slab->inverse = (uint16_t)((65536 + size - 1) / size);
	slab->stream = (uint16_t)heap->stream;
	slab->number = number;
	make_places(slab, places.begin, places.end);
	heap->in_use++;
}

static void make_piece(struct ksp_heap *heap, unsigned int class, uint32_t number)
{
	uint32_t mixed = ksp_piece(class, number)->slab;
	struct ksp_slab *slab = ksp_heap_slab_at(heap, class, number);

	if (heap->mixed_made >> mixed & 1)
		return;
	ksp_pieces_make(slab, mixed);
	slab->stream = (uint16_t)heap->stream;
	heap->mixed_made |= 1u << mixed;
	heap->in_use++;
}

uint32_t ksp_heap_add_slab(struct ksp_heap *heap, unsigned int class)
{
	struct ksp_lane *lane = heap->lanes[class] ? heap->lanes[class] : make_lane(heap, class);
	uint32_t number;

	if (!lane)
		return KSP_NONE;
	number = first_from(lane, EMPTY, 0);
	if (number == KSP_NONE) {
		if (!map_next(heap, class, lane) || (lane->count == lane->room && !make_room(lane)))
			return KSP_NONE;
		number = lane->count++;
	} else if (!has(lane, DIRTY, number)) {
		heap->regrets += heap->regrets < MOST_REGRETS;
	}
	take(lane, EMPTY, number);
	if (has(lane, DIRTY, number)) {
		take(lane, DIRTY, number);
		heap->dirty--;
	}
	if (number < ksp_pieces_of(class))
		make_piece(heap, class, number);
	else
		make_slab(heap, class, number);
	if (source.memory.taken)
		source.memory.taken(ksp_heap_slab_at(heap, class, number), KSP_SLAB);
	heap->thread->volume[class] += volume_of(class, number);
	ksp_heap_put_roomy(heap, class, ksp_heap_slab_at(heap, class, number));
	return number;
}

/* --- giving back ----------------------------------------------------------------------------- */

static uint32_t count_dirty(const struct ksp_lane *lane)
{
	uint32_t count = 0;

	for (uint32_t word = 0; 64 * word < lane->count; word++) {
		for (uint64_t bits = lane->sets[DIRTY][word]; bits; bits &= bits - 1)
			count++;
	}
	return count;
}

/*
 * Gives back the uppermost of what is dirty in a lane, so many at most: new slabs come from below. Neighbours
 * go in one call.
 */
static void give_back(struct ksp_heap *heap, unsigned int class, struct ksp_lane *lane, uint32_t wanted)
{
	char *begin = NULL;
	size_t bytes = 0;

	/* Word by word: a lane may be long, and what is dirty of it little. */
	for (uint32_t word = (lane->count + 63) / 64; wanted > 0 && word-- > 0;) {
		while (wanted > 0 && lane->sets[DIRTY][word]) {
			uint32_t bit = 63 - (uint32_t)__builtin_clzl(lane->sets[DIRTY][word]);
			char *slab = (char *)ksp_heap_slab_at(heap, class, 64 * word + bit);

			if (slab + KSP_SLAB != begin && bytes) {
				source.memory.give_back(begin, bytes);
				bytes = 0;
			}
			begin = slab;
			bytes += KSP_SLAB;
			take(lane, DIRTY, 64 * word + bit);
			heap->dirty--;
			wanted--;
		}
	}
	if (bytes)
		source.memory.give_back(begin, bytes);
}

/* Gives back about one of so many that are dirty, in each lane. */
static void trim(struct ksp_heap *heap, uint32_t one_of)
{
	for (unsigned int class = 0; class < KSP_CLASSES; class++) {
		struct ksp_lane *lane = heap->lanes[class];

		if (lane)
			give_back(heap, class, lane, (count_dirty(lane) + one_of - 1) / one_of);
	}
}

void ksp_heap_release(struct ksp_heap *heap, struct ksp_slab *slab)
{
	struct ksp_lane *lane = heap->lanes[slab->class];
	uint32_t kept = heap->in_use / KEPT_PART;

	ksp_heap_take_roomy(heap, slab->class, slab);
	heap->thread->volume[slab->class] -= KSP_SLAB / KSP_ROW;
	put(lane, EMPTY, slab->number);
	put(lane, DIRTY, slab->number);
	heap->in_use--;
	heap->dirty++;
	if (heap->dirty <= kept)
		return;
	/* Where the class has its slabs from elsewhere it will hardly need these again. */
	if (heap->thread->from[slab->class] != heap)
		give_back(heap, slab->class, lane, UINT32_MAX);
	else if (heap->dirty > KEPT_SLABS + heap->regrets + kept)
		trim(heap, 2);
}

void ksp_heap_give_back_empty(struct ksp_heap *heap)
{
	if (heap->dirty)
		trim(heap, 1);
}

void ksp_heap_trim(struct ksp_heap *heap)
{
	heap->regrets = 0;
	ksp_heap_give_back_empty(heap);
}
