/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "judge/facts.h"

#include <errno.h>
#include <stdlib.h>

#include "join/memory.h"
#include "read/clock.h"
#include "read/number.h"

static void add_mapping(struct ksr_facts *sum, const struct ksr_diff *diff, const struct ksr_vma *vma)
{
	const struct ksr_space *space = diff->spaces[0];
	const struct ksr_range *range = ksr_space_find(space, vma->begin);
	struct ksr_memory memory;
	struct ksr_row_facts *facts;

	if (!range || vma->flags & KSR_VMA_SHARED)
		return;
	facts = &sum->rows[diff->row_of[0][range->region]];
	ksr_memory_from_vma(vma, &memory);
	facts->resident += ksm_min(vma->anonymous, vma->rss);
	facts->merged += memory.merged;
	facts->shared += memory.shared;
	facts->forked += vma->flags & KSR_VMA_FILE && !(vma->flags & KSR_VMA_STORE) ? 0 : memory.fork_shared;
	facts->mergeable += vma->flags & KSR_VMA_MERGEABLE ? ksm_min(vma->anonymous, vma->rss) : 0;
	facts->huge += vma->huge;
	facts->asked_huge += vma->flags & KSR_VMA_ASKED_HUGE ? vma->huge : 0;
	facts->small += ksr_scale(ksm_min(vma->anonymous, vma->rss), ksr_marks_heap(&sum->marks, vma->begin, vma->end),
				  vma->end - vma->begin);
}

/* How long blocks of the site live: as long as it takes to free what it holds. */
static uint64_t lifetime_of(const struct ksmalloc_site_stats *first, const struct ksmalloc_site_stats *second,
			    uint64_t interval_ms)
{
	uint64_t freed_before = ksr_less(first->allocated_bytes_total, first->live_bytes);
	uint64_t freed = ksr_less(ksr_less(second->allocated_bytes_total, second->live_bytes), freed_before);

	if (freed == 0)
		return KSR_NONE;
	return ksr_scale(ksm_max(second->peak_bytes / 2, second->live_bytes), interval_ms, freed);
}

static void add_lifetimes(struct ksr_facts *sum, const struct ksr_diff *diff, const struct ksr_snapshot *later)
{
	const struct ksr_space *space = diff->spaces[0];
	const struct ksr_snapshot *before = &space->snapshot;

	for (uint32_t i = 0; space->has_segment && i < space->region_count; i++) {
		const struct ksr_region *region = &space->regions[i];
		struct ksr_row_facts *facts = &sum->rows[diff->row_of[0][i]];
		struct ksmalloc_segment_site first;
		struct ksmalloc_segment_site second;

		if (region->kind != KSR_REGION_SITE || region->site >= later->header.sites.count)
			continue;
		ksr_snapshot_site(before, region->site, &first);
		ksr_snapshot_site(later, region->site, &second);
		if (first.id != second.id)
			continue;
		facts->is_denied = first.flags & KSMALLOC_SITE_DENIED;
		facts->lifetime_ms = lifetime_of(&first.stats, &second.stats, sum->between_ms);
	}
}

/* What has changed of each row between two looks at its pages. */
static void add_changes(struct ksr_facts *sum, const struct ksr_diff *diff, const struct ksr_change *changes)
{
	const struct ksr_space *space = diff->spaces[0];

	for (uint32_t i = 0; i < space->region_count; i++) {
		struct ksr_row_facts *facts = &sum->rows[diff->row_of[0][i]];

		facts->change.pages += changes[i].pages;
		facts->change.changed += changes[i].changed;
		facts->change.gone += changes[i].gone;
		sum->shares_mappings |= (space->regions[i].kind == KSR_REGION_MAPPINGS ||
					 space->regions[i].kind == KSR_REGION_ANONYMOUS) &&
					facts->shared;
	}
}

/* Of a process that has ended meanwhile nothing is known of lives. */
static int look_again(const struct ksr_fs *fs, const struct ksr_diff *diff, uint64_t looked_ms, struct ksr_facts *facts)
{
	const struct ksr_space *space = diff->spaces[0];
	char reason[KSR_WHY_BYTES];
	struct ksr_snapshot later = {0};
	int error = 0;

	if (!space->has_segment || ksr_snapshot_create(fs, space->pid, &later, reason) != 0)
		return 0;
	facts->between_ms = ksr_clock_ms() - looked_ms;
	add_lifetimes(facts, diff, &later);
	error = ksr_turnover_create(&space->snapshot, &later, &facts->turnover);
	ksr_snapshot_destroy(&later);
	return error;
}

int ksr_facts_create(const struct ksr_fs *fs, const struct ksr_process *process, const struct ksr_diff *diff,
		     const struct ksr_change *changes, uint64_t looked_ms, struct ksr_facts *facts)
{
	const struct ksr_space *space = diff->spaces[0];
	int error = 0;

	*facts = (struct ksr_facts){.rows = calloc(diff->row_count + 1, sizeof(*facts->rows))};
	if (!facts->rows)
		return -ENOMEM;
	if (space->has_segment)
		error = ksr_marks_create(&facts->marks, fs, &space->snapshot);
	for (size_t i = 0; i < diff->row_count; i++)
		facts->rows[i].lifetime_ms = KSR_NONE;
	for (size_t i = 0; process && i < process->smaps.count && !error; i++)
		add_mapping(facts, diff, &process->smaps.vmas[i]);
	if (!error) {
		add_changes(facts, diff, changes);
		error = look_again(fs, diff, looked_ms, facts);
	}
	if (error)
		ksr_facts_destroy(facts);
	return error;
}

void ksr_facts_destroy(struct ksr_facts *facts)
{
	free(facts->rows);
	ksr_marks_destroy(&facts->marks);
	ksr_turnover_destroy(&facts->turnover);
	*facts = (struct ksr_facts){0};
}
