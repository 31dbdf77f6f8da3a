/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pagemap says which pages are there; runs of them are read from /proc/PID/mem
 * in batches of 1 MiB. What fork shares is found with a set of keys: frame
 * numbers, or hashes of address and content. Only pages that are mapped more
 * than once enter it, so it stays small.
 */
#define _GNU_SOURCE
#include "estimate/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "join/part.h"
#include "read/sharing.h"
#include "read/search.h"

#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)
#define PAGEMAP_FILE (UINT64_C(1) << 61)
#define PAGEMAP_EXCLUSIVE (UINT64_C(1) << 56)
#define PAGEMAP_PFN_MASK ((UINT64_C(1) << 55) - 1)
#define KPAGEFLAG_KSM (UINT64_C(1) << 21)

#define BATCH_PAGES 256

/* Keys of pages that were met, open addressing; 0 marks a free cell. */
struct key_set {
	uint64_t *cells;
	size_t mask;
	size_t used;
};

/* A site of the report by its id: each page asks for one. */
struct known_site {
	uint64_t id;
	uint32_t group;
};

struct scan {
	const struct ksr_fs *fs;
	struct known_site *sites; /* by id */
	const struct ksr_report *report;
	const struct ksr_process *process;   /* NULL: has no segment */
	struct ksmalloc_segment_slot *slots; /* of the process, by address */
	uint32_t slot_count;
	struct ksr_estimate *estimate;
	struct ksr_pages *pages;
	struct ksr_pages *placed; /* by content, address and group */
	uint64_t group_seed;	  /* of the process's group, 0 if it can share nothing */
	bool is_placed;		  /* the mapping that is read is memory that may be shared, outside of slots */
	struct ksr_forecast *forecast;
	struct ksr_mask mask; /* of the process */
	uint32_t number;	/* of the process */
	struct key_set shared;
	unsigned char *buffer;
	XXH128_hash_t zero;
	int mem_fd;
	int map_fd;
	int flags_fd;
	uint32_t outside; /* the group of what lies in no slot of the mapping that is read */
	pid_t pid;
};

static size_t key_cell(const struct key_set *set, uint64_t key)
{
	size_t cell = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 16) & set->mask;

	while (set->cells[cell] && set->cells[cell] != key)
		cell = (cell + 1) & set->mask;
	return cell;
}

static int grow_keys(struct key_set *set)
{
	size_t room = set->cells ? 2 * (set->mask + 1) : 4096;
	struct key_set larger = {calloc(room, sizeof(uint64_t)), room - 1, set->used};

	if (!larger.cells)
		return -ENOMEM;
	for (size_t i = 0; set->cells && i <= set->mask; i++) {
		if (set->cells[i])
			larger.cells[key_cell(&larger, set->cells[i])] = set->cells[i];
	}
	free(set->cells);
	*set = larger;
	return 0;
}

/* 1 when the key was there before, 0 when it is new. */
static int add_key(struct key_set *set, uint64_t key)
{
	size_t cell;

	if ((!set->cells || set->used > set->mask / 2) && grow_keys(set))
		return -ENOMEM;
	key = key ? key : 1;
	cell = key_cell(set, key);
	if (set->cells[cell])
		return 1;
	set->cells[cell] = key;
	set->used++;
	return 0;
}

static bool is_merged(const struct scan *scan, uint64_t pfn)
{
	uint64_t flags = 0;

	if (scan->flags_fd < 0 || pfn == 0)
		return false;
	if (pread(scan->flags_fd, &flags, sizeof(flags), (off_t)(pfn * sizeof(flags))) !=
	    sizeof(flags))
		return false;
	return (flags & KPAGEFLAG_KSM) != 0;
}

/* Is this mapping one more of a page that fork shares? Negative: no memory. */
static int is_repeated(struct scan *scan, uint64_t entry, uint64_t address, XXH128_hash_t hash)
{
	uint64_t pfn = entry & PAGEMAP_PFN_MASK;

	if (entry & PAGEMAP_EXCLUSIVE)
		return 0;
	if (pfn)
		return is_merged(scan, pfn) ? 0 : add_key(&scan->shared, pfn);
	return add_key(&scan->shared, hash.low64 ^ (address * UINT64_C(0x9e3779b97f4a7c15)));
}

/* Would a store have this page, too, if another process of the group has an equal one there? */
static void count_placed(struct scan *scan, uint64_t address, uint32_t group, const unsigned char *content)
{
	if (scan->group_seed && (scan->is_placed || group < scan->report->site_count))
		ksr_pages_add(scan->placed,
			      XXH3_128bits_withSeed(content, scan->estimate->page_bytes, address ^ scan->group_seed),
			      group);
}

static int count_page(struct scan *scan, uint64_t entry, uint64_t address, uint32_t group,
		      const unsigned char *content)
{
	uint64_t page_bytes = scan->estimate->page_bytes;
	struct ksr_estimate_group *figures = &scan->estimate->groups[group];
	XXH128_hash_t hash = XXH3_128bits(content, page_bytes);
	int repeated;

	if (entry & PAGEMAP_PFN_MASK)
		scan->estimate->has_frames = true;
	/* The kernel's own zero page is mapped here: it costs nothing, and belongs to nobody. */
	if (XXH128_isEqual(hash, scan->zero)) {
		if (entry & PAGEMAP_EXCLUSIVE) {
			figures->zero += page_bytes;
			figures->resident += page_bytes;
		}
		return 0;
	}
	figures->resident += page_bytes;
	repeated = is_repeated(scan, entry, address, hash);
	if (repeated > 0)
		figures->fork_shared += page_bytes;
	else if (repeated == 0)
		ksr_pages_add(scan->pages, hash, group);
	if (repeated == 0) {
		count_placed(scan, address, group, content);
		ksr_forecast_add(scan->forecast, &scan->mask, content, hash, scan->number);
	}
	return repeated < 0 ? repeated : 0;
}

static uint64_t end_of_slot(const void *element)
{
	const struct ksmalloc_segment_slot *slot = element;

	return slot->base + slot->mapped_bytes;
}

static uint64_t id_of(const void *element)
{
	return ((const struct known_site *)element)->id;
}

static int compare_sites(const void *left, const void *right)
{
	const struct known_site *a = left;
	const struct known_site *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

static int take_sites(struct scan *scan)
{
	const struct ksr_report *report = scan->report;

	scan->sites = calloc(report->site_count + 1, sizeof(*scan->sites));
	if (!scan->sites)
		return -ENOMEM;
	for (size_t i = 0; i < report->site_count; i++)
		scan->sites[i] = (struct known_site){report->sites[i].id, (uint32_t)i};
	qsort(scan->sites, report->site_count, sizeof(*scan->sites), compare_sites);
	return 0;
}

/* The group of an address: the site whose slot it is in, else the last group. */
static uint32_t group_of(const struct scan *scan, uint64_t address)
{
	size_t at = ksr_search_above(scan->slots, scan->slot_count, sizeof(*scan->slots), end_of_slot, address);
	struct ksmalloc_segment_site site;
	size_t found;

	if (at == scan->slot_count || scan->slots[at].base > address)
		return scan->outside;
	if (scan->slots[at].flags & KSMALLOC_SLOT_NURSERY)
		return (uint32_t)scan->estimate->group_count - 1;
	ksr_snapshot_site(&scan->process->snapshot, scan->slots[at].site, &site);
	found = ksr_search_from(scan->sites, scan->report->site_count, sizeof(*scan->sites), id_of, site.id);
	if (found < scan->report->site_count && scan->sites[found].id == site.id)
		return scan->sites[found].group;
	return (uint32_t)scan->estimate->group_count - 1;
}

/* In the private layout nothing outside of sites is offered to KSM: it is one group. */
static uint32_t outside_group(const struct scan *scan, const struct ksr_vma *vma)
{
	const struct ksr_process *process = scan->process;
	uint32_t rest = (uint32_t)scan->estimate->group_count - 1;

	if (!process || process->snapshot.header.layout != KSMALLOC_LAYOUT_SHARED)
		return rest;
	return (uint32_t)ksm_min(scan->report->site_count + ksr_part_of(&process->snapshot, vma),
				 rest);
}

/* Groups are told apart by their names, and processes of the private layout have no part in it. */
static uint64_t group_seed(const struct ksr_process *process)
{
	const struct ksmalloc_segment_header *header = process ? &process->snapshot.header : NULL;

	if (!header || header->layout != KSMALLOC_LAYOUT_SHARED)
		return 0;
	return XXH3_64bits(header->group, strlen(header->group)) | 1;
}

/* Small blocks lie in the region heap, and in nurseries, which are part of the span. */
static bool is_placed(const struct scan *scan, const struct ksr_vma *vma)
{
	const struct ksmalloc_segment_header *header = scan->process ? &scan->process->snapshot.header : NULL;

	return header && (ksr_part_of(&scan->process->snapshot, vma) == KSR_PART_HEAP ||
			  (vma->begin >= header->span_base && vma->begin - header->span_base < header->span_bytes));
}

/* KSM takes private memory only; of a mapped file, the pages that were written. */
static bool may_merge(const struct ksr_vma *vma)
{
	bool marked_stack = (vma->flags & KSR_VMA_MERGEABLE) && (vma->flags & KSR_VMA_SPECIAL) &&
			    strcmp(vma->name, "[stack]") == 0;

	return !(vma->flags & KSR_VMA_SHARED) && vma->anonymous &&
	       (marked_stack || !(vma->flags & KSR_VMA_SPECIAL));
}

/* A run of resident pages, at most BATCH_PAGES. */
static int read_run(struct scan *scan, uint64_t address, const uint64_t *entries, size_t count)
{
	uint64_t page_bytes = scan->estimate->page_bytes;
	ssize_t got = pread(scan->mem_fd, scan->buffer, count * page_bytes, (off_t)address);
	size_t pages = got > 0 ? (size_t)got / page_bytes : 0;
	uint32_t group = group_of(scan, address);
	int error = 0;

	for (size_t i = 0; i < pages && !error; i++) {
		uint64_t at = address + i * page_bytes;

		/* A hostile segment may end a slot anywhere: each page is looked up. */
		if (i && scan->slot_count)
			group = group_of(scan, at);
		error = count_page(scan, entries[i], at, group, scan->buffer + i * page_bytes);
	}
	scan->estimate->unreadable += (count - pages) * page_bytes;
	return error;
}

static bool is_wanted(uint64_t entry)
{
	return (entry & PAGEMAP_PRESENT) && !(entry & PAGEMAP_FILE);
}

static int scan_entries(struct scan *scan, uint64_t address, const uint64_t *entries, size_t count)
{
	uint64_t page_bytes = scan->estimate->page_bytes;
	int error = 0;

	for (size_t i = 0; i < count && !error;) {
		size_t end = i;

		while (end < count && is_wanted(entries[end]))
			end++;
		if (end > i)
			error = read_run(scan, address + i * page_bytes, entries + i, end - i);
		for (i = end; i < count && !is_wanted(entries[i]); i++) {
			if (entries[i] & PAGEMAP_SWAPPED)
				scan->estimate->swapped += page_bytes;
		}
	}
	return error;
}

static int scan_vma(struct scan *scan, const struct ksr_vma *vma)
{
	uint64_t page_bytes = scan->estimate->page_bytes;
	uint64_t entries[BATCH_PAGES];

	for (uint64_t address = vma->begin; address < vma->end;) {
		size_t pages = (size_t)ksm_min((vma->end - address) / page_bytes, BATCH_PAGES);
		ssize_t got = pread(scan->map_fd, entries, pages * sizeof(*entries),
				    (off_t)(address / page_bytes * sizeof(*entries)));
		int error;

		/* The process may have unmapped it, or ended. */
		if (got < (ssize_t)sizeof(*entries))
			return got < 0 ? -errno : 0;
		pages = (size_t)got / sizeof(*entries);
		error = scan_entries(scan, address, entries, pages);
		if (error)
			return error;
		address += pages * page_bytes;
	}
	return 0;
}

static int compare_slots(const void *left, const void *right)
{
	const struct ksmalloc_segment_slot *a = left;
	const struct ksmalloc_segment_slot *b = right;

	return a->base < b->base ? -1 : a->base > b->base;
}

static int take_slots(struct scan *scan)
{
	scan->slots = NULL;
	scan->slot_count = 0;
	scan->process = NULL;
	for (size_t i = 0; i < scan->report->process_count; i++) {
		if (scan->report->processes[i].snapshot.pid == scan->pid)
			scan->process = &scan->report->processes[i];
	}
	if (!scan->process || scan->process->snapshot.header.slots.count == 0)
		return 0;
	scan->slot_count = scan->process->snapshot.header.slots.count;
	scan->slots = calloc(scan->slot_count, sizeof(*scan->slots));
	if (!scan->slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < scan->slot_count; i++)
		ksr_snapshot_slot(&scan->process->snapshot, i, &scan->slots[i]);
	qsort(scan->slots, scan->slot_count, sizeof(*scan->slots), compare_slots);
	return 0;
}

static int scan_process(struct scan *scan)
{
	struct ksr_smaps smaps = {0};
	int error = ksr_smaps_read(scan->fs, scan->pid, &smaps);

	scan->mem_fd = ksr_fs_open(scan->fs, O_RDONLY, "proc/%d/mem", (int)scan->pid);
	scan->map_fd = ksr_fs_open(scan->fs, O_RDONLY, "proc/%d/pagemap", (int)scan->pid);
	if (!error && (scan->mem_fd < 0 || scan->map_fd < 0))
		error = scan->mem_fd < 0 ? scan->mem_fd : scan->map_fd;
	if (!error)
		error = take_slots(scan);
	if (!error)
		error = ksr_mask_create(&smaps, &scan->mask);
	scan->group_seed = group_seed(scan->process);
	scan->estimate->has_shared |= scan->group_seed != 0;
	for (size_t i = 0; i < smaps.count && !error; i++) {
		scan->outside = outside_group(scan, &smaps.vmas[i]);
		scan->is_placed = is_placed(scan, &smaps.vmas[i]);
		if (may_merge(&smaps.vmas[i]))
			error = scan_vma(scan, &smaps.vmas[i]);
	}
	if (scan->mem_fd >= 0)
		close(scan->mem_fd);
	if (scan->map_fd >= 0)
		close(scan->map_fd);
	ksr_mask_destroy(&scan->mask);
	/* The next process may end before it has any. */
	free(scan->slots);
	scan->slots = NULL;
	scan->slot_count = 0;
	ksr_smaps_free(&smaps);
	return error;
}

static int note_failure(const struct ksr_fs *fs, struct ksr_estimate *estimate, pid_t pid, int error)
{
	struct ksr_rejected *larger =
		reallocarray(estimate->failed, estimate->failed_count + 1, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	estimate->failed = larger;
	larger[estimate->failed_count].pid = pid;
	larger[estimate->failed_count].error =
		ksr_process_why(fs, pid, error, larger[estimate->failed_count].why);
	estimate->failed_count++;
	return 0;
}

static int scan_all(struct scan *scan, const pid_t *pids, size_t count)
{
	struct ksr_estimate *estimate = scan->estimate;

	memset(scan->buffer, 0, estimate->page_bytes);
	scan->zero = XXH3_128bits(scan->buffer, estimate->page_bytes);
	for (size_t i = 0; i < count; i++) {
		int error;

		scan->pid = pids[i];
		scan->number = (uint32_t)i;
		error = scan_process(scan);
		if (error == -ENOMEM)
			return error;
		if (error && note_failure(scan->fs, estimate, pids[i], error))
			return -ENOMEM;
		estimate->processes += error == 0;
	}
	return 0;
}

static void take_sums(struct ksr_estimate *estimate, struct ksr_pages *pages, struct ksr_pages *placed)
{
	struct ksr_pages_sum *sums = calloc(estimate->group_count, sizeof(*sums));

	estimate->factor = ksm_max(ksr_pages_factor(pages), ksr_pages_factor(placed));
	if (!sums)
		return;
	ksr_pages_sum(pages, sums, (uint32_t)estimate->group_count);
	for (size_t i = 0; i < estimate->group_count; i++)
		estimate->groups[i].sum = sums[i];
	memset(sums, 0, estimate->group_count * sizeof(*sums));
	ksr_pages_sum(placed, sums, (uint32_t)estimate->group_count);
	for (size_t i = 0; i < estimate->group_count; i++)
		estimate->groups[i].placed = sums[i];
	free(sums);
}

int ksr_estimate_create(const struct ksr_fs *fs, const struct ksr_report *report, const pid_t *pids,
			size_t count, uint64_t most_bytes, struct ksr_estimate *estimate)
{
	struct scan scan = {.fs = fs, .report = report, .estimate = estimate};
	int error = -ENOMEM;

	memset(estimate, 0, sizeof(*estimate));
	estimate->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	estimate->group_count = report->site_count + KSR_PART_COUNT + 1;
	estimate->groups = calloc(estimate->group_count, sizeof(*estimate->groups));
	scan.buffer = malloc(BATCH_PAGES * estimate->page_bytes);
	scan.pages = ksr_pages_create(most_bytes);
	scan.placed = ksr_pages_create(most_bytes / 2);
	scan.forecast = ksr_forecast_create(most_bytes, (size_t)estimate->page_bytes);
	scan.flags_fd = ksr_page_flags_open(fs);
	if (take_sites(&scan) == 0 && estimate->groups && scan.buffer && scan.pages && scan.placed && scan.forecast)
		error = scan_all(&scan, pids, count);
	if (!error) {
		take_sums(estimate, scan.pages, scan.placed);
		ksr_forecast_sum(scan.forecast, (uint32_t)count, estimate->saves);
	} else {
		ksr_estimate_destroy(estimate);
	}
	ksr_forecast_destroy(scan.forecast);
	if (scan.flags_fd >= 0)
		close(scan.flags_fd);
	ksr_pages_destroy(scan.pages);
	ksr_pages_destroy(scan.placed);
	free(scan.shared.cells);
	free(scan.sites);
	free(scan.buffer);
	return error;
}

void ksr_estimate_destroy(struct ksr_estimate *estimate)
{
	free(estimate->groups);
	free(estimate->failed);
	memset(estimate, 0, sizeof(*estimate));
}
