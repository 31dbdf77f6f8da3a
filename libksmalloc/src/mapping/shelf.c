/* SPDX-License-Identifier: BSD-2-Clause */
#include "mapping/shelf.h"

#include "os/os.h"

/* The lengths of the first two pieces. */
#define FIRST KSM_SHELF_SLAB
#define SECOND (4 * KSM_SHELF_SLAB)
/* A piece is mapped in so many steps, but in none that is shorter than this. */
#define STEPS 8u
#define SHORTEST_STEP (16 * KSM_SHELF_SLAB)
#define EARLY_SLABS ((FIRST + SECOND) / KSM_PAGE) /* a slab takes a page at least */

/*
 * The records of early slabs: those of the first slabs of all classes, those of the second ones,
 * and then so many of a class at a time. Most classes have a slab or two; those that have more are
 * neighbours.
 */
#define ROWS 2u
#define GROUP 8u
#define EARLY_RECORDS (ROWS + (EARLY_SLABS - ROWS + GROUP - 1) / GROUP * GROUP)

/* What all classes have in common: the records, the first pieces, the second ones. */
#define RECORDS (KSM_SHELF_CLASSES * EARLY_RECORDS * KSM_SHELF_RECORD)
#define FIRSTS ((RECORDS + KSM_PAGE - 1) / KSM_PAGE * KSM_PAGE)
#define SECONDS (FIRSTS + KSM_SHELF_CLASSES * FIRST)
#define COMMON (SECONDS + KSM_SHELF_CLASSES * SECOND)

static size_t early_record(uint32_t size_class, uint32_t number)
{
	uint32_t row = number, group = 1, within = 0;

	if (number >= ROWS) {
		group = GROUP;
		within = (number - ROWS) % GROUP;
		row = number - within;
	}
	return (row * KSM_SHELF_CLASSES + size_class * group + within) * KSM_SHELF_RECORD;
}

static void describe_early(uint32_t size_class, uint32_t number, uint32_t fit, size_t slab_bytes,
			   struct ksm_shelf_place *place)
{
	if (number < fit)
		place->slab = FIRSTS + size_class * FIRST + number * slab_bytes;
	else
		place->slab = SECONDS + size_class * SECOND + (number - fit) * slab_bytes;
	place->record = early_record(size_class, number);
	place->map_begin = 0;
	place->map_end = COMMON;
	place->is_first_of_step = number == 0;
}

/* A slab of the piece that begins there, which has room for fit of them in length bytes. */
static void describe_late(size_t begin, size_t length, uint32_t number, uint32_t fit, size_t slab_bytes,
			  struct ksm_shelf_place *place)
{
	size_t slabs = begin + length / KSM_PAGE * KSM_SHELF_RECORD;
	uint32_t step = (uint32_t)(ksm_max(length / STEPS, SHORTEST_STEP) / slab_bytes);
	uint32_t first = number / step * step;

	place->slab = slabs + number * slab_bytes;
	place->record = begin + (size_t)number * KSM_SHELF_RECORD;
	place->map_begin = first ? slabs + first * slab_bytes : begin;
	place->map_end = slabs + ksm_min(first + step, fit) * slab_bytes;
	place->is_first_of_step = number == first;
}

void ksm_shelf_describe(uint32_t size_class, uint32_t number, size_t slab_bytes,
			struct ksm_shelf_place *place)
{
	uint32_t first = (uint32_t)(FIRST / slab_bytes),
		 early = first + (uint32_t)(SECOND / slab_bytes);
	size_t length = SECOND, begin = COMMON, unit;
	uint32_t fit;

	if (number < early) {
		describe_early(size_class, number, first, slab_bytes, place);
		return;
	}
	number -= early;
	for (;;) {
		length *= 4;
		unit = length + length / KSM_PAGE * KSM_SHELF_RECORD;
		fit = (uint32_t)(length / slab_bytes);
		if (number < fit)
			break;
		number -= fit;
		begin += KSM_SHELF_CLASSES * unit;
	}
	describe_late(begin + size_class * unit, length, number, fit, slab_bytes, place);
}
