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

struct scan {
	const struct ksr_fs *fs;
	const struct ksr_report *report;
	const struct ksr_process *process;   /* NULL: has no segment */
	struct ksr_whose_ranges *ranges;     /* of the process */
	const struct ksr_vma *vma;	     /* that is read */
	struct ksr_estimate *estimate;
	struct ksr_pages *pages;
	struct ksr_pages *placed; /* by content, address and group */
	uint64_t group_seed;	  /* of the process's group, 0 if it can share nothing */
	bool is_placed;		  /* the page that is read is memory that may be shared */
	struct ksr_forecast *forecast;
	struct ksr_mask mask; /* of the process */
	uint32_t number;	/* of the process */
	struct key_set shared;
	unsigned char *buffer;
	XXH128_hash_t zero;
	int mem_fd;
	int map_fd;
	int flags_fd;
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
	if (scan->group_seed && scan->is_placed)
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

/* The row of a page, and whether a store would take it. */
static uint32_t row_of(struct scan *scan, uint64_t address)
{
	bool in_slot;
	uint32_t row = ksr_whose_find(scan->ranges, scan->vma, address, &in_slot);

	scan->is_placed = in_slot || is_placed(scan, scan->vma);
	return row;
}

/* A run of resident pages, at most BATCH_PAGES. */
static int read_run(struct scan *scan, uint64_t address, const uint64_t *entries, size_t count)
{
	uint64_t page_bytes = scan->estimate->page_bytes;
	ssize_t got = pread(scan->mem_fd, scan->buffer, count * page_bytes, (off_t)address);
	size_t pages = got > 0 ? (size_t)got / page_bytes : 0;
	int error = 0;

	for (size_t i = 0; i < pages && !error; i++) {
		uint64_t at = address + i * page_bytes;

		/* A hostile segment may end a slot anywhere: each page is looked up. */
		error = count_page(scan, entries[i], at, row_of(scan, at), scan->buffer + i * page_bytes);
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

static void find_process(struct scan *scan)
{
	scan->process = NULL;
	for (size_t i = 0; i < scan->report->process_count; i++) {
		if (scan->report->processes[i].snapshot.pid == scan->pid)
			scan->process = &scan->report->processes[i];
	}
}

static int scan_process(struct scan *scan)
{
	struct ksr_smaps smaps = {0};
	int error = ksr_smaps_read(scan->fs, scan->pid, &smaps);

	scan->mem_fd = ksr_fs_open(scan->fs, O_RDONLY, "proc/%d/mem", (int)scan->pid);
	scan->map_fd = ksr_fs_open(scan->fs, O_RDONLY, "proc/%d/pagemap", (int)scan->pid);
	if (!error && (scan->mem_fd < 0 || scan->map_fd < 0))
		error = scan->mem_fd < 0 ? scan->mem_fd : scan->map_fd;
	find_process(scan);
	scan->ranges = NULL;
	if (!error)
		error = ksr_whose_ranges_create(scan->estimate->whose, scan->process, &scan->ranges);
	if (!error)
		error = ksr_mask_create(&smaps, &scan->mask);
	scan->group_seed = group_seed(scan->process);
	scan->estimate->has_shared |= scan->group_seed != 0;
	for (size_t i = 0; i < smaps.count && !error; i++) {
		scan->vma = &smaps.vmas[i];
		if (may_merge(&smaps.vmas[i]))
			error = scan_vma(scan, &smaps.vmas[i]);
	}
	if (scan->mem_fd >= 0)
		close(scan->mem_fd);
	if (scan->map_fd >= 0)
		close(scan->map_fd);
	ksr_mask_destroy(&scan->mask);
	ksr_whose_ranges_destroy(scan->ranges);
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
		estimate->groups[i].would_merge = sums[i].mergeable * estimate->page_bytes;
	memset(sums, 0, estimate->group_count * sizeof(*sums));
	ksr_pages_sum(placed, sums, (uint32_t)estimate->group_count);
	for (size_t i = 0; i < estimate->group_count; i++)
		estimate->groups[i].would_share = sums[i].mergeable * estimate->page_bytes;
	free(sums);
	ksr_whose_divide(estimate->whose, estimate->groups);
}

int ksr_estimate_create(const struct ksr_fs *fs, const struct ksr_report *report, const pid_t *pids,
			size_t count, uint64_t most_bytes, struct ksr_estimate *estimate)
{
	struct scan scan = {.fs = fs, .report = report, .estimate = estimate};
	int error;

	memset(estimate, 0, sizeof(*estimate));
	error = ksr_whose_create(fs, report, &estimate->whose);
	if (error)
		return error;
	error = -ENOMEM;
	estimate->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	estimate->group_count = ksr_whose_count(estimate->whose);
	estimate->groups = calloc(estimate->group_count, sizeof(*estimate->groups));
	scan.buffer = malloc(BATCH_PAGES * estimate->page_bytes);
	scan.pages = ksr_pages_create(most_bytes);
	scan.placed = ksr_pages_create(most_bytes / 2);
	scan.forecast = ksr_forecast_create(most_bytes, (size_t)estimate->page_bytes);
	scan.flags_fd = ksr_page_flags_open(fs);
	if (estimate->groups && scan.buffer && scan.pages && scan.placed && scan.forecast)
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
	free(scan.buffer);
	return error;
}

void ksr_estimate_destroy(struct ksr_estimate *estimate)
{
	free(estimate->groups);
	free(estimate->failed);
	ksr_whose_destroy(estimate->whose);
	memset(estimate, 0, sizeof(*estimate));
}
