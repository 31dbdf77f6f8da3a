/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slots and VMAs are both sorted by address, so that the join of a process is
 * one walk over both. Sites of all processes are found by an open-addressed
 * table over their ids, which is thrown away after the sum.
 */
#define _GNU_SOURCE
#include "join/aggregate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "join/group.h"
#include "join/origin.h"
#include "join/owners.h"
#include "join/store.h"
#include "read/kernel.h"
#include "read/sharing.h"

/* By smaps, and page by page where that leaves a doubt and the caller may. */
static void measure_vma(const struct ksr_fs *fs, struct ksr_report *report, pid_t pid,
			const struct ksr_vma *vma, struct ksr_memory *memory)
{
	struct ksr_sharing sharing;

	if (!ksr_memory_from_vma(vma, memory))
		return;
	if (!report->exact ||
	    ksr_sharing_read(fs, pid, vma->begin, vma->end, &sharing)) {
		report->exact = false;
		return;
	}
	memory->merged = sharing.ksm_mapped;
	memory->saved = sharing.ksm_saved;
	memory->fork_shared = vma->flags & KSR_VMA_STORE ? 0 : sharing.fork_saved;
	memory->saved_error = 0;
}

/* --- the table of sites ------------------------------------------------- */

struct site_index {
	size_t *cells; /* index in report->sites plus one, 0 when empty */
	size_t mask;
};

static int index_create(struct site_index *index, size_t most)
{
	size_t room = 64;

	while (room < 2 * most)
		room *= 2;
	index->cells = calloc(room, sizeof(*index->cells));
	index->mask = room - 1;
	return index->cells ? 0 : -ENOMEM;
}

static struct ksr_site *index_get(struct site_index *index, struct ksr_report *report, uint64_t id)
{
	size_t cell = (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & index->mask;

	for (; index->cells[cell]; cell = (cell + 1) & index->mask) {
		struct ksr_site *site = &report->sites[index->cells[cell] - 1];

		if (site->id == id)
			return site;
	}
	index->cells[cell] = ++report->site_count;
	report->sites[report->site_count - 1] = (struct ksr_site){.id = id};
	return &report->sites[report->site_count - 1];
}

static void add_stats(struct ksmalloc_site_stats *sum, const struct ksmalloc_site_stats *part)
{
#define ADD(name, kind, help) sum->name += part->name;
	KSMALLOC_SITE_STATS(ADD)
#undef ADD
}

static void add_sites(struct ksr_report *report, struct site_index *index, size_t which)
{
	const struct ksr_process *process = &report->processes[which];

	for (uint32_t i = 0; i < process->snapshot.header.sites.count; i++) {
		struct ksmalloc_segment_site entry;
		struct ksr_site *site;

		ksr_snapshot_site(&process->snapshot, i, &entry);
		/* The site `other` exists always; it is worth a row only when it was used. */
		if ((entry.flags & KSMALLOC_SITE_OTHER) && entry.stats.calls_total == 0)
			continue;
		site = index_get(index, report, entry.id);
		if (site->processes == 0) {
			site->sample_process = which;
			site->sample_index = i;
		}
		site->processes++;
		site->flags |= entry.flags;
		site->states |= entry.state < 32 ? 1u << entry.state : 0;
		/* Segments before version 3 do not tell. */
		if (process->snapshot.header.version >= 3 &&
		    entry.state == KSMALLOC_SITE_PLACED && entry.stability < 32)
			site->stabilities |= 1u << entry.stability;
		if (process->owner)
			add_stats(&site->stats, &entry.stats);
	}
}

/* --- the join of slots and VMAs ------------------------------------------ */

struct join {
	const struct ksr_fs *fs;
	struct ksr_report *report;
	struct site_index *index;
	const struct ksr_process *process;
	const struct ksr_group *group; /* its own */
	uint32_t next; /* the first slot that may still overlap a VMA */
	struct ksr_own_memory own;
	struct ksr_owners owners;
	int error; /* -ENOMEM: not all could be added */
};

static void add_slot_memory(struct join *join, const struct ksmalloc_segment_slot *slot,
			    const struct ksr_memory *memory)
{
	struct ksmalloc_segment_site entry;

	if (slot->flags & KSMALLOC_SLOT_NURSERY) {
		ksr_memory_add(&join->own.nursery, memory);
		return;
	}
	ksr_snapshot_site(&join->process->snapshot, slot->site, &entry);
	if ((entry.flags & KSMALLOC_SITE_OTHER) && entry.stats.calls_total == 0) {
		ksr_memory_add(&join->own.outside, memory);
		return;
	}
	ksr_memory_add(&join->own.sites[slot->site], memory);
}

/* Takes the share of freed memory out of what is saved: what is resident beyond live blocks. */
static void discount_freed(struct ksr_memory *memory, const struct ksmalloc_site_stats *stats)
{
	uint64_t freed =
		ksm_min(stats->kept_bytes, ksr_less(memory->resident, stats->placed_bytes));
	uint64_t share = ksr_scale(memory->saved, freed, memory->resident);

	memory->saved -= share;
	memory->saved_freed += share;
}

static void add_counter(uint64_t *sum, uint64_t value, uint64_t unit)
{
	*sum += value == KSR_NONE ? 0 : value * unit;
}

static void add_counters(struct ksr_site_counters *sum, const struct ksr_counters *row,
			 uint64_t page_bytes)
{
	add_counter(&sum->hinted, row->mapped, page_bytes);
	add_counter(&sum->unshared, row->unshared, page_bytes);
	add_counter(&sum->changing, row->changing, page_bytes);
	add_counter(&sum->scanned, row->scanned, 1);
	add_counter(&sum->zero, row->zero, 1);
	add_counter(&sum->broken, row->broken, 1);
	add_counter(&sum->skipped, row->skipped, 1);
	add_counter(&sum->cpu_us, row->cpu_us, 1);
	sum->has_cpu |= row->cpu_us != KSR_NONE;
	if (row->priority != KSR_NONE)
		sum->priority = ksm_max(sum->priority, row->priority);
	if (row->stability < 32)
		sum->stabilities |= 1u << row->stability;
	sum->processes++;
}

/* Adds what was found for this process to the sums of the sites, and to the totals. */
static void add_own_memory(struct join *join)
{
	const struct ksr_snapshot *snapshot = &join->process->snapshot;
	struct ksr_totals *totals = &join->report->totals;
	const struct ksr_own_memory *own = &join->own;

	ksr_memory_add(&totals->nursery, &own->nursery);
	ksr_memory_add(&totals->outside, &own->outside);
	for (size_t i = 0; i < KSR_PART_COUNT; i++) {
		ksr_memory_add(&join->report->parts[i].memory, &own->parts[i]);
		ksr_memory_add(&join->report->parts[i].beyond, &own->beyond[i]);
		join->report->parts[i].processes += own->has_part[i];
	}
	for (uint32_t i = 0; i < snapshot->header.sites.count; i++) {
		struct ksr_memory *memory = &join->own.sites[i];
		struct ksmalloc_segment_site entry;
		struct ksr_site *site;

		if (memory->resident == 0 && memory->swapped == 0 && memory->shared == 0 && !own->rows[i])
			continue;
		ksr_snapshot_site(snapshot, i, &entry);
		site = index_get(join->index, join->report, entry.id);
		if (own->rows[i])
			add_counters(&site->counters, own->rows[i], join->report->page_bytes);
		discount_freed(memory, &entry.stats);
		ksr_memory_add(&site->memory, memory);
	}
}

static void join_vma(struct join *join, const struct ksr_vma *vma)
{
	const struct ksmalloc_segment_slot *slots = join->owners.marks.slots;
	uint32_t slot_count = join->owners.marks.slot_count;
	uint64_t size = vma->end - vma->begin;
	uint64_t covered = 0;
	struct ksr_memory memory;
	struct ksr_memory rest;

	while (join->next < slot_count && slots[join->next].base + slots[join->next].mapped_bytes <= vma->begin)
		join->next++;
	if (vma->rss == 0 && vma->swap == 0 && !(vma->flags & KSR_VMA_STORE))
		return;
	measure_vma(join->fs, join->report, join->process->snapshot.pid, vma, &memory);
	memory.stored = ksr_group_stored(join->group, memory.shared);
	for (uint32_t i = join->next; i < slot_count; i++) {
		uint64_t begin = ksm_max(slots[i].base, vma->begin);
		uint64_t end = ksm_min(slots[i].base + slots[i].mapped_bytes, vma->end);
		struct ksr_memory part;

		if (slots[i].base >= vma->end)
			break;
		if (begin >= end)
			continue;
		part = ksr_memory_share(&memory, end - begin, size);
		add_slot_memory(join, &slots[i], &part);
		if (!join->error)
			join->error = ksr_owners_add_slot(&join->owners, &slots[i], begin, end, &part);
		covered += end - begin;
	}
	if (covered == size)
		return;
	rest = ksr_memory_share(&memory, size - covered, size);
	ksr_owners_add_mapping(&join->owners, vma, &rest, &join->own);
	if (rest.merged)
		ksr_memory_add(&join->own.outside, &rest);
}

/* Whose its memory is, when it is known how much there is. */
static int add_owners(struct join *join, struct ksr_origin_sums *sums)
{
	struct ksr_memory unmarked[KSR_PART_COUNT] = {0};
	struct ksr_report *report = join->report;
	struct ksr_memory is;
	int error;

	ksr_owners_finish(&join->owners, &join->own, unmarked, &report->totals.nursery_unmarked);
	ksr_memory_add(&report->totals.kept, &join->owners.kept);
	for (size_t i = 0; i < KSR_PART_COUNT; i++)
		ksr_memory_add(&report->parts[i].unmarked, &unmarked[i]);
	error = ksr_origins_add(sums, report, (size_t)(join->process - report->processes), &join->owners);
	if (error || join->owners.error)
		return error ? error : join->owners.error;
	is = join->own.parts[KSR_PART_FILES];
	ksr_memory_add(&is, &join->own.beyond[KSR_PART_FILES]);
	return ksr_files_join(report, &join->owners.files, &join->owners.parts[KSR_PART_FILES], &is);
}

/* How many slots each site has, over all processes. */
static void count_slots(struct join *join)
{
	for (uint32_t i = 0; i < join->owners.marks.slot_count; i++) {
		const struct ksmalloc_segment_slot *slot = &join->owners.marks.slots[i];
		struct ksmalloc_segment_site entry;

		if (slot->flags & KSMALLOC_SLOT_NURSERY)
			continue;
		ksr_snapshot_site(&join->process->snapshot, slot->site, &entry);
		if (!(entry.flags & KSMALLOC_SITE_OTHER) || entry.stats.calls_total)
			index_get(join->index, join->report, entry.id)->slots++;
	}
}

static int join_process(const struct ksr_fs *fs, struct ksr_report *report, struct site_index *index,
			const struct ksr_process *process, struct ksr_origin_sums *sums)
{
	const struct ksmalloc_segment_header *header = &process->snapshot.header;
	struct join join = {.fs = fs, .report = report, .index = index, .process = process};
	int error;

	/* It is there: all processes were added to their groups. */
	join.group = ksr_group_find(report, header->group, header->layout);
	if (!join.group)
		return -ENOMEM;
	join.own.site_count = process->snapshot.header.sites.count;
	join.own.sites = calloc(join.own.site_count + 1, sizeof(*join.own.sites));
	join.own.rows = calloc(join.own.site_count + 1, sizeof(const struct ksr_counters *));
	error = join.own.sites && join.own.rows ? ksr_owners_create(&join.owners, fs, &process->snapshot) : -ENOMEM;
	if (error)
		goto out;
	count_slots(&join);
	for (size_t i = 0; i < process->smaps.count; i++)
		join_vma(&join, &process->smaps.vmas[i]);
	error = join.error;
	if (process->counters.count && !error)
		error = ksr_exact_take(process, report->page_bytes, &join.own,
				       &report->totals.exact);
	if (!error)
		error = add_owners(&join, sums);
	if (!error)
		add_own_memory(&join);
	ksr_owners_destroy(&join.owners);
out:
	free(join.own.sites);
	free((void *)join.own.rows);
	return error;
}

static void add_process_totals(struct ksr_report *report, const struct ksr_process *process)
{
	struct ksr_totals *totals = &report->totals;

	if (process->ksm.merging_pages != KSR_NONE)
		totals->merging += process->ksm.merging_pages * report->page_bytes;
	if (process->ksm.zero_pages != KSR_NONE)
		totals->zero += process->ksm.zero_pages * report->page_bytes;
	if (process->status.page_tables != KSR_NONE)
		totals->page_tables += process->status.page_tables;
}

int ksr_report_aggregate(const struct ksr_fs *fs, struct ksr_report *report)
{
	const struct ksr_kernel *kernel = &report->kernel;
	struct ksr_origin_sums *sums;
	struct site_index index;
	size_t most = 1;
	int error = ksr_groups_finish(report);

	/* Each page of a store costs its part of what the group's files take, which has to be known before. */
	if (!error)
		error = ksr_store_finish(report);
	if (error)
		return error;
	for (size_t i = 0; i < report->process_count; i++)
		most += report->processes[i].snapshot.header.sites.count;
	report->sites = calloc(most, sizeof(*report->sites));
	if (!report->sites)
		return -ENOMEM;
	sums = ksr_origins_begin();
	error = sums ? index_create(&index, most) : -ENOMEM;
	if (error) {
		ksr_origins_abandon(sums);
		return error;
	}
	for (size_t i = 0; i < report->process_count && !error; i++) {
		add_sites(report, &index, i);
		error = join_process(fs, report, &index, &report->processes[i], sums);
		add_process_totals(report, &report->processes[i]);
	}
	free(index.cells);
	for (size_t i = 0; i < report->site_count; i++) {
		ksr_exact_settle(&report->sites[i].memory, &report->totals.exact);
		ksr_memory_add(&report->totals.sites, &report->sites[i].memory);
	}
	if (!error)
		error = ksr_origins_finish(sums, report);
	ksr_origins_abandon(sums);
	ksr_files_finish(report);
	if (kernel->pages_sharing != KSR_NONE && kernel->pages_shared != KSR_NONE) {
		report->totals.kernel_saved = kernel->pages_sharing * report->page_bytes;
		report->totals.kernel_merging =
			(kernel->pages_sharing + kernel->pages_shared) * report->page_bytes;
	}
	report->totals.other_merging =
		ksr_less(report->totals.kernel_merging, report->totals.merging);
	report->totals.other_saved =
		ksr_less(report->totals.kernel_saved, report->totals.exact.saved);
	return error;
}

int ksr_report_create(const struct ksr_fs *fs, const struct ksr_selection *selection,
		      struct ksr_report *report)
{
	int error;

	memset(report, 0, sizeof(*report));
	report->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	report->is_part = selection->pid_count != 0;
	report->exact = fs->live && ksr_page_flags_tell(fs);
	ksr_kernel_read(fs, &report->kernel);
	error = ksr_report_collect(fs, selection, report);
	if (!error)
		error = ksr_report_aggregate(fs, report);
	if (error)
		ksr_report_destroy(report);
	return error;
}
