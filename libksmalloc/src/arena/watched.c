/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three tables, each eight times as large as the one before, of sets of eight rows. A page belongs to one set of each, by
 * its hash; a block is in the first of them that has room, so that a process with few marks touches few pages of the tables.
 * Rows do not move, so that they are found without the lock.
 */
#include "arena/watched.h"

#include "origin/mark.h"
#include "os/os.h"
#include "segment/stat.h"
#include "system/lock.h"
#include "system/steps.h"

#include <pthread.h>
#include <stdatomic.h>

#define TABLES	   3u
#define WAYS	   8u /* addresses of a set are one line of the processor's cache */
#define FIRST_SETS 64u
#define GROWTH	   8u
#define ROWS	   ((FIRST_SETS + FIRST_SETS * GROWTH + FIRST_SETS * GROWTH * GROWTH) * WAYS)
#define NO_ROW	   ROWS

/* After so many frees of others on a page it is asked whether they are more than this part of what is freed. */
#define PASSES	4096u
#define PART_OF 8u

struct row {
	uint32_t mark;
	uint32_t passes; /* frees of others on the page since then; of the first of a page only. Nobody needs it exactly. */
	uint64_t since;	 /* allocated bytes when these began to be counted */
	uint64_t weight;
};

/* Synchronization: a row is written before its block is anybody's but the caller's; taken and freed under the lock. */
static _Alignas(64) atomic_uintptr_t blocks[ROWS] KSM_SPARSE; /* 0: the row is free */
static struct row rows[ROWS] KSM_SPARSE;

static pthread_mutex_t lock = KSM_LOCK_INITIALIZER; /* Protects who has a row, and which pages are watched. */
static atomic_uint watched;
static atomic_uint tables_in_use; /* less one */
static atomic_uint_fast64_t allocated;

/* See third_party/jemalloc/patches. */
void ksm_je_watch(const void *block, bool is_watched);

/* The first row of the set that a page has in a table. */
static uint32_t set_of(uintptr_t page, uint32_t table)
{
	uint32_t first = 0;
	uint32_t sets = FIRST_SETS;

	for (; table > 0; table--) {
		first += sets * WAYS;
		sets *= GROWTH;
	}
	return first + (uint32_t)ksm_steps_mix(page, sets) * WAYS;
}

static uintptr_t page_of(uintptr_t block)
{
	return block >> KSM_PAGE_SHIFT;
}

/* The row of a block, or NO_ROW; and the first one of its page. */
static uint32_t find(uintptr_t block, uint32_t *of_page)
{
	uint32_t last = atomic_load_explicit(&tables_in_use, memory_order_acquire);
	uintptr_t page = page_of(block);

	*of_page = NO_ROW;
	for (uint32_t table = 0; table <= last; table++) {
		uint32_t set = set_of(page, table);

		for (uint32_t row = set; row < set + WAYS; row++) {
			uintptr_t other = atomic_load_explicit(&blocks[row], memory_order_acquire);

			if (page_of(other) != page)
				continue;
			if (*of_page == NO_ROW)
				*of_page = row;
			if (other == block)
				return row;
		}
	}
	return NO_ROW;
}

static uint32_t find_free_locked(uintptr_t page)
{
	for (uint32_t table = 0; table < TABLES; table++) {
		uint32_t set = set_of(page, table);

		for (uint32_t row = set; row < set + WAYS; row++) {
			if (atomic_load_explicit(&blocks[row], memory_order_relaxed))
				continue;
			if (table > atomic_load_explicit(&tables_in_use, memory_order_relaxed))
				atomic_store_explicit(&tables_in_use, table, memory_order_release);
			return row;
		}
	}
	return NO_ROW;
}

/* The row is free; the mark is the caller's to drop. */
static uint32_t free_row_locked(uint32_t row)
{
	uintptr_t block = atomic_load_explicit(&blocks[row], memory_order_relaxed);
	uint32_t of_page;

	atomic_store_explicit(&blocks[row], 0, memory_order_release);
	atomic_fetch_sub_explicit(&watched, 1, memory_order_relaxed);
	find(block, &of_page);
	if (of_page == NO_ROW)
		ksm_je_watch((const void *)block, false);
	return rows[row].mark;
}

void ksm_watched_add(const void *block, size_t size, uint32_t origin, uint64_t weight)
{
	const struct ksm_mark_of of = { .weight = weight, .origin = origin, .kind = KSMALLOC_MARK_SMALL };
	uint32_t mark = ksm_mark_add((uintptr_t)block, size, &of);
	uint32_t row;

	if (mark == KSM_MARK_NONE)
		return;
	ksm_lock_take(&lock);
	row = find_free_locked(page_of((uintptr_t)block));
	if (row != NO_ROW) {
		rows[row] = (struct row){ .mark = mark, .weight = weight, .since = atomic_load(&allocated) };
		atomic_store_explicit(&blocks[row], (uintptr_t)block, memory_order_release);
		atomic_fetch_add_explicit(&watched, 1, memory_order_relaxed);
		ksm_je_watch(block, true);
	}
	pthread_mutex_unlock(&lock);
	if (row != NO_ROW)
		return;
	ksm_mark_drop(mark);
	ksm_stat_add(&ksm_stat->header.marks_dropped_total, 1);
}

static void end(uintptr_t block)
{
	uint32_t mark = KSM_MARK_NONE;
	uint32_t row, of_page;

	ksm_lock_take(&lock);
	/* It may have been tossed up meanwhile. */
	row = find(block, &of_page);
	if (row != NO_ROW)
		mark = free_row_locked(row);
	pthread_mutex_unlock(&lock);
	ksm_mark_drop(mark);
}

/* Every other mark, by what looks like chance. */
static bool is_to_end(uintptr_t block, const struct row *row)
{
	return ksm_steps_mix(block ^ row->weight ^ row->since << 16, 2) == 0;
}

/* Of a page that is in use more than all others. */
static void toss_up(uintptr_t page)
{
	uint64_t now = atomic_load(&allocated);

	ksm_lock_take(&lock);
	for (uint32_t table = 0; table < TABLES; table++) {
		uint32_t set = set_of(page, table);

		for (uint32_t row = set; row < set + WAYS; row++) {
			uintptr_t block = atomic_load_explicit(&blocks[row], memory_order_relaxed);

			if (page_of(block) != page)
				continue;
			if (is_to_end(block, &rows[row])) {
				ksm_mark_forget(free_row_locked(row));
				continue;
			}
			rows[row].weight *= 2;
			rows[row].passes = 0;
			rows[row].since = now;
			ksm_mark_weigh(rows[row].mark, rows[row].weight);
		}
	}
	pthread_mutex_unlock(&lock);
}

/* A block that has no mark; row is the first of its page. */
static void pass(uintptr_t page, uint32_t row, size_t size)
{
	uint64_t now;

	if (__atomic_add_fetch(&rows[row].passes, 1, __ATOMIC_RELAXED) < PASSES)
		return;
	now = atomic_load_explicit(&allocated, memory_order_relaxed);
	if (now - __atomic_load_n(&rows[row].since, __ATOMIC_RELAXED) < (uint64_t)PASSES * size * PART_OF) {
		toss_up(page);
		return;
	}
	__atomic_store_n(&rows[row].since, now, __ATOMIC_RELAXED);
	__atomic_store_n(&rows[row].passes, 0, __ATOMIC_RELAXED);
}

void ksm_watched_freed(const void *block, size_t size)
{
	uint32_t of_page;

	if (find((uintptr_t)block, &of_page) != NO_ROW)
		end((uintptr_t)block);
	/* Else its last mark has ended a moment ago. */
	else if (of_page != NO_ROW)
		pass(page_of((uintptr_t)block), of_page, size);
}

void ksm_watched_count_allocated(uint64_t bytes)
{
	atomic_fetch_add_explicit(&allocated, bytes, memory_order_relaxed);
}

uint32_t ksm_watched_count(void)
{
	return atomic_load_explicit(&watched, memory_order_relaxed);
}

void ksm_watched_prefork(void)
{
	pthread_mutex_lock(&lock);
}

void ksm_watched_postfork_parent(void)
{
	pthread_mutex_unlock(&lock);
}

void ksm_watched_postfork_child(void)
{
	ksm_lock_init(&lock);
}
