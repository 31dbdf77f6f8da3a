/* SPDX-License-Identifier: BSD-2-Clause */
#include "unused.h"

#include "pieces.h"

#define PAGE_SHIFT 12 /* as in all of the project */
#define PAGE	   (UINT64_C(1) << PAGE_SHIFT)
#define ALL_PAGES  ((1u << (KSP_SLAB >> PAGE_SHIFT)) - 1)

/* The header lies there. */
#define FIRST_PAGE 1u

/* The places of a row that no object has: what the class's cursor has at hand is one of none. */
static uint64_t free_places(const struct ksp_slab *slab, unsigned int class, uint32_t row)
{
	const struct ksp_cursor *cursor = &ksp_heaps[slab->stream]->thread->at[class];

	return slab->free[row] | (cursor->row == &slab->free[row] ? cursor->bits : 0);
}

/* A bit for each page of a slab that so many bytes from an offset on lie in. */
static uint32_t pages_of(size_t offset, size_t bytes)
{
	uint32_t first = (uint32_t)(offset >> PAGE_SHIFT);
	uint32_t last = (uint32_t)((offset + bytes - 1) >> PAGE_SHIFT);

	return (2u << last) - (1u << first);
}

/* The pages that the objects of a slab of one class lie in. */
static uint32_t used_pages(const struct ksp_slab *slab)
{
	size_t size = ksp_class_size(slab->class);
	struct ksp_places places = ksp_heap_places(slab->class);
	uint32_t used = FIRST_PAGE;

	for (uint32_t row = places.begin / 64; 64 * row < places.end && used != ALL_PAGES; row++) {
		uint64_t objects = ~free_places(slab, slab->class, row);

		for (; objects && used != ALL_PAGES; objects &= objects - 1) {
			uint32_t number = 64 * row + (uint32_t)__builtin_ctzl(objects);

			if (number >= places.begin && number < places.end)
				used |= pages_of(slab->first * KSP_GRAIN + number * size, size);
		}
	}
	return used;
}

/* The same of a class's piece of a mixed slab. */
static uint32_t used_pages_of_piece(const struct ksp_slab *slab, unsigned int class, const struct ksp_piece *piece)
{
	size_t size = ksp_class_size(class);
	size_t end = (size_t)(piece->row + piece->rows) * KSP_ROW;
	uint32_t used = 0;

	for (size_t offset = (size_t)piece->row * KSP_ROW; offset + size <= end; offset += size) {
		uint32_t number = (uint32_t)(offset / KSP_MIXED_UNIT);

		if (!(free_places(slab, class, number / 64) >> number % 64 & 1))
			used |= pages_of(offset, size);
	}
	return used;
}

static uint32_t used_pages_of_mixed(const struct ksp_slab *slab)
{
	unsigned int which = ksp_piece_of_mixed(slab->number);
	uint32_t used = FIRST_PAGE;

	for (unsigned int class = 0; class < KSP_CLASSES && used != ALL_PAGES; class++) {
		if (which < ksp_pieces_of(class) && ksp_piece(class, which)->slab == slab->number)
			used |= used_pages_of_piece(slab, class, ksp_piece(class, which));
	}
	return used;
}

/* Neighbours go in one call. */
static void give_back_others(struct ksp_slab *slab, uint32_t used, void (*give_back)(void *pages, size_t bytes))
{
	uint32_t unused = ALL_PAGES & ~used;

	while (unused) {
		uint32_t first = (uint32_t)__builtin_ctz(unused);
		uint32_t count = (uint32_t)__builtin_ctz(~(unused >> first));

		give_back((char *)slab + first * PAGE, count * PAGE);
		unused &= ~(((1u << count) - 1) << first);
	}
}

static void give_back_of(struct ksp_slab *slab, void (*give_back)(void *pages, size_t bytes))
{
	give_back_others(slab, slab->is_mixed ? used_pages_of_mixed(slab) : used_pages(slab), give_back);
}

/* The class's own slabs with room. */
static void give_back_of_class(struct ksp_heap *heap, unsigned int class, void (*give_back)(void *pages, size_t bytes))
{
	uint32_t number = ksp_pieces_of(class);

	while (number < heap->lanes[class]->count) {
		number = ksp_heap_first_from(heap, class, ROOMY, number);
		if (number == KSP_NONE)
			return;
		give_back_of(ksp_heap_slab_at(heap, class, number++), give_back);
	}
}

/* Slabs whose last room a cursor has at hand. */
static void give_back_of_cursors(struct ksp_thread *thread, void (*give_back)(void *pages, size_t bytes))
{
	for (unsigned int class = 0; class < KSP_CLASSES; class++) {
		if (thread->at[class].row)
			give_back_of(ksp_slab_of(thread->at[class].row), give_back);
	}
}

static void give_back_of_heap(struct ksp_heap *heap, void (*give_back)(void *pages, size_t bytes))
{
	ksp_heap_give_back_empty(heap);
	for (unsigned int class = 0; class < KSP_CLASSES; class++) {
		if (heap->lanes[class])
			give_back_of_class(heap, class, give_back);
	}
	for (uint32_t mixed = heap->mixed_made; mixed; mixed &= mixed - 1)
		give_back_of((struct ksp_slab *)(heap->mixed + (uint32_t)__builtin_ctz(mixed) * KSP_SLAB), give_back);
	if (heap->thread->first == heap)
		give_back_of_cursors(heap->thread, give_back);
}

void ksp_unused_give_back(void (*give_back)(void *pages, size_t bytes))
{
	for (unsigned int stream = 0; stream < KSP_STREAMS; stream++) {
		if (ksp_heaps[stream])
			give_back_of_heap(ksp_heaps[stream], give_back);
	}
}
