/* SPDX-License-Identifier: BSD-2-Clause */
#include "pages.h"

#include <stdint.h>

/* --- what is used of ruby -------------------------------------------------------------------------- */

/* As in ruby's gc.c. The first word of a page points to its record. */
struct record {
	short slot_bytes;
	short slots;
	short free_slots;
	short pinned_slots;
	short final_slots;
	unsigned int flags;
	struct pool *pool;
	struct record *next_free;
	uintptr_t begin;
};

struct pool {
	short slot_bytes;
	size_t pages_to_make;
	struct record *next; /* where new objects go to when the page in use is full */
	void *all[2];
	struct record *to_sweep; /* NULL when all are swept */
	void *compacting[2];
	struct record *pooled;
	size_t pages;
	size_t slots;
};

#define SLOT_BYTES 40
#define LEAST_SLOTS 408 /* of a page */
#define MOST_SLOTS 409

/* All of ruby's pages. Synchronization: ruby's lock, as all below. */
static struct pool *pool;

static bool are_as_known(uintptr_t begin, size_t slots, const struct record *record)
{
	const struct pool *of = record->pool;

	return record->begin == begin && record->slot_bytes == SLOT_BYTES && (size_t)record->slots == slots &&
	       of->slot_bytes == SLOT_BYTES && of->pages && of->slots >= of->pages * LEAST_SLOTS &&
	       of->slots <= of->pages * MOST_SLOTS;
}

bool krb_pages_start(const void *begin, const void *end, size_t slot_bytes)
{
	uintptr_t first = (uintptr_t)begin;
	uintptr_t page = krb_page_of(first);
	size_t slots = ((uintptr_t)end - first) / SLOT_BYTES;
	const struct record *record;

	if (slot_bytes != SLOT_BYTES || slots < LEAST_SLOTS || slots > MOST_SLOTS ||
	    first - page < sizeof(record) || first - page > SLOT_BYTES + sizeof(record))
		return false;
	record = *(struct record *const *)page;
	if (!are_as_known(first, slots, record))
		return false;
	pool = record->pool;
	return true;
}

size_t krb_pages_count(void)
{
	return pool->pages;
}

/* --- after a sweep --------------------------------------------------------------------------------- */

/* Pages with fewer free slots than this, of some 400, are left. */
#define FEW_SLOTS 16

/* One in so many pages is one that boundaries go on at. */
#define PAGES_APART 2

#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

/* No page is taken before one that boundaries go on at. */
static bool skips;

static bool is_mark(const struct record *record)
{
	return (record->begin / KRB_PAGE_BYTES * MULTIPLIER >> 32) % PAGES_APART == 0;
}

static bool is_taken(const struct record *record)
{
	if (record->free_slots < FEW_SLOTS)
		return false;
	skips = skips && !is_mark(record);
	return !skips;
}

/* Ruby has put each page before the last one. */
static struct record *reverse(struct record *record)
{
	struct record *reversed = NULL;

	while (record) {
		struct record *next = record->next_free;

		record->next_free = reversed;
		reversed = record;
		record = next;
	}
	return reversed;
}

/* Where others are to be swept ruby must get a page: it makes a new one else, and sweeps that. */
static unsigned int choose(struct record *swept)
{
	struct record **end = &pool->next;
	struct record *spare = swept;
	unsigned int taken = 0;

	*end = NULL;
	while (swept) {
		struct record *next = swept->next_free;

		swept->next_free = NULL;
		if (is_taken(swept)) {
			*end = swept;
			end = &swept->next_free;
			taken++;
		} else if (swept->free_slots > spare->free_slots) {
			spare = swept;
		}
		swept = next;
	}
	if (taken || !pool->to_sweep)
		return taken;
	pool->next = spare;
	return 1;
}

/* Where ruby has swept all at once the program has asked for it, or there is not much. */
unsigned int krb_pages_swept(size_t collections)
{
	static size_t last_collections;
	static const struct record *last_to_sweep;
	bool is_new = collections != last_collections;

	if (!is_new && pool->to_sweep == last_to_sweep)
		return 0;
	skips = skips && !is_new;
	last_collections = collections;
	last_to_sweep = pool->to_sweep;
	if (!pool->next || (is_new && !pool->to_sweep))
		return 0;
	return choose(reverse(pool->next));
}

void krb_pages_skip(void)
{
	while (pool->next && !is_mark(pool->next))
		pool->next = pool->next->next_free;
	skips = pool->to_sweep && !pool->next;
}
