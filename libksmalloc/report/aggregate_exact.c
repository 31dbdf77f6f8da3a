/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A row stands for one site of one process, the row of site 0 for all memory that
 * has no hint: what lies outside of slots, and slots whose hint was refused or
 * never given. Rows that belong to no site of the segment, of hints that the
 * program itself gave, are added to that one.
 */
#define _GNU_SOURCE
#include "aggregate.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t scale(uint64_t value, uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)((unsigned __int128)value * part / whole) : 0;
}

static uint64_t less(uint64_t from, uint64_t amount)
{
	return from > amount ? from - amount : 0;
}

struct take {
	struct ksr_exact *sum;
	bool bounded; /* smaps tells which pages are KSM's: what is not there is stale */
	bool forked;
};

/* Bytes by the rows in the place of what smaps told of the same memory. */
static void replace(struct take *take, uint64_t merged, uint64_t saved, struct ksr_memory *memory)
{
	uint64_t mapped = memory->merged;
	uint64_t present = take->bounded ? ksm_min(merged, mapped) : merged;
	uint64_t gone = merged - present;
	uint64_t low = less(saved, gone);
	uint64_t high = ksm_min(saved, present);

	/* Pages of KSM that ksmd has not met here yet: a fork shares them so far. */
	if (take->forked)
		memory->fork_shared += scale(memory->saved, less(mapped, merged), mapped);
	memory->merged = present;
	memory->saved = scale(saved, present, merged);
	memory->saved_error = ksm_max(less(memory->saved, low), less(high, memory->saved));
	take->sum->merged += merged;
	take->sum->saved += saved;
	take->sum->stale_merged += gone;
	take->sum->stale_saved += saved - memory->saved;
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

	memory->fork_shared += scale(moved, part, whole);
	memory->saved = scale(rest->counted.saved, part, whole);
	memory->saved_error = scale(rest->counted.saved_error, part, whole);
	memory->merged = scale(rest->counted.merged, part, whole);
}

/* outside gets what remains of rounding, so that sums are exact. */
static void divide_rest(struct take *take, uint64_t merged, uint64_t saved,
			struct ksr_own_memory *own)
{
	struct rest rest = {.told = own->outside};
	uint64_t others_merged = 0;
	uint64_t others_saved = 0;

	ksr_memory_add(&rest.told, &own->nursery);
	for (uint32_t i = 0; i < own->site_count; i++) {
		if (!own->rows[i])
			ksr_memory_add(&rest.told, &own->sites[i]);
	}
	rest.counted = rest.told;
	replace(take, merged, saved, &rest.counted);
	for (uint32_t i = 0; i < own->site_count; i++) {
		if (own->rows[i])
			continue;
		divide(&rest, &own->sites[i]);
		others_merged += own->sites[i].merged;
		others_saved += own->sites[i].saved;
	}
	divide(&rest, &own->nursery);
	for (size_t i = 0; i < KSR_PART_COUNT; i++)
		divide(&rest, &own->parts[i]);
	divide(&rest, &own->outside);
	own->outside.merged = rest.counted.merged - others_merged - own->nursery.merged;
	own->outside.saved = rest.counted.saved - others_saved - own->nursery.saved;
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

/* The row of a site of the segment; each belongs to the first that names it. */
static const struct ksr_counters *row_of(const struct ksr_process *process, uint32_t index,
					 bool *used)
{
	const struct ksr_counter_table *table = &process->counters;
	const struct ksr_counters *row;
	struct ksmalloc_segment_site entry;

	ksr_snapshot_site(&process->snapshot, index, &entry);
	if ((entry.id & KSR_HINT_SITE_MASK) == 0)
		return NULL;
	row = ksr_counters_find(table, entry.id & KSR_HINT_SITE_MASK);
	if (!row || used[row - table->rows])
		return NULL;
	used[row - table->rows] = true;
	return row;
}

int ksr_exact_take(const struct ksr_process *process, uint64_t page_bytes,
		   struct ksr_own_memory *own, struct ksr_exact *sum)
{
	const struct ksr_counter_table *table = &process->counters;
	struct take take = {.sum = sum};
	bool *used = calloc(table->count, sizeof(*used));
	uint64_t merged = 0;
	uint64_t saved = 0;

	if (!used)
		return -ENOMEM;
	take.bounded = tells_ksm(&process->smaps);
	take.forked = process->snapshot.header.stats.forks_total != 0;
	for (uint32_t i = 0; i < own->site_count; i++) {
		const struct ksr_counters *row = row_of(process, i, used);

		own->rows[i] = row;
		if (row)
			replace(&take, row->merged * page_bytes, row->saved * page_bytes,
				&own->sites[i]);
	}
	for (size_t i = 0; i < table->count; i++) {
		if (used[i])
			continue;
		merged += table->rows[i].merged * page_bytes;
		saved += table->rows[i].saved * page_bytes;
	}
	divide_rest(&take, merged, saved, own);
	sum->processes++;
	free(used);
	return 0;
}
