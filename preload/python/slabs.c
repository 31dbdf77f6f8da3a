/* SPDX-License-Identifier: BSD-2-Clause */
#include "slabs.h"

#include "heap.h"

#include "ksmalloc/stream.h"

#include <string.h>

/* Never written to: there are no bits to take. */
static struct ksp_cursor nowhere[KSP_CLASSES];

__thread struct ksp_cursor *ksp_current = nowhere;
struct ksp_range ksp_range;

static struct ksp_source source;

#define LARGE_GRAINS ((KSP_LARGEST - KSP_FINE) / KSP_GRAIN)
uint8_t ksp_large_classes[LARGE_GRAINS];

/* As many as possible in what the header of one row leaves of a slab: there is hardly a rest. */
static const uint16_t large_sizes[KSP_LARGE_CLASSES] = { 560,  624,  704,  816,	 896,  1008, 1168,
							  1248, 1360, 1472, 1632, 1808, KSP_LARGEST };

size_t ksp_class_size(unsigned int class)
{
	if (class < KSP_FINE_CLASSES)
		return (class + 1) << KSP_GRAIN_SHIFT;
	return large_sizes[class - KSP_FINE_CLASSES];
}

static void fill_large_classes(void)
{
	unsigned int class = KSP_FINE_CLASSES;

	for (uint32_t grains = 0; grains < LARGE_GRAINS; grains++) {
		if ((grains + 1) * KSP_GRAIN + KSP_FINE > ksp_class_size(class))
			class++;
		ksp_large_classes[grains] = (uint8_t)class;
	}
}

void ksp_start(const struct ksp_source *from)
{
	source = *from;
	ksp_range.begin = from->memory.begin;
	ksp_range.bytes = from->memory.end - from->memory.begin;
	fill_large_classes();
	ksp_heap_start(from);
}

void ksp_moved(void)
{
	ksp_current = nowhere;
}

/* --- slow paths ------------------------------------------------------------------------------ */

/* Makes places of a row free. */
static void put_free(struct ksp_heap *heap, unsigned int class, struct ksp_slab *slab, uint64_t row, uint64_t bits)
{
	slab->free[row] |= bits;
	if (ksm_unlikely(slab->is_mixed || !slab->rows))
		ksp_heap_put_roomy(heap, class, slab);
	if (!slab->is_mixed)
		slab->rows |= (uint16_t)(1u << row);
}

void ksp_free_slowly(struct ksp_slab *slab, uint64_t row, uint64_t bit)
{
	struct ksp_heap *heap = ksp_heaps[slab->stream];
	unsigned int class = ksp_class_of_row(slab, row);
	struct ksp_cursor *cursor = &heap->thread->at[class];

	if (ksm_likely(cursor->row == &slab->free[row])) {
		cursor->bits |= bit;
		return;
	}
	put_free(heap, class, slab, row, bit);
	if (--slab->used == 0)
		ksp_got_empty(slab);
}

/* A mixed slab stays. */
void ksp_got_empty(struct ksp_slab *slab)
{
	if (!slab->is_mixed)
		ksp_heap_release(ksp_heaps[slab->stream], slab);
}

/* How many bits are set, for processors that cannot tell. */
static unsigned int count_bits(uint64_t bits)
{
	bits -= bits >> 1 & 0x5555555555555555;
	bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
	bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (unsigned int)(bits * 0x0101010101010101 >> 56);
}

/* --- which slab ------------------------------------------------------------------------------ */

/* KiB of all that the thread has. */
static uint32_t memory_of(const struct ksp_thread *thread)
{
	uint32_t sum = 0;

	for (unsigned int class = 0; class < KSP_CLASSES; class++)
		sum += thread->volume[class];
	return sum / ROWS_IN_KIB;
}

/* What may be left unused, in KiB, and an eighth of all memory. */
#define MOST_UNUSED 4096u

/*
 * Too much room is left in slabs that no new object comes from. That differs in workers that were shifted, and carries it
 * on. So this is far above what anchors leave, which are followed as seldom as keeps that low.
 */
static bool is_wasteful(const struct ksp_thread *thread, unsigned int class)
{
	uint32_t partial = 0;

	if (8 * thread->partial[class] <= thread->volume[class])
		return false;
	for (unsigned int each = 0; each < KSP_CLASSES; each++)
		partial += thread->partial[each];
	return partial / ROWS_IN_KIB > MOST_UNUSED + memory_of(thread) / 8;
}

/* The next heap from the thread's home on, and around, that has a slab in this set. NULL: none has. */
static struct ksp_heap *find_heap(const struct ksp_thread *thread, unsigned int class, unsigned int set)
{
	struct ksp_heap *before = NULL;

	for (struct ksp_heap *heap = thread->first; heap; heap = heap->next) {
		if ((before && heap->stream < thread->home) || ksp_heap_first_from(heap, class, set, 0) == KSP_NONE)
			continue;
		if (heap->stream >= thread->home)
			return heap;
		before = heap;
	}
	return before;
}

/* What has room, of whichever stream. NULL: there is none. */
static struct ksp_slab *use_roomy(struct ksp_thread *thread, unsigned int class)
{
	struct ksp_heap *roomy = find_heap(thread, class, ROOMY);

	if (!roomy)
		return NULL;
	thread->from[class] = roomy;
	thread->floor[class] = 0;
	return ksp_heap_slab_at(roomy, class, ksp_heap_first_from(roomy, class, ROOMY, 0));
}

/* Where there is no memory for more: what other streams have left. */
static struct ksp_slab *use_any(struct ksp_thread *thread, unsigned int class)
{
	struct ksp_slab *slab = use_roomy(thread, class);
	struct ksp_heap *heap = slab ? NULL : find_heap(thread, class, EMPTY);

	if (!heap || ksp_heap_add_slab(heap, class) == KSP_NONE)
		return slab;
	return use_roomy(thread, class);
}

/* A slab for the class where the one that it has its objects from has no room. NULL without memory. */
__attribute__((noinline)) static struct ksp_slab *choose_another(struct ksp_thread *thread, unsigned int class)
{
	struct ksp_heap *heap;
	uint32_t number;

	if (is_wasteful(thread, class)) {
		struct ksp_slab *roomy = use_roomy(thread, class);

		if (roomy)
			return roomy;
	}
	heap = ksp_heap_of(thread->home);
	number = heap ? ksp_heap_add_slab(heap, class) : KSP_NONE;
	if (number == KSP_NONE)
		return use_any(thread, class);
	if (source.added)
		source.added(ksp_class_size(class), number);
	if (thread->from[class] != heap) {
		thread->from[class] = heap;
		thread->floor[class] = number;
	}
	return ksp_heap_slab_at(heap, class, number);
}

/* The slab that the thread's next row for the class is of. NULL without memory. */
static struct ksp_slab *choose_slab(struct ksp_thread *thread, unsigned int class)
{
	struct ksp_heap *heap = thread->from[class];
	uint32_t number = heap ? ksp_heap_first_from(heap, class, ROOMY, thread->floor[class]) : KSP_NONE;

	return number == KSP_NONE ? choose_another(thread, class) : ksp_heap_slab_at(heap, class, number);
}

/* --- rows ------------------------------------------------------------------------------------ */

/* Takes a row's places for the class. False without memory. */
static bool take_row(struct ksp_thread *thread, unsigned int class)
{
	struct ksp_slab *slab = choose_slab(thread, class);
	struct ksp_cursor *cursor = &thread->at[class];
	uint32_t row;

	if (!slab)
		return false;
	row = ksp_heap_first_row(slab, class);
	cursor->bits = slab->free[row];
	cursor->unit = slab->is_mixed ? KSP_MIXED_UNIT : ksp_class_size(class);
	cursor->begin = (char *)slab + slab->first * KSP_GRAIN + 64 * row * cursor->unit;
	cursor->row = &slab->free[row];
	slab->free[row] = 0;
	slab->used = (uint16_t)(slab->used + count_bits(cursor->bits));
	if (!slab->is_mixed)
		slab->rows ^= (uint16_t)(1u << row);
	if (slab->is_mixed ? ksp_heap_first_row(slab, class) == KSP_NONE : !slab->rows)
		ksp_heap_take_roomy(ksp_heaps[slab->stream], class, slab);
	return true;
}

/* Puts back what a cursor has not given out. */
static void empty_cursor(struct ksp_cursor *cursor, unsigned int class)
{
	struct ksp_slab *slab = ksp_slab_of(cursor->row);
	uint32_t row = (uint32_t)(cursor->row - slab->free);
	uint64_t bits = cursor->bits;

	cursor->bits = 0;
	cursor->row = NULL;
	if (!bits)
		return;
	put_free(ksp_heaps[slab->stream], class, slab, row, bits);
	slab->used = (uint16_t)(slab->used - count_bits(bits));
	if (slab->used == 0)
		ksp_got_empty(slab);
}

/*
 * What an anchor is taken to cost that is followed, in KiB, and sixteen times that. Of pages that are touched it is half of
 * this or less; more of them would be followed in vain.
 */
#define ANCHOR_COST (16u * 128u)

/*
 * KiB below which only those are followed that always are: of a python that has hardly started six more were, and took
 * a tenth of all its memory. What they would part lies in memory that is small for a process that grows on.
 */
#define SMALL_MEMORY 4096u

static uint32_t power_of_two(uint32_t value)
{
	return value ? 1u << (31 - __builtin_clz(value)) : 1;
}

/*
 * An anchor's rank is a number of its own beside the stream, so that those that are followed, one of so many, are spread
 * over all streams: where two of them lead to one, its slabs lie where the first one has left off.
 */
static uint32_t rank_of(uint64_t anchor)
{
	return (uint32_t)((anchor & ~KSMALLOC_ANCHOR_OF_DATA) >> 40);
}

/*
 * True if the thread is to follow an anchor: as many of them as cost a sixteenth of its memory, at most, which are
 * one of so many, by their rank. The first one of all is: what lies before it, as arguments, differs the most. Only the
 * orders of magnitude count: equal workers agree but for a moment, however they differ.
 * Those of data are counted by themselves: there are hundreds of modules, and what is loaded from data is large.
 */
static bool is_worth_following(const struct ksp_thread *thread, uint64_t anchor)
{
	bool is_of_data = anchor & KSMALLOC_ANCHOR_OF_DATA;
	uint64_t cost = ANCHOR_COST * (uint64_t)power_of_two(is_of_data ? thread->data_anchors : thread->anchors);
	uint64_t memory = power_of_two(memory_of(thread));
	uint32_t rank = rank_of(anchor);
	uint32_t one_of = 1;

	if (thread->anchors == 1)
		return true;
	if (memory < (is_of_data ? SMALL_MEMORY / 2 : SMALL_MEMORY))
		return false;
	while (one_of < KSP_STREAMS / 4 && one_of * memory < cost)
		one_of *= 2;
	return rank % one_of == 0;
}

/* From now on all classes have new slabs, of this stream. */
static void follow(struct ksp_thread *thread, unsigned int stream)
{
	for (unsigned int class = 0; class < KSP_CLASSES; class++) {
		if (thread->at[class].row)
			empty_cursor(&thread->at[class], class);
		thread->from[class] = NULL;
	}
	thread->home = stream;
	for (struct ksp_heap *heap = thread->first; heap; heap = heap->next)
		ksp_heap_trim(heap);
}

/* Goes where the last anchor leads that was worth following, if that has not been done. */
static bool go_on(struct ksp_thread *thread)
{
	if (thread->next == KSP_NONE)
		return false;
	follow(thread, thread->next);
	thread->next = KSP_NONE;
	return true;
}

bool ksp_go_on(bool always)
{
	struct ksp_thread *thread = ksp_heap_thread(source.memory.stream());

	if (!thread || thread->stream == KSP_NONE)
		return false;
	if (always && thread->next == KSP_NONE)
		thread->next = thread->stream;
	return go_on(thread);
}

/* The thread is in a stream that this anchor has led to. */
static void pass_anchor(struct ksp_thread *thread, unsigned int stream, uint64_t anchor)
{
	thread->anchors++;
	thread->data_anchors += (anchor & KSMALLOC_ANCHOR_OF_DATA) != 0;
	if (is_worth_following(thread, anchor))
		thread->next = stream;
	if (!source.moved || !source.moved(rank_of(anchor)))
		go_on(thread);
}

/*
 * The thread that the caller is in a stream. What lies in the parent's memory is left as it is in a child: it stays
 * shared as long as nobody writes to it.
 */
__attribute__((noinline)) static struct ksp_thread *enter(unsigned int stream)
{
	struct ksp_thread *thread = ksp_heap_thread(stream);

	if (!thread)
		return NULL;
	ksp_current = thread->at;
	if (thread->stream == UINT32_MAX)
		thread->home = stream;
	else if (thread->stream != stream)
		pass_anchor(thread, stream, source.memory.anchor());
	thread->stream = stream;
	return thread;
}

uint64_t ksp_mark(void)
{
	uint64_t sum = 0;

	for (unsigned int class = 0; class < KSP_CLASSES; class++)
		sum += (ksp_current[class].bits + (uintptr_t)ksp_current[class].row) * (2 * class + 1);
	return sum;
}

void *ksp_alloc_slowly(unsigned int class)
{
	/* A thread begins with its cursors. It may be moved at any time, by a signal handler. */
	struct ksp_thread *thread = (struct ksp_thread *)ksp_current;
	struct ksp_cursor *cursor;
	uint64_t bits;

	if (thread->at == nowhere) {
		thread = enter(source.memory.stream());
		if (!thread)
			return NULL;
	}
	cursor = &thread->at[class];
	if (!cursor->bits && !take_row(thread, class))
		return NULL;
	bits = cursor->bits;
	cursor->bits = bits & (bits - 1);
	return cursor->begin + (uintptr_t)__builtin_ctzl(bits) * cursor->unit;
}

void ksp_count(struct ksp_counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	for (unsigned int i = 0; i < KSP_STREAMS; i++) {
		if (!ksp_heaps[i])
			continue;
		counts->heaps++;
		counts->slabs += ksp_heaps[i]->in_use + ksp_heaps[i]->dirty;
		counts->dirty += ksp_heaps[i]->dirty;
	}
}
