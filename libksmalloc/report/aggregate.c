/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slots and VMAs are both sorted by address, so that the join of a process is
 * one walk over both. Sites of all processes are found by an open-addressed
 * table over their ids, which is thrown away after the sum.
 */
#define _GNU_SOURCE
#include "aggregate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t scale(uint64_t value, uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)((unsigned __int128)value * part / whole) : 0;
}

static uint64_t less(uint64_t from, uint64_t amount)
{
	return from > amount ? from - amount : 0;
}

bool ksr_memory_from_vma(const struct ksr_vma *vma, struct ksr_memory *memory)
{
	uint64_t shared = vma->shared_clean + vma->shared_dirty;
	uint64_t gain = less(vma->rss, vma->pss);
	uint64_t merged = ksm_min(vma->ksm, vma->rss);
	uint64_t forked = less(shared, merged);
	uint64_t low;
	uint64_t high;

	memset(memory, 0, sizeof(*memory));
	memory->resident = vma->rss;
	memory->merged = merged;
	memory->swapped = vma->swap;
	if (vma->flags & KSR_VMA_MERGEABLE)
		memory->mergeable = vma->rss;
	else
		memory->not_asked = vma->rss;
	if (merged == 0) {
		memory->fork_shared = gain;
		return false;
	}
	if (forked == 0) {
		memory->saved = gain;
		return false;
	}
	low = ksm_max(merged / 2, less(gain, forked));
	high = ksm_max(low, ksm_min(merged, less(gain, forked / 2)));
	memory->saved = scale(gain, merged, merged + forked);
	/* Pss is rounded down to KiB and may lead out of the bounds by that much. */
	memory->saved = ksm_max(low, ksm_min(high, memory->saved));
	memory->saved_error = ksm_max(memory->saved - low, high - memory->saved);
	memory->fork_shared = less(gain, memory->saved);
	return true;
}

void ksr_memory_add(struct ksr_memory *sum, const struct ksr_memory *part)
{
	sum->resident += part->resident;
	sum->merged += part->merged;
	sum->saved += part->saved;
	sum->saved_error += part->saved_error;
	sum->saved_freed += part->saved_freed;
	sum->fork_shared += part->fork_shared;
	sum->swapped += part->swapped;
	sum->mergeable += part->mergeable;
	sum->not_asked += part->not_asked;
}

struct ksr_memory ksr_memory_share(const struct ksr_memory *memory, uint64_t part, uint64_t whole)
{
	return (struct ksr_memory){
		.resident = scale(memory->resident, part, whole),
		.merged = scale(memory->merged, part, whole),
		.saved = scale(memory->saved, part, whole),
		.saved_error = scale(memory->saved_error, part, whole),
		.saved_freed = scale(memory->saved_freed, part, whole),
		.fork_shared = scale(memory->fork_shared, part, whole),
		.swapped = scale(memory->swapped, part, whole),
		.mergeable = scale(memory->mergeable, part, whole),
		.not_asked = scale(memory->not_asked, part, whole),
	};
}

/* By smaps, and page by page where that leaves a doubt and the caller may. */
static void measure_vma(const struct ksr_fs *fs, struct ksr_report *report, pid_t pid,
			const struct ksr_vma *vma, struct ksr_memory *memory)
{
	struct ksr_sharing sharing;

	if (!ksr_memory_from_vma(vma, memory))
		return;
	if (!fs || !fs->live || !report->exact ||
	    ksr_sharing_read(fs, pid, vma->begin, vma->end, &sharing)) {
		report->exact = false;
		return;
	}
	memory->merged = sharing.ksm_mapped;
	memory->saved = sharing.ksm_saved;
	memory->fork_shared = sharing.fork_saved;
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
		if (process->owner)
			add_stats(&site->stats, &entry.stats);
	}
}

/* --- the join of slots and VMAs ------------------------------------------ */

static int compare_slots(const void *left, const void *right)
{
	const struct ksmalloc_segment_slot *a = left;
	const struct ksmalloc_segment_slot *b = right;

	return a->base < b->base ? -1 : a->base > b->base;
}

/* Sorted by address; NULL and *count 0 when there are none, -ENOMEM otherwise. */
static int sorted_slots(const struct ksr_snapshot *snapshot, struct ksmalloc_segment_slot **slots)
{
	uint32_t count = snapshot->header.slots.count;

	*slots = NULL;
	if (count == 0)
		return 0;
	*slots = calloc(count, sizeof(**slots));
	if (!*slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		ksr_snapshot_slot(snapshot, i, &(*slots)[i]);
	qsort(*slots, count, sizeof(**slots), compare_slots);
	return 0;
}

struct join {
	const struct ksr_fs *fs;
	struct ksr_report *report;
	struct site_index *index;
	const struct ksr_process *process;
	const struct ksmalloc_segment_slot *slots;
	uint32_t slot_count;
	uint32_t next; /* the first slot that may still overlap a VMA */
	struct ksr_memory *sites; /* of this process, by index */
	bool parts[KSR_PART_COUNT]; /* that the process has memory in */
};

static void add_slot_memory(struct join *join, const struct ksmalloc_segment_slot *slot,
			    const struct ksr_memory *memory)
{
	struct ksmalloc_segment_site entry;

	if (slot->flags & KSMALLOC_SLOT_NURSERY) {
		ksr_memory_add(&join->report->totals.nursery, memory);
		return;
	}
	ksr_snapshot_site(&join->process->snapshot, slot->site, &entry);
	if ((entry.flags & KSMALLOC_SITE_OTHER) && entry.stats.calls_total == 0) {
		ksr_memory_add(&join->report->totals.outside, memory);
		return;
	}
	ksr_memory_add(&join->sites[slot->site], memory);
}

/* Takes the share of freed memory out of what is saved. */
static void discount_freed(struct ksr_memory *memory, uint64_t kept)
{
	uint64_t share = scale(memory->saved, ksm_min(kept, memory->resident), memory->resident);

	memory->saved -= share;
	memory->saved_freed += share;
}

/* Adds what was found for this process to the sums of the sites. */
static void add_site_memory(struct join *join)
{
	const struct ksr_snapshot *snapshot = &join->process->snapshot;

	for (uint32_t i = 0; i < snapshot->header.sites.count; i++) {
		struct ksr_memory *memory = &join->sites[i];
		struct ksmalloc_segment_site entry;

		if (memory->resident == 0 && memory->swapped == 0)
			continue;
		ksr_snapshot_site(snapshot, i, &entry);
		discount_freed(memory, entry.stats.kept_bytes);
		ksr_memory_add(&index_get(join->index, join->report, entry.id)->memory, memory);
		ksr_memory_add(&join->report->totals.sites, memory);
	}
}

static void join_vma(struct join *join, const struct ksr_vma *vma)
{
	const struct ksmalloc_segment_slot *slot;
	uint64_t size = vma->end - vma->begin;
	uint64_t covered = 0;
	struct ksr_memory memory;
	struct ksr_memory rest;

	while (join->next < join->slot_count) {
		slot = &join->slots[join->next];
		if (slot->base + slot->mapped_bytes > vma->begin)
			break;
		join->next++;
	}
	if (vma->rss == 0 && vma->swap == 0)
		return;
	measure_vma(join->fs, join->report, join->process->snapshot.pid, vma, &memory);
	for (uint32_t i = join->next; i < join->slot_count; i++) {
		uint64_t begin = ksm_max(join->slots[i].base, vma->begin);
		uint64_t end = ksm_min(join->slots[i].base + join->slots[i].mapped_bytes, vma->end);
		struct ksr_memory part;

		if (join->slots[i].base >= vma->end)
			break;
		if (begin >= end)
			continue;
		part = ksr_memory_share(&memory, end - begin, size);
		add_slot_memory(join, &join->slots[i], &part);
		covered += end - begin;
	}
	if (covered == size)
		return;
	rest = ksr_memory_share(&memory, size - covered, size);
	ksr_part_add(join->report, join->process, vma, &rest, join->parts);
	if (rest.merged)
		ksr_memory_add(&join->report->totals.outside, &rest);
}

static int join_process(const struct ksr_fs *fs, struct ksr_report *report,
			struct site_index *index, const struct ksr_process *process)
{
	struct join join = {.fs = fs, .report = report, .index = index, .process = process};
	struct ksmalloc_segment_slot *slots;
	int error = sorted_slots(&process->snapshot, &slots);

	if (error)
		return error;
	join.sites = calloc(process->snapshot.header.sites.count + 1, sizeof(*join.sites));
	if (!join.sites) {
		free(slots);
		return -ENOMEM;
	}
	join.slots = slots;
	join.slot_count = process->snapshot.header.slots.count;
	for (uint32_t i = 0; i < join.slot_count; i++) {
		struct ksmalloc_segment_site entry;

		if (slots[i].flags & KSMALLOC_SLOT_NURSERY)
			continue;
		ksr_snapshot_site(&process->snapshot, slots[i].site, &entry);
		if (!(entry.flags & KSMALLOC_SITE_OTHER) || entry.stats.calls_total)
			index_get(index, report, entry.id)->slots++;
	}
	for (size_t i = 0; i < process->smaps.count; i++)
		join_vma(&join, &process->smaps.vmas[i]);
	add_site_memory(&join);
	free(join.sites);
	free(slots);
	return 0;
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
	struct site_index index;
	size_t most = 1;
	int error;

	for (size_t i = 0; i < report->process_count; i++)
		most += report->processes[i].snapshot.header.sites.count;
	report->sites = calloc(most, sizeof(*report->sites));
	if (!report->sites)
		return -ENOMEM;
	error = index_create(&index, most);
	for (size_t i = 0; i < report->process_count && !error; i++) {
		add_sites(report, &index, i);
		error = join_process(fs, report, &index, &report->processes[i]);
		add_process_totals(report, &report->processes[i]);
	}
	free(index.cells);
	if (!error)
		error = ksr_parts_finish(report);
	if (kernel->pages_sharing != KSR_NONE && kernel->pages_shared != KSR_NONE) {
		report->totals.kernel_saved = kernel->pages_sharing * report->page_bytes;
		report->totals.kernel_merging =
			(kernel->pages_sharing + kernel->pages_shared) * report->page_bytes;
	}
	report->totals.other_merging = less(report->totals.kernel_merging, report->totals.merging);
	return error;
}

/* --- collecting ----------------------------------------------------------- */

static int reject(struct ksr_report *report, pid_t pid, const char *why)
{
	struct ksr_rejected *larger = reallocarray(report->rejected, report->rejected_count + 1,
						   sizeof(*report->rejected));

	if (!larger)
		return -ENOMEM;
	report->rejected = larger;
	larger[report->rejected_count].pid = pid;
	snprintf(larger[report->rejected_count].why, KSR_WHY_BYTES, "%s", why);
	report->rejected_count++;
	return 0;
}

static bool wants_group(const struct ksr_selection *selection, const char *group)
{
	for (size_t i = 0; i < selection->group_count; i++) {
		if (strcmp(selection->groups[i], group) == 0)
			return true;
	}
	return selection->group_count == 0;
}

static int append_process(struct ksr_report *report, const struct ksr_process *process)
{
	struct ksr_process *larger = reallocarray(report->processes, report->process_count + 1,
						  sizeof(*report->processes));

	if (!larger)
		return -ENOMEM;
	report->processes = larger;
	larger[report->process_count++] = *process;
	return 0;
}

/* Takes over the snapshot, also on failure. */
static int read_counters(const struct ksr_fs *fs, struct ksr_report *report,
			 struct ksr_process *process)
{
	pid_t pid = process->snapshot.pid;
	char why[KSR_WHY_BYTES];
	int error = ksr_status_read(fs, pid, &process->status);

	if (!error)
		error = ksr_smaps_read(fs, pid, &process->smaps);
	if (!error) {
		/* Kernels without it leave the sums incomplete, which the report shows as 0. */
		(void)ksr_ksm_stat_read(fs, pid, &process->ksm);
		error = append_process(report, process);
		if (!error)
			return 0;
	}
	ksr_smaps_free(&process->smaps);
	ksr_snapshot_destroy(&process->snapshot);
	if (error == -ENOMEM)
		return error;
	snprintf(why, sizeof(why), "cannot read its counters in /proc: %s", strerror(-error));
	return reject(report, pid, why);
}

/*
 * chosen: the caller named this very process, so that it deserves a line when
 * it has no segment. Processes that vanish during the scan never get one.
 */
static int collect_process(const struct ksr_fs *fs, const struct ksr_selection *selection,
			   struct ksr_report *report, pid_t pid, bool chosen)
{
	struct ksr_process process;
	char why[KSR_WHY_BYTES];
	int error;

	memset(&process, 0, sizeof(process));
	error = ksr_snapshot_create(fs, pid, &process.snapshot, why);
	if (error == -ENOMEM)
		return error;
	if (error == -ENOENT || error == -ESRCH) {
		if (!chosen)
			return 0;
		return reject(
			report, pid,
			error == -ESRCH
				? "there is no such process"
				: "has no segment: it does not run under ksmalloc, or has not "
				  "allocated a large block yet");
	}
	if (error && !chosen && error == -EACCES)
		return 0;
	if (error && !chosen && selection->group_count) {
		/* Nobody can tell which group it belongs to. */
		report->unreadable++;
		return 0;
	}
	if (error)
		return reject(report, pid, why);
	if (!chosen && !wants_group(selection, process.snapshot.header.group)) {
		ksr_snapshot_destroy(&process.snapshot);
		return 0;
	}
	return read_counters(fs, report, &process);
}

static bool is_collected(const struct ksr_report *report, pid_t pid)
{
	for (size_t i = 0; i < report->process_count; i++) {
		if (report->processes[i].snapshot.pid == pid)
			return true;
	}
	return false;
}

static bool may_look_at(const struct ksr_fs *fs, const struct ksr_selection *selection, pid_t pid)
{
	struct stat status;

	if (selection->everyone || !fs->live)
		return true;
	return ksr_fs_stat(fs, &status, "proc/%d", (int)pid) == 0 && status.st_uid == getuid();
}

static int collect(const struct ksr_fs *fs, const struct ksr_selection *selection,
		   struct ksr_report *report)
{
	size_t count = 0;
	pid_t *pids = NULL;
	int error;

	for (size_t i = 0; i < selection->pid_count; i++) {
		if (is_collected(report, selection->pids[i]))
			continue;
		error = collect_process(fs, selection, report, selection->pids[i], true);
		if (error)
			return error;
	}
	/* Numbers and groups may be given together: then groups look at all the others. */
	if (selection->pid_count && !selection->group_count)
		return 0;
	error = ksr_fs_list_processes(fs, &pids, &count);
	for (size_t i = 0; i < count && !error; i++) {
		if (may_look_at(fs, selection, pids[i]) && !is_collected(report, pids[i]))
			error = collect_process(fs, selection, report, pids[i], false);
	}
	free(pids);
	return error;
}

/*
 * A child that was forked within the clock tick in which its parent started has
 * the same start time; the pid tells them apart.
 */
static bool made_segment(const struct ksr_process *process,
			 const struct ksmalloc_segment_header *header)
{
	const struct ksr_status *status = &process->status;

	return status->start_time_ticks == header->start_time_ticks &&
	       (status->inner_pid == 0 || status->inner_pid == header->pid);
}

/* Of the processes that map one segment, the one it was made by, else the first. */
static void find_owners(struct ksr_report *report)
{
	for (size_t i = 0; i < report->process_count; i++) {
		const struct ksr_snapshot *mine = &report->processes[i].snapshot;
		bool first = true;
		bool someone_else_did = false;

		for (size_t k = 0; k < report->process_count; k++) {
			const struct ksr_process *other = &report->processes[k];

			if (k == i || other->snapshot.inode != mine->inode ||
			    other->snapshot.device != mine->device)
				continue;
			first = first && i < k;
			someone_else_did = someone_else_did || made_segment(other, &mine->header);
		}
		report->processes[i].owner = made_segment(&report->processes[i], &mine->header) ||
					     (first && !someone_else_did);
	}
}

int ksr_report_create(const struct ksr_fs *fs, const struct ksr_selection *selection,
		      struct ksr_report *report)
{
	int error;

	memset(report, 0, sizeof(*report));
	report->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	report->exact = true;
	ksr_kernel_read(fs, &report->kernel);
	error = collect(fs, selection, report);
	if (!error) {
		find_owners(report);
		error = ksr_report_aggregate(fs, report);
	}
	if (error)
		ksr_report_destroy(report);
	return error;
}

void ksr_report_destroy(struct ksr_report *report)
{
	for (size_t i = 0; i < report->process_count; i++) {
		ksr_smaps_free(&report->processes[i].smaps);
		ksr_snapshot_destroy(&report->processes[i].snapshot);
	}
	free(report->processes);
	free(report->sites);
	free(report->groups);
	free(report->rejected);
	memset(report, 0, sizeof(*report));
}
