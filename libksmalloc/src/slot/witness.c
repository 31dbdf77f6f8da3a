/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slabs of one page, or of four for larger blocks, each for one size class, in the order in which they were needed.
 * What is known of a block lies outside of them.
 */
#include "slot/witness.h"

#include "system/fatal.h"
#include "system/lock.h"
#include "origin/mark.h"
#include "system/meta.h"
#include "slot/slot.h"
#include "layout/span.h"

#include <pthread.h>
#include <stdatomic.h>

#define SMALLEST     16u
#define CLASSES	     11u /* from there to the largest, each twice as long as the one before: each takes pages of its own */
#define PAGES	     16384u /* of witnesses, at most */
#define TABLE_PAGES  1024u  /* that a table tells of */
#define SMALL	     1024u  /* blocks up to this size have slabs of one page */
#define LARGER_PAGES 4u

struct record {
	void *stand_in; /* NULL: it is free */
	uint32_t mark;
	union {
		uint32_t size;	    /* of the block and its stand-in */
		uint32_t next_free; /* number plus one, 0 is none */
	};
};

struct slab {
	struct slab *next; /* with room, of the same class */
	uintptr_t address;
	struct record *records;
	uint32_t size;
	uint32_t count;
	uint32_t used;
	uint32_t first_free; /* number plus one */
	bool has_room;	     /* it is in the list */
};

/* Of the process: in the shared layout, where parts of it lie apart, there are no witnesses. */
static struct {
	struct ksm_pool pool;
	struct slab *slabs_with_room[CLASSES];
	/* By page from the base on. Synchronization: written once, before a block of the slab is anybody's. */
	_Atomic(struct slab *) *slab_at[PAGES / TABLE_PAGES];
	uint32_t next_page; /* the first that has no slab */
} all KSM_SPARSE;

/* Of no site, and beyond those of nurseries. */
#define POOL_ID UINT64_C(0x100)

static pthread_mutex_t lock = KSM_LOCK_INITIALIZER; /* Protects all. */
static atomic_uint witnesses;

static uint32_t class_of(size_t size)
{
	return size <= SMALLEST ? 0 : 64 - (uint32_t)__builtin_clzll((size - 1) / SMALLEST);
}

/* The slot of witnesses that an address lies in; NULL if it lies in none. */
static struct ksm_slot *slot_of(const void *address)
{
	struct ksm_slot *slot = ksm_span_holds(address) ? ksm_span_slot_at(address) : NULL;

	return slot && slot->pool->has_witnesses ? slot : NULL;
}

bool ksm_witness_holds(const void *block)
{
	return slot_of(block);
}

static struct slab *slab_of(const struct ksm_slot *slot, const void *witness)
{
	uintptr_t page = ((uintptr_t)witness - slot->base) >> KSM_PAGE_SHIFT;
	_Atomic(struct slab *) *table = page < PAGES ? all.slab_at[page / TABLE_PAGES] : NULL;

	return table ? atomic_load_explicit(&table[page % TABLE_PAGES], memory_order_acquire) : NULL;
}

/* Pages of one slab have one table. */
static bool has_table(void)
{
	_Atomic(struct slab *) **table = &all.slab_at[all.next_page / TABLE_PAGES];

	if (!*table)
		*table = ksm_meta_alloc(TABLE_PAGES * sizeof(**table));
	return *table;
}

static void init_pool(void)
{
	all.pool.lock = &lock;
	all.pool.site_id = POOL_ID;
	all.pool.seed = POOL_ID;
	all.pool.name = "ksmalloc:marked";
	all.pool.has_owners = true;
	all.pool.has_witnesses = true;
}

/* Maps so many pages more. There is one slot. */
static bool grow_locked(uint32_t pages)
{
	struct ksm_slot *slot = all.pool.first;

	if (!slot && ksm_slot_create(&all.pool, &slot) != 0)
		return false;
	return all.next_page + pages <= PAGES && has_table() &&
	       ksm_slot_reserve(slot, all.next_page + pages) == 0;
}

static struct slab *create_slab_locked(uint32_t class)
{
	size_t size = (size_t)SMALLEST << class;
	uint32_t pages = size <= SMALL ? 1 : LARGER_PAGES;
	uint32_t count = (uint32_t)(pages * KSM_PAGE / size);
	struct slab *slab = ksm_meta_alloc(sizeof(*slab));
	struct record *records = slab ? ksm_meta_alloc(count * sizeof(*records)) : NULL;

	/* The largest blocks are aligned to their size, too. */
	all.next_page = (uint32_t)ksm_align_up(all.next_page, pages);
	if (!records || !grow_locked(pages))
		return NULL;
	*slab = (struct slab){ .records = records, .size = (uint32_t)size, .count = count,
			       .address = (uintptr_t)ksm_slot_address(all.pool.first, all.next_page) };
	for (uint32_t i = 0; i < pages; i++)
		atomic_store_explicit(
			&all.slab_at[all.next_page / TABLE_PAGES][all.next_page % TABLE_PAGES + i], slab,
			memory_order_release);
	all.next_page += pages;
	return slab;
}

static void put_first(struct slab *slab)
{
	struct slab **list = &all.slabs_with_room[class_of(slab->size)];

	slab->next = *list;
	slab->has_room = true;
	*list = slab;
}

static struct slab *obtain_slab_locked(uint32_t class)
{
	struct slab *slab = all.slabs_with_room[class];

	if (slab)
		return slab;
	slab = create_slab_locked(class);
	if (slab)
		put_first(slab);
	return slab;
}

/* A free record of the slab, which has one: of those that came back, else the first that was never used. */
static uint32_t take_record(struct slab *slab)
{
	uint32_t number;

	if (slab->first_free) {
		number = slab->first_free - 1;
		slab->first_free = slab->records[number].next_free;
	} else {
		number = slab->used++;
	}
	if (!slab->first_free && slab->used == slab->count) {
		all.slabs_with_room[class_of(slab->size)] = slab->next;
		slab->has_room = false;
	}
	return number;
}

void *ksm_witness_take(void *stand_in, size_t size, uint32_t origin, uint64_t weight)
{
	const struct ksm_mark_of of = { .weight = weight, .origin = origin, .kind = KSMALLOC_MARK_SMALL };
	struct record *record;
	struct slab *slab;
	uintptr_t address;
	uint32_t number;

	ksm_lock_take(&lock);
	if (!all.pool.lock)
		init_pool();
	slab = obtain_slab_locked(class_of(size));
	if (!slab) {
		pthread_mutex_unlock(&lock);
		return NULL;
	}
	number = take_record(slab);
	record = &slab->records[number];
	address = slab->address + (uintptr_t)number * slab->size;
	record->stand_in = stand_in;
	record->size = (uint32_t)size;
	record->mark = ksm_mark_add(address, size, &of);
	pthread_mutex_unlock(&lock);
	atomic_fetch_add_explicit(&witnesses, 1, memory_order_relaxed);
	return (void *)address;
}

/* The record of a witness; what is none ends the program. */
static struct record *find(const void *witness, struct slab **its_slab)
{
	struct ksm_slot *slot = slot_of(witness);
	struct slab *slab = slot ? slab_of(slot, witness) : NULL;
	uintptr_t offset = slab ? (uintptr_t)witness - slab->address : 0;

	if (!slab || offset % slab->size || offset / slab->size >= slab->count)
		ksm_fatal(KSM_FATAL_INVALID);
	if (!slab->records[offset / slab->size].stand_in)
		ksm_fatal(KSM_FATAL_DOUBLE_FREE);
	*its_slab = slab;
	return &slab->records[offset / slab->size];
}

void *ksm_witness_stand_in(const void *witness)
{
	struct slab *slab;

	return find(witness, &slab)->stand_in;
}

size_t ksm_witness_size(const void *witness)
{
	struct slab *slab;

	return find(witness, &slab)->size;
}

void ksm_witness_release(void *witness)
{
	struct slab *slab;
	struct record *record;
	uint32_t mark;

	ksm_lock_take(&lock);
	record = find(witness, &slab);
	mark = record->mark;
	record->stand_in = NULL;
	record->mark = KSM_MARK_NONE;
	record->next_free = slab->first_free;
	slab->first_free = (uint32_t)(record - slab->records) + 1;
	if (!slab->has_room)
		put_first(slab);
	pthread_mutex_unlock(&lock);
	ksm_mark_drop(mark);
	atomic_fetch_sub_explicit(&witnesses, 1, memory_order_relaxed);
}

uint32_t ksm_witness_count(void)
{
	return atomic_load_explicit(&witnesses, memory_order_relaxed);
}

void ksm_witness_prefork(void)
{
	pthread_mutex_lock(&lock);
}

void ksm_witness_postfork_parent(void)
{
	pthread_mutex_unlock(&lock);
}

void ksm_witness_postfork_child(void)
{
	ksm_lock_init(&lock);
}
