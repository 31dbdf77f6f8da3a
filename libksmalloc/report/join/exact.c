/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A row stands for one site of one process, some for memory of no site that the
 * library hints as well, and the row of site 0 for all memory that has no hint: of
 * the rest outside of slots, and of slots whose hint was refused or never given.
 * Rows of hints that the program itself gave are added to that one.
 */
#define _GNU_SOURCE
#include "join/exact.h"

#include <errno.h>
#include <stdlib.h>

struct take {
	bool bounded; /* smaps tells which pages are KSM's: what is not there is stale */
	bool forked;
};

/* Bytes of rows. */
struct pair {
	uint64_t merged;
	uint64_t saved;
};

/* Bytes by the rows in the place of what smaps told of the same memory. */
static void replace(const struct take *take, struct pair row, struct ksr_memory *memory)
{
	uint64_t mapped = memory->merged;

	/* Pages of KSM that ksmd has not met here yet: a fork shares them so far. */
	if (take->forked)
		memory->fork_shared +=
			ksr_scale(memory->saved, ksr_less(mapped, row.merged), mapped);
	memory->merged = take->bounded ? ksm_min(row.merged, mapped) : row.merged;
	memory->stale = row.merged - memory->merged;
	memory->saved = row.saved;
	memory->saved_error = 0;
}

/*
 * Takes what is stale out of what is saved. If the others that shared a page are there still, each
 * stale one has saved a page; if they are gone as well, all but one of them.
 */
static struct pair settle(struct ksr_memory *memory)
{
	struct pair gone = {.merged = memory->stale};
	uint64_t saved = memory->saved + memory->saved_freed;
	uint64_t freed = memory->saved_freed;
	uint64_t remains = ksr_scale(saved, memory->merged, memory->merged + memory->stale);
	uint64_t low = ksr_less(saved, memory->stale);
	uint64_t high = ksm_min(saved, memory->merged);

	if (memory->stale == 0)
		return gone;
	gone.saved = saved - remains;
	memory->stale = 0;
	memory->saved_error += ksm_max(ksr_less(remains, low), ksr_less(high, remains));
	memory->saved_freed = ksr_scale(freed, remains, saved);
	memory->saved = remains - memory->saved_freed;
	return gone;
}

static struct pair replace_and_settle(const struct take *take, struct pair row,
				      struct ksr_memory *memory)
{
	replace(take, row, memory);
	return settle(memory);
}

void ksr_exact_settle(struct ksr_memory *memory, struct ksr_exact *sum)
{
	struct pair gone = settle(memory);

	sum->stale_merged += gone.merged;
	sum->stale_saved += gone.saved;
}

/* The memory without rows: its sum by smaps, which is what is divided, and the sum by the rows. */
struct rest {
	struct ksr_memory told;
	struct ksr_memory counted;
};

/* The part of the rest that belongs to memory, by the pages of KSM that it maps. */
static void divide(const struct rest *rest, struct ksr_memory *memory)
{
	uint64_t whole = rest->told.merged;
	uint64_t part = memory->merged;
	uint64_t moved = rest->counted.fork_shared - rest->told.fork_shared;

	memory->fork_shared += ksr_scale(moved, part, whole);
	memory->saved = ksr_scale(rest->counted.saved, part, whole);
	memory->saved_error = ksr_scale(rest->counted.saved_error, part, whole);
	memory->merged = ksr_scale(rest->counted.merged, part, whole);
}

/* Kernels before 6.6 do not tell in smaps which pages are KSM's. */
static bool tells_ksm(const struct ksr_smaps *smaps)
{
	for (size_t i = 0; i < smaps->count; i++) {
		if (smaps->vmas[i].flags & KSR_VMA_HAS_KSM)
			return true;
	}
	return false;
}

struct rows {
	const struct ksr_counter_table *table;
	bool *used;
	uint64_t page_bytes;
};

static struct pair pair_of(const struct rows *rows, const struct ksr_counters *row)
{
	return (struct pair){row->merged * rows->page_bytes, row->saved * rows->page_bytes};
}

/* Each row belongs to the first that asks for it. */
static const struct ksr_counters *row_of(const struct rows *rows, uint64_t site)
{
	const struct ksr_counters *row = ksr_counters_find(rows->table, site);

	if (site == 0 || !row || rows->used[row - rows->table->rows])
		return NULL;
	rows->used[row - rows->table->rows] = true;
	return row;
}

/* What is stale of them is known when all processes were added: any of them may have paid. */
static void take_sites(const struct ksr_process *process, const struct take *take,
		       const struct rows *rows, struct ksr_own_memory *own)
{
	for (uint32_t i = 0; i < own->site_count; i++) {
		struct ksmalloc_segment_site entry;

		ksr_snapshot_site(&process->snapshot, i, &entry);
		own->rows[i] = row_of(rows, entry.id & KSMALLOC_HINT_SITE_MASK);
		if (own->rows[i])
			replace(take, pair_of(rows, own->rows[i]), &own->sites[i]);
	}
}

/* Memory outside of sites that has no row of its own. */
struct others {
	struct ksr_memory *list[KSR_PART_COUNT + 2];
	size_t count;
};

/*
 * Memory of no site has hints too, in the shared layout. What is merged beyond what smaps shows
 * there is returned and belongs to the rest: bss lies beside data segments and is no part of a
 * file.
 */
static struct pair take_regions(const struct take *take, const struct rows *rows,
				struct ksr_own_memory *own, struct others *others)
{
	static const uint64_t regions[KSR_PART_COUNT] = {
		[KSR_PART_HEAP] = KSMALLOC_HINT_HEAP,
		[KSR_PART_MAPPINGS] = KSMALLOC_HINT_MAPPINGS,
		[KSR_PART_FILES] = KSMALLOC_HINT_DATA,
	};
	struct pair beyond = {0};

	for (size_t i = 0; i <= KSR_PART_COUNT; i++) {
		bool nursery = i == KSR_PART_COUNT;
		struct ksr_memory *memory = nursery ? &own->nursery : &own->parts[i];
		const struct ksr_counters *row =
			row_of(rows, nursery ? KSMALLOC_HINT_NURSERIES : regions[i]);
		struct pair gone;

		if (!row) {
			others->list[others->count++] = memory;
			continue;
		}
		gone = replace_and_settle(take, pair_of(rows, row), memory);
		beyond.merged += gone.merged;
		beyond.saved += gone.saved;
	}
	return beyond;
}

/* Divides a row among all that has none of its own. Returns what is stale. */
static struct pair divide_rest(const struct take *take, struct pair row, struct ksr_own_memory *own,
			       const struct others *others)
{
	struct rest rest = {0};
	struct pair stale;

	for (uint32_t i = 0; i < own->site_count; i++) {
		if (!own->rows[i])
			ksr_memory_add(&rest.told, &own->sites[i]);
	}
	for (size_t i = 0; i < others->count; i++)
		ksr_memory_add(&rest.told, others->list[i]);
	rest.counted = rest.told;
	stale = replace_and_settle(take, row, &rest.counted);
	for (uint32_t i = 0; i < own->site_count; i++) {
		if (!own->rows[i])
			divide(&rest, &own->sites[i]);
	}
	for (size_t i = 0; i < others->count; i++)
		divide(&rest, others->list[i]);
	return stale;
}

/* Outside is what remains of all rows, so that sums are exact. */
static void finish_outside(struct ksr_own_memory *own, struct pair all)
{
	struct ksr_memory sum = own->nursery;

	own->outside.saved_error = 0;
	for (uint32_t i = 0; i < own->site_count; i++)
		ksr_memory_add(&sum, &own->sites[i]);
	for (size_t i = 0; i < KSR_PART_COUNT; i++)
		own->outside.saved_error += own->parts[i].saved_error;
	own->outside.merged = ksr_less(all.merged, sum.merged + sum.stale);
	own->outside.saved = ksr_less(all.saved, sum.saved);
}

/* Of a process whose table has rows.used for each row. */
static void take_all(const struct ksr_process *process, const struct rows *rows,
		     struct ksr_own_memory *own, struct ksr_exact *sum)
{
	const struct take take = {.bounded = tells_ksm(&process->smaps),
				  .forked = process->snapshot.header.stats.forks_total != 0};
	struct ksr_memory unplaced = own->outside; /* outside, and in no part of it */
	struct others others = {.list = {&unplaced}, .count = 1};
	struct pair all = {0};
	struct pair stale;
	struct pair rest;

	for (size_t i = 0; i < KSR_PART_COUNT; i++)
		unplaced.merged = ksr_less(unplaced.merged, own->parts[i].merged);
	take_sites(process, &take, rows, own);
	rest = take_regions(&take, rows, own, &others);
	for (size_t i = 0; i < rows->table->count; i++) {
		struct pair row = pair_of(rows, &rows->table->rows[i]);

		all.merged += row.merged;
		all.saved += row.saved;
		if (!rows->used[i]) {
			rest.merged += row.merged;
			rest.saved += row.saved;
		}
	}
	stale = divide_rest(&take, rest, own, &others);
	sum->processes++;
	sum->merged += all.merged;
	sum->saved += all.saved;
	sum->stale_merged += stale.merged;
	sum->stale_saved += stale.saved;
	finish_outside(own, (struct pair){all.merged - stale.merged, all.saved - stale.saved});
}

int ksr_exact_take(const struct ksr_process *process, uint64_t page_bytes,
		   struct ksr_own_memory *own, struct ksr_exact *sum)
{
	struct rows rows = {.table = &process->counters, .page_bytes = page_bytes};

	rows.used = calloc(rows.table->count, sizeof(*rows.used));
	if (!rows.used)
		return -ENOMEM;
	take_all(process, &rows, own, sum);
	free(rows.used);
	return 0;
}
