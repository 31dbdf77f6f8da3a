/* SPDX-License-Identifier: BSD-2-Clause */
/* Places on shelves: no two overlap, all lie in what is mapped for them, and few pages have the
 * records of few slabs. */
#include "mapping/shelf.h"

#include "os/os.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* In pages, as jemalloc has them; each class gets one. */
static const size_t slab_pages[] = {1, 3, 5, 7, 2, 8};
#define KINDS (sizeof(slab_pages) / sizeof(slab_pages[0]))
#define SLABS 400u /* of each class: into the fourth piece of those of one page */

struct extent {
	size_t begin;
	size_t end;
};

static struct extent extents[2 * KSM_SHELF_CLASSES * SLABS + 1];

static int compare(const void *left, const void *right)
{
	const struct extent *a = left, *b = right;

	return a->begin < b->begin ? -1 : a->begin > b->begin;
}

static size_t slab_bytes(uint32_t size_class)
{
	return slab_pages[size_class % KINDS] << KSM_PAGE_SHIFT;
}

static void add(size_t *count, size_t begin, size_t length)
{
	extents[(*count)++] = (struct extent){begin, begin + length};
}

Test(shelf, places_do_not_overlap)
{
	struct ksm_shelf_place place;
	size_t count = 0;

	for (uint32_t class = 0; class < KSM_SHELF_CLASSES; class ++) {
		for (uint32_t number = 0; number < SLABS; number++) {
			ksm_shelf_describe(class, number, slab_bytes(class), &place);
			cr_assert_eq(place.slab % KSM_PAGE, 0);
			cr_assert_eq(place.record % KSM_SHELF_RECORD, 0);
			add(&count, place.slab, slab_bytes(class));
			add(&count, place.record, KSM_SHELF_RECORD);
		}
	}
	qsort(extents, count, sizeof(extents[0]), compare);
	for (size_t i = 1; i < count; i++)
		cr_assert(extents[i - 1].end <= extents[i].begin, "%zx and %zx overlap",
			  extents[i - 1].begin, extents[i].begin);
}

static bool is_in(const struct extent *mapped, size_t count, size_t begin, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (begin >= mapped[i].begin && begin + length <= mapped[i].end)
			return true;
	}
	return false;
}

/* What is mapped at once is mapped by its first slab: later ones lie in it, and other mappings lie
 * apart. */
Test(shelf, first_slabs_map_what_others_need)
{
	static struct extent mapped[SLABS];

	for (uint32_t class = 0; class < KSM_SHELF_CLASSES; class ++) {
		size_t count = 0;

		for (uint32_t number = 0; number < SLABS; number++) {
			struct ksm_shelf_place place;

			ksm_shelf_describe(class, number, slab_bytes(class), &place);
			if (place.is_first_of_step)
				mapped[count++] = (struct extent){place.map_begin, place.map_end};
			cr_assert_gt(count, 0);
			cr_assert_eq(place.map_begin, mapped[count - 1].begin);
			cr_assert_eq(place.map_end, mapped[count - 1].end);
			cr_assert(count < 2 || mapped[count - 2].end <= mapped[count - 1].begin);
			cr_assert(is_in(&mapped[count - 1], 1, place.slab, slab_bytes(class)));
			cr_assert(is_in(mapped, count, place.record, KSM_SHELF_RECORD));
		}
		cr_assert_eq(mapped[0].begin, 0);
	}
}

/* Besides what all classes have in common, about half as much again is mapped at most, and in few steps. */
Test(shelf, a_long_shelf_is_mapped_little_by_little)
{
	for (uint32_t class = 0; class < KINDS; class ++) {
		size_t used = 0, mapped = 0, common = 0;
		unsigned steps = 0;

		while (used < (size_t)1 << 30) {
			struct ksm_shelf_place place;

			ksm_shelf_describe(class, (uint32_t)(used / slab_bytes(class)), slab_bytes(class), &place);
			used += slab_bytes(class);
			if (!place.is_first_of_step)
				continue;
			steps++;
			mapped += place.map_end - place.map_begin;
			common = common ? common : mapped;
			cr_assert_leq(mapped, common + used + used * 9 / 16 + (1 << 20), "%zu for %zu", mapped, used);
		}
		cr_assert_leq(steps, 50);
	}
}

Test(shelf, common_mapping_is_whole_pages)
{
	struct ksm_shelf_place place;

	for (uint32_t number = 0; number < SLABS; number++) {
		ksm_shelf_describe(3, number, KSM_PAGE, &place);
		cr_assert_eq(place.map_begin % KSM_PAGE, 0);
		cr_assert_eq(place.map_end % KSM_PAGE, 0);
	}
}

/* Pages with the records of the first slab of each class, and of the first forty of one class. */
Test(shelf, few_slabs_have_few_pages_of_records)
{
	struct ksm_shelf_place place;
	size_t last = 0, pages = 0;

	for (uint32_t class = 0; class < KSM_SHELF_CLASSES; class ++) {
		ksm_shelf_describe(class, 0, slab_bytes(class), &place);
		last = place.record > last ? place.record : last;
	}
	cr_assert_lt(last, 2 * KSM_PAGE);
	last = SIZE_MAX;
	for (uint32_t number = 0; number < 40; number++) {
		ksm_shelf_describe(2, number, KSM_PAGE, &place);
		pages += place.record / KSM_PAGE != last;
		last = place.record / KSM_PAGE;
	}
	cr_assert_leq(pages, 7);
}
