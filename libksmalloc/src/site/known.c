/* SPDX-License-Identifier: BSD-2-Clause */
#include "site/known.h"

#include "system/meta.h"

#include <errno.h>

/* What a table begins with, and what it never exceeds; powers of two. */
#define FEW  512
#define MANY 16384

static size_t bytes_of(uint32_t size)
{
	return ksm_align_up(sizeof(struct ksm_known_table) + size * sizeof(uint64_t), 64);
}

static struct ksm_known_table *make(struct ksm_known *known, uint32_t size)
{
	struct ksm_known_table *table;

	if (known->reserve) {
		table = (struct ksm_known_table *)known->reserve;
		known->reserve += bytes_of(size);
	} else {
		table = ksm_meta_alloc(bytes_of(size));
	}
	if (table)
		table->size = size;
	return table;
}

int ksm_known_init(struct ksm_known *known, bool has_reserve)
{
	struct ksm_known_table *table;
	size_t bytes = 0;

	for (uint32_t size = FEW; size <= MANY; size *= 2)
		bytes += bytes_of(size);
	known->reserve = has_reserve ? ksm_meta_alloc(bytes) : NULL;
	if (has_reserve && !known->reserve)
		return -ENOMEM;
	table = make(known, FEW);
	if (!table)
		return -ENOMEM;
	atomic_store_explicit(&known->table, table, memory_order_release);
	return 0;
}

static void insert(struct ksm_known_table *table, uint64_t entry)
{
	uint32_t at = (uint32_t)(entry >> 40) & (table->size - 1);

	while (atomic_load_explicit(&table->entries[at], memory_order_relaxed))
		at = (at + 1) & (table->size - 1);
	atomic_store_explicit(&table->entries[at], entry, memory_order_release);
	table->count++;
}

/* What a table has room for. The fuller one is, the further from its place an entry lies that is looked for all the time. */
static uint32_t most_of(const struct ksm_known_table *table)
{
	return table->size < MANY ? table->size / 2 : table->size / 4 * 3;
}

/*
 * Makes room in a table that is full: a larger one takes the entries over, and the old one stays for
 * readers that still look at it. The largest one is emptied: much folds into few numbers, or code came and went.
 */
static struct ksm_known_table *make_room_locked(struct ksm_known *known, struct ksm_known_table *table)
{
	struct ksm_known_table *larger = table->size < MANY ? make(known, 2 * table->size) : NULL;

	if (!larger) {
		for (uint32_t i = 0; i < table->size; i++)
			atomic_store_explicit(&table->entries[i], 0, memory_order_relaxed);
		table->count = 0;
		return table;
	}
	for (uint32_t i = 0; i < table->size; i++) {
		uint64_t entry = atomic_load_explicit(&table->entries[i], memory_order_relaxed);

		if (entry)
			insert(larger, entry);
	}
	atomic_store_explicit(&known->table, larger, memory_order_release);
	return larger;
}

void ksm_known_add_locked(struct ksm_known *known, uint64_t hash, uint32_t number)
{
	struct ksm_known_table *table = known->table;

	if (table->count >= most_of(table))
		table = make_room_locked(known, table);
	insert(table, ksm_known_hash(hash) | number);
}
