/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small blocks that stand for others where they lie: each has its mark until it is freed or resized, however that is done, and
 * others of its page lose theirs only if the page is in use all the time. jemalloc's calls are the real ones.
 */
#include "arena/watched.h"

#include "calls/start.h"
#include "origin/mark.h"
#include "segment/stat.h"
#include "system/option.h"

#include <criterion/criterion.h>
#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define PAGE	4096u
#define SIZE	64u
#define A_PAGE	(PAGE / SIZE)
#define WEIGHT	(64 * KSM_KIB)
#define TOSSED	4096u /* so many frees of others are a reason to ask whether the page is hot */

void __real_ksm_heap_watched(const void *block, size_t usize);
void __wrap_ksm_heap_watched(const void *block, size_t usize);

/* Frees that jemalloc has told of. */
static unsigned int told;

void __wrap_ksm_heap_watched(const void *block, size_t usize)
{
	told++;
	__real_ksm_heap_watched(block, usize);
}

/* The library itself picks no block, not even the one that was due. */
static void setup(void)
{
	cr_assert(ksm_start_slots_wait());
	ksm_options.mark_bytes = 0;
	for (int i = 0; i < 200; i++)
		cr_assert_not_null(ksm_je_malloc(KSM_KIB));
}

TestSuite(watched, .init = setup, .timeout = KSM_CASE_SECONDS);

/* All blocks of a page, in the order of their addresses. */
static void take_page(void *blocks[A_PAGE])
{
	void *block;

	/* In the shared layout and in the private one a fresh slab begins on a page. */
	for (;;) {
		block = ksm_je_malloc(SIZE);
		if ((uintptr_t)block % PAGE == 0)
			break;
	}
	blocks[0] = block;
	for (size_t found = 1; found < A_PAGE;) {
		block = ksm_je_malloc(SIZE);
		if ((uintptr_t)block / PAGE != (uintptr_t)blocks[0] / PAGE)
			continue;
		cr_assert_null(blocks[(uintptr_t)block % PAGE / SIZE]);
		blocks[(uintptr_t)block % PAGE / SIZE] = block;
		found++;
	}
}

Test(watched, test_each_has_a_mark_until_it_is_freed)
{
	void *blocks[A_PAGE] = {0};
	uint32_t before = ksm_mark_count();

	take_page(blocks);
	ksm_watched_add(blocks[3], SIZE, 1, WEIGHT);
	ksm_watched_add(blocks[9], SIZE, 1, WEIGHT);
	cr_assert_eq(ksm_mark_count(), before + 2);
	cr_assert_eq(ksm_watched_count(), 2);

	ksm_je_free(blocks[4]);
	cr_assert_eq(told, 1, "others of the page are not told of");
	cr_assert_eq(ksm_watched_count(), 2, "a block that has no mark has ended one");
	ksm_je_free(blocks[3]);
	cr_assert_eq(ksm_mark_count(), before + 1);
	ksm_je_free(blocks[9]);
	cr_assert_eq(ksm_mark_count(), before);
	cr_assert_eq(ksm_watched_count(), 0);

	told = 0;
	for (size_t i = 10; i < A_PAGE; i++)
		ksm_je_free(blocks[i]);
	cr_assert_eq(told, 0, "a page is watched on whose last mark has ended");
}

Test(watched, test_realloc_ends_a_mark_whether_the_block_moves_or_not)
{
	void *block = ksm_je_malloc(SIZE);
	void *same;

	ksm_watched_add(block, SIZE, 1, WEIGHT);
	same = ksm_je_realloc(block, SIZE - 8);
	cr_assert_eq(same, block);
	cr_assert_eq(ksm_watched_count(), 0);
	ksm_watched_add(same, SIZE, 1, WEIGHT);
	block = ksm_je_realloc(same, 40 * SIZE);
	cr_assert_neq(block, same);
	cr_assert_eq(ksm_watched_count(), 0);
	ksm_je_free(block);
}

Test(watched, test_sizes_and_content_are_what_they_were)
{
	unsigned char *block = ksm_je_malloc(SIZE);

	memset(block, 7, SIZE);
	ksm_watched_add(block, SIZE, 1, WEIGHT);
	cr_assert_eq(ksm_je_malloc_usable_size(block), SIZE);
	cr_assert_eq(ksm_watched_count(), 1, "who asks for a size ends the mark");
	for (size_t i = 0; i < SIZE; i++)
		cr_assert_eq(block[i], 7);
	ksm_je_free(block);
}

/* Without a thread cache, as at a thread's end, jemalloc asks its tree again. */
Test(watched, test_blocks_are_small_ones_without_a_cache_too)
{
	for (int i = 0; i < 1000; i++) {
		void *marked = ksm_je_mallocx(SIZE, MALLOCX_TCACHE_NONE);
		void *other = ksm_je_mallocx(SIZE, MALLOCX_TCACHE_NONE);

		ksm_watched_add(marked, SIZE, 1, WEIGHT);
		ksm_je_dallocx(other, MALLOCX_TCACHE_NONE);
		cr_assert_eq(ksm_watched_count(), 1);
		ksm_je_dallocx(marked, MALLOCX_TCACHE_NONE);
		cr_assert_eq(ksm_watched_count(), 0);
	}
}

Test(watched, test_a_double_free_ends_the_program, .signal = SIGABRT)
{
	void *block = ksm_je_malloc(SIZE);

	ksm_watched_add(block, SIZE, 1, WEIGHT);
	ksm_je_free(block);
	ksm_je_free(block);
}

Test(watched, test_a_pointer_into_a_block_ends_the_program, .signal = SIGABRT)
{
	char *block = ksm_je_malloc(SIZE);

	ksm_watched_add(block, SIZE, 1, WEIGHT);
	ksm_je_free(block + 8);
}

/* What all marks stand for by the segment, which is what readers see. */
static uint64_t told_weight(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < ksm_stat->header.marks.count; i++) {
		if (ksm_stat->marks[i].address && ksm_stat->marks[i].kind == KSMALLOC_MARK_SMALL)
			sum += ksm_stat->marks[i].weight;
	}
	return sum;
}

#define PAGES 1000u

static void *marked_of[PAGES], *other_of[PAGES];

static bool is_known(const void *block, size_t pages)
{
	for (size_t i = 0; i < pages; i++) {
		if ((uintptr_t)marked_of[i] / PAGE == (uintptr_t)block / PAGE)
			return true;
	}
	return false;
}

/* One block of each page has a mark; of most pages two are handed out one after the other. */
static void mark_pages(void)
{
	void *last = ksm_je_malloc(SIZE);

	for (size_t i = 0; i < PAGES;) {
		void *block = ksm_je_malloc(SIZE);

		if ((uintptr_t)block / PAGE == (uintptr_t)last / PAGE && !is_known(block, i)) {
			marked_of[i] = block;
			other_of[i++] = last;
			ksm_watched_add(block, SIZE, 1, WEIGHT);
		}
		last = block;
	}
}

/* So many frees of others on each page, during which so much is allocated in all. */
static void use_pages(uint32_t frees, uint64_t allocated)
{
	for (size_t i = 0; i < PAGES; i++) {
		ksm_watched_count_allocated(allocated);
		for (uint32_t k = 0; k < frees; k++)
			ksm_watched_freed(other_of[i], SIZE);
	}
}

Test(watched, test_marks_of_pages_in_use_all_the_time_are_half_as_many_that_stand_for_as_much)
{
	uint64_t freed;

	mark_pages();
	freed = ksm_stat->origins[1].stats.sampled_freed_bytes_total;
	for (uint32_t turn = 1; turn <= 3; turn++) {
		uint32_t count;

		use_pages(TOSSED, 0);
		count = ksm_watched_count();
		cr_assert_gt(count, (PAGES >> turn) * 3 / 5);
		cr_assert_lt(count, (PAGES >> turn) * 7 / 5);
		cr_assert_eq(told_weight(), count * (WEIGHT << turn));
		cr_assert_eq(ksm_stat->origins[1].stats.sampled_freed_bytes_total, freed, "nobody has freed those that were tossed away");
	}
	/* Those that were tossed away are forgotten, and freed as others are; so are the rest. */
	for (size_t i = 0; i < PAGES; i++)
		ksm_je_free(marked_of[i]);
	cr_assert_eq(ksm_watched_count(), 0);
	cr_assert_eq(told_weight(), 0);
}

Test(watched, test_marks_of_pages_in_usual_use_stay)
{
	mark_pages();
	/* Each page has a hundredth of all frees. */
	use_pages(TOSSED, UINT64_C(100) * TOSSED * SIZE);
	use_pages(TOSSED - 1, 0);
	cr_assert_eq(ksm_watched_count(), PAGES);
	cr_assert_eq(told_weight(), PAGES * WEIGHT);
}

Test(watched, test_more_than_there_is_room_for_are_counted)
{
	enum { MANY = 50000, EACH = 8 };
	static void *blocks[MANY];
	uint64_t dropped = ksm_stat->header.marks_dropped_total;

	for (size_t i = 0; i < MANY; i++) {
		for (size_t k = 0; k < EACH; k++)
			blocks[i] = ksm_je_malloc(SIZE);
		ksm_watched_add(blocks[i], SIZE, 1, WEIGHT);
	}
	cr_assert_gt(ksm_watched_count(), 20000);
	cr_assert_eq(ksm_stat->header.marks_dropped_total - dropped, MANY - ksm_watched_count());
	for (size_t i = 0; i < MANY; i++)
		ksm_je_free(blocks[i]);
	cr_assert_eq(ksm_watched_count(), 0);
}

#define THREADS 4u
#define CELLS	256u
#define TURNS	100000u

static _Atomic(void *) cells[CELLS];

/* Takes a block out of a cell, whoever has put it there, and puts a new one in its place. */
static void *exchange(void *argument)
{
	unsigned int random = (unsigned int)(uintptr_t)argument;

	for (uint32_t i = 0; i < TURNS; i++) {
		size_t size = 16u << rand_r(&random) % 6;
		void *block = ksm_je_malloc(size);

		cr_assert_not_null(block);
		if (rand_r(&random) % 4 == 0)
			ksm_watched_add(block, size, 1, WEIGHT);
		block = atomic_exchange(&cells[(uint32_t)rand_r(&random) % CELLS], block);
		if (block && rand_r(&random) % 4 == 0)
			block = ksm_je_realloc(block, 16u << rand_r(&random) % 6);
		ksm_je_free(block);
	}
	return NULL;
}

Test(watched, test_threads_free_each_others_blocks)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, exchange, (void *)(i + 1)), 0);
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 0; i < CELLS; i++)
		ksm_je_free(atomic_load(&cells[i]));
	cr_assert_eq(ksm_watched_count(), 0);
	cr_assert_eq(told_weight(), 0);
}
