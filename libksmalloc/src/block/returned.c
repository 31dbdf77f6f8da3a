/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs of one length lie together in packets of two cache lines, so that finding some takes no search, and a
 * thread that takes them waits for the other's cache once a packet.
 */
#include "block/returned.h"

#include "slot/keep.h"
#include "system/lock.h"
#include "system/meta.h"
#include "segment/stat.h"

#include <stdatomic.h>

/* Runs that may come one after the other: programs hand over as many blocks before the other thread gets its turn. */
#define UNTAKEN_RUNS 320u

/* Room for more: what is left of earlier turns is seldom of the lengths that are asked for next. */
#define PACKETS 128u

#define UNSEEN ((int64_t)(KSM_MIB >> KSM_PAGE_SHIFT))

/* Tries to get the flag: longer than another thread that runs keeps it, and less than a way round takes. */
#define SPINS 100u

#define PACKET_RUNS 6u

struct packet {
	uint32_t values[PACKET_RUNS];
	uint32_t count;
	uint32_t next; /* number of the next one of the same length, or that is unused; 0 for none */
	struct ksm_stock_run runs[PACKET_RUNS];
};

struct ksm_returned {
	_Alignas(64) atomic_bool busy; /* tried for a moment, never waited for. Protects the other members. */
	struct ksmalloc_segment_tally *tally;
	int64_t pages; /* of all packets */
	int64_t seen;  /* of them, in the counts of all pools */
	uint32_t untaken;      /* runs that came since one was taken: where nobody asks they are of no use */
	uint32_t unused;       /* number of the first packet that has been used and is not */
	uint32_t unused_count; /* packets that are not in use, with those that never were */
	uint32_t used_before;  /* packets that have been used; so the rest of their memory is not touched */
	/* By length less one, the number of its first packet; 0 for none. Synchronization: atomic. */
	_Alignas(64) uint8_t first[KSM_RETURNED_PAGES];
	_Alignas(64) struct packet packets[PACKETS]; /* their numbers begin with 1 */
};

static_assert(sizeof(struct packet) % 64 == 0 && PACKETS <= UINT8_MAX, "numbers and lines of packets");

static atomic_int_fast64_t all_pages; /* of all pools */

/* The pool's returned runs with their flag, or NULL. */
static struct ksm_returned *enter(struct ksm_pool *pool)
{
	struct ksm_returned *returned = __atomic_load_n(&pool->returned, __ATOMIC_ACQUIRE);

	for (uint32_t spins = 0; returned && spins < SPINS; spins++) {
		if (!atomic_load_explicit(&returned->busy, memory_order_relaxed) &&
		    !atomic_exchange_explicit(&returned->busy, true, memory_order_acquire))
			return returned;
		ksm_lock_relax();
	}
	return NULL;
}

static void leave(struct ksm_returned *returned)
{
	atomic_store_explicit(&returned->busy, false, memory_order_release);
}

/*
 * Counts pages that come, or go if there are less than none. They are at hand meanwhile. What all pools
 * count together sees that when it is a MiB more or less: processors' caches need not wait for each run.
 */
static void count_pages(struct ksm_returned *returned, int64_t pages)
{
	int64_t unseen;

	returned->pages += pages;
	ksm_stat_set(&returned->tally->cached_bytes, (uint64_t)returned->pages << KSM_PAGE_SHIFT);
	unseen = returned->pages - returned->seen;
	if (unseen < UNSEEN && unseen > -UNSEEN && returned->pages > 0)
		return;
	returned->seen = returned->pages;
	atomic_fetch_add_explicit(&all_pages, unseen, memory_order_relaxed);
	ksm_keep_at_hand(unseen);
}

KSM_COLD static void make(struct ksm_pool *pool)
{
	struct ksmalloc_segment_tally *tally = ksm_stat_add_tally();
	struct ksm_returned *returned = tally ? ksm_meta_alloc(sizeof(*returned)) : NULL;
	struct ksm_returned *none = NULL;

	if (!returned)
		return;
	returned->tally = tally;
	returned->unused_count = PACKETS;
	tally->site = pool->site;
	/* Another thread may have been faster: two rows of the table are lost then, once a pool. */
	__atomic_compare_exchange_n(&pool->returned, &none, returned, false, __ATOMIC_RELEASE,
				    __ATOMIC_RELAXED);
}

/* --- packets; the flag is held ------------------------------------------------------------- */

/* The number of the first packet of a length; needs no flag. */
static uint32_t first_of(const struct ksm_returned *returned, uint32_t pages)
{
	return __atomic_load_n(&returned->first[pages - 1], __ATOMIC_RELAXED);
}

static void set_first(struct ksm_returned *returned, uint32_t pages, uint32_t number)
{
	__atomic_store_n(&returned->first[pages - 1], (uint8_t)number, __ATOMIC_RELAXED);
}

static struct packet *packet_at(struct ksm_returned *returned, uint32_t number)
{
	return &returned->packets[number - 1];
}

/* Makes an empty packet the first of a length; there is one that is not in use. */
static struct packet *begin_packet(struct ksm_returned *returned, uint32_t pages)
{
	uint32_t number = returned->unused;
	struct packet *packet;

	if (number == 0)
		number = ++returned->used_before;
	packet = packet_at(returned, number);
	if (number == returned->unused)
		returned->unused = packet->next;
	returned->unused_count--;
	packet->count = 0;
	packet->next = first_of(returned, pages);
	set_first(returned, pages, number);
	return packet;
}

/* The first packet of a length is empty. */
static void end_packet(struct ksm_returned *returned, uint32_t pages)
{
	uint32_t number = first_of(returned, pages);
	struct packet *packet = packet_at(returned, number);

	set_first(returned, pages, packet->next);
	packet->next = returned->unused;
	returned->unused = number;
	returned->unused_count++;
}

static void put_run(struct ksm_returned *returned, struct ksm_stock_run run, uint32_t value)
{
	uint32_t pages = ksm_run_pages(value);
	uint32_t number = first_of(returned, pages);
	struct packet *packet = number ? packet_at(returned, number) : NULL;

	if (!packet || packet->count == PACKET_RUNS)
		packet = begin_packet(returned, pages);
	packet->values[packet->count] = value;
	packet->runs[packet->count] = run;
	packet->count++;
}

/*
 * Puts the run last into its packet that needs the least clearing for a block with entry wanted: of those whose last
 * block was not longer the newest one, else that whose last block was the shortest. They lie in the cache lines
 * that are read anyway.
 */
static void put_best_last(struct packet *packet, uint32_t wanted)
{
	uint32_t last = packet->count - 1;
	uint32_t best = last;
	uint32_t value = packet->values[last];
	struct ksm_stock_run run = packet->runs[last];

	for (uint32_t i = last; i > 0 && packet->values[best] < wanted; i--) {
		if (packet->values[i - 1] > packet->values[best])
			best = i - 1;
	}
	packet->values[last] = packet->values[best];
	packet->runs[last] = packet->runs[best];
	packet->values[best] = value;
	packet->runs[best] = run;
}

/* Takes out the newest run of a length that there is. */
static struct ksm_stock_run take_run(struct ksm_returned *returned, uint32_t pages, uint32_t *value)
{
	struct packet *packet = packet_at(returned, first_of(returned, pages));
	struct ksm_stock_run run;

	packet->count--;
	*value = packet->values[packet->count];
	run = packet->runs[packet->count];
	if (packet->count == 0)
		end_packet(returned, pages);
	return run;
}

/* --- calls ---------------------------------------------------------------------------------- */

bool ksm_returned_give(struct ksm_pool *pool, const struct ksm_stock *stock, uint32_t count,
		       int64_t most)
{
	uint32_t pages = ksm_stock_pages(stock, count);
	struct ksm_returned *returned;
	bool has_room;

	if (atomic_load_explicit(&all_pages, memory_order_relaxed) + pages > most)
		return false;
	if (!__atomic_load_n(&pool->returned, __ATOMIC_RELAXED))
		make(pool);
	returned = enter(pool);
	if (!returned)
		return false;
	/* Each run may need a packet. */
	has_room = returned->unused_count >= count && returned->untaken + count <= UNTAKEN_RUNS;
	for (uint32_t i = 0; has_room && i < count; i++)
		put_run(returned, stock->runs[i], stock->values[i]);
	if (has_room) {
		returned->untaken += count;
		count_pages(returned, pages);
	}
	leave(returned);
	return has_room;
}

bool ksm_returned_has(const struct ksm_pool *pool, size_t size)
{
	const struct ksm_returned *returned = __atomic_load_n(&pool->returned, __ATOMIC_ACQUIRE);
	uint64_t pages = ksm_run_pages_for(size);

	return returned && pages - 1 < KSM_RETURNED_PAGES && first_of(returned, (uint32_t)pages) != 0;
}

bool ksm_returned_take(struct ksm_pool *pool, size_t size, uint32_t most, struct ksm_returned_few *few)
{
	uint32_t pages = (uint32_t)ksm_run_pages_for(size);
	struct ksm_returned *returned;

	few->count = 0;
	if (!ksm_returned_has(pool, size))
		return false;
	returned = enter(pool);
	if (!returned)
		return false;
	most = (uint32_t)ksm_min(most, KSM_RETURNED_FEW);
	if (first_of(returned, pages) != 0)
		put_best_last(packet_at(returned, first_of(returned, pages)), ksm_run_entry_of(pages, size));
	while (few->count < most && first_of(returned, pages) != 0) {
		few->runs[few->count] = take_run(returned, pages, &few->values[few->count]);
		few->count++;
	}
	if (few->count > 0) {
		returned->untaken = 0;
		count_pages(returned, -(int64_t)few->count * pages);
	}
	leave(returned);
	return few->count > 0;
}

bool ksm_returned_drain(struct ksm_pool *pool, struct ksm_stock *stock)
{
	struct ksm_returned *returned = enter(pool);
	uint32_t value;

	stock->count = 0;
	if (!returned)
		return false;
	for (uint32_t pages = 1; pages <= KSM_RETURNED_PAGES; pages++) {
		while (stock->count < KSM_STOCK_RUNS && first_of(returned, pages) != 0) {
			struct ksm_stock_run run = take_run(returned, pages, &value);

			ksm_stock_put(stock, run, value);
		}
	}
	returned->untaken = 0;
	if (stock->count > 0)
		count_pages(returned, -(int64_t)ksm_stock_pages(stock, stock->count));
	leave(returned);
	return stock->count > 0;
}

void ksm_returned_postfork_child(struct ksm_pool *pool)
{
	struct ksm_returned *returned = pool->returned;

	if (!returned || !atomic_load_explicit(&returned->busy, memory_order_relaxed))
		return;
	atomic_fetch_sub_explicit(&all_pages, returned->seen, memory_order_relaxed);
	ksm_keep_at_hand(-returned->seen);
	pool->returned = NULL;
}
