/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file is read, not mapped, to be compared: a piece of it stays in the processor's cache until it was, a hole costs
 * nothing, and a page that cannot be read is an error and no signal.
 */
#include "store/share.h"

#include "store/share_fill.h"

#include <errno.h>
#include <string.h>

/*
 * Untouched pages between two others, so that both are in one mapping: those that are made pages of zeros, since the file has
 * something else there, and all of them. Where the file has a hole they read as zeros, and take memory when they are used.
 */
#define MOST_FILLED  4u
#define MOST_BRIDGED 64u
/* Of the pages of a mapping one in so many is shared at least. */
#define WORTH 8u
/*
 * Where the process's pages cannot be put into holes of the file by themselves (ksm_share_can_fill()), the file gets
 * one for each: so many may lie in a row, and half as many as are shared in all. Else sharing could take more memory
 * than it saves.
 */
#define MOST_OVER_HOLES 4u
/* Pages of the file that are compared at once. */
#define PIECE 16u

/* The memory of the work: entries, compared, saved. */
#define ENTRIES_BYTES  (KSM_SHARE_PAGES * sizeof(uint64_t))
#define COMPARED_BYTES (PIECE * KSM_PAGE)
#define WORK_BYTES     (ENTRIES_BYTES + COMPARED_BYTES + KSM_SHARE_SLICE)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define PAGE_PRESENT (UINT64_C(1) << 63)
#define PAGE_SWAPPED (UINT64_C(1) << 62)
#define PAGE_OF_FILE (UINT64_C(1) << 61)
#define PAGE_EXCLUSIVE (UINT64_C(1) << 56) /* no other process maps it */

/* --- what the work needs --------------------------------------------------------------------- */

int ksm_share_check(const struct ksm_share_file *file)
{
	struct ksm_os_file facts;
	int error = ksm_os_describe_file(file->descriptor, &facts);

	if (error)
		return error;
	if (facts.owner != ksm_os_user() || !ksm_os_is_sealed(file->descriptor))
		return -EPERM;
	return facts.bytes == file->bytes ? 0 : -EINVAL;
}

int ksm_share_begin(struct ksm_share_work *work)
{
	void *memory;
	int error = ksm_os_map(&memory, WORK_BYTES, true);

	if (error)
		return error;
	work->pagemap = -1;
	work->filler = KSM_SHARE_NOT_ASKED;
	work->entries = memory;
	work->compared = (unsigned char *)memory + ENTRIES_BYTES;
	work->saved = work->compared + COMPARED_BYTES;
	return 0;
}

int ksm_share_open(struct ksm_share_work *work)
{
	work->pagemap = ksm_os_open_to_read("/proc/self/pagemap");
	return work->pagemap < 0 ? work->pagemap : 0;
}

void ksm_share_close(struct ksm_share_work *work)
{
	if (work->pagemap >= 0)
		ksm_os_close(work->pagemap);
	ksm_share_end_filling(work);
	work->pagemap = -1;
	/* What was compared and carried over last is somebody's data, and memory that each process would have for itself. */
	ksm_os_madvise(work->entries, WORK_BYTES, MADV_DONTNEED);
}

void ksm_share_end(struct ksm_share_work *work)
{
	if (work->entries)
		ksm_os_unmap(work->entries, WORK_BYTES);
	work->entries = NULL;
}

/* --- what there is ------------------------------------------------------------------------- */

static unsigned char *page_at(const struct ksm_share_slice *slice, uint32_t page)
{
	return (unsigned char *)(slice->address + ((uintptr_t)page << KSM_PAGE_SHIFT));
}

static uint64_t offset_of(const struct ksm_share_slice *slice, uint32_t page)
{
	return slice->place + ((uint64_t)page << KSM_PAGE_SHIFT);
}

static int read_entries(struct ksm_share_work *work, uintptr_t address)
{
	uint64_t offset = (address >> KSM_PAGE_SHIFT) * sizeof(*work->entries);
	ssize_t length = ksm_os_read_at(work->pagemap, work->entries, ENTRIES_BYTES, offset);

	return length == (ssize_t)ENTRIES_BYTES ? 0 : length < 0 ? (int)length : -EIO;
}

static bool is_present(const struct ksm_share_work *work, uint32_t page)
{
	return work->entries[page] & PAGE_PRESENT;
}

static bool is_untouched(const struct ksm_share_work *work, uint32_t page)
{
	return !(work->entries[page] & (PAGE_PRESENT | PAGE_SWAPPED));
}

/* The file's next data at or behind the offset; at the end of the file if there is none. */
static int find_extent(const struct ksm_share_file *file, uint64_t offset, struct ksm_share_extent *extent)
{
	int64_t data, hole;

	if (file->known && offset >= file->known->from && offset < file->known->hole) {
		*extent = *file->known;
		return 0;
	}
	data = ksm_os_next_data(file->descriptor, offset);
	/* -ENXIO: there is no more. */
	hole = data == -ENXIO ? (int64_t)file->bytes : data < 0 ? data : ksm_os_next_hole(file->descriptor, (uint64_t)data);
	if (hole < 0)
		return (int)hole;
	*extent = (struct ksm_share_extent){ offset, data < 0 ? file->bytes : (uint64_t)data, (uint64_t)hole };
	if (file->known)
		*file->known = *extent;
	return 0;
}

bool ksm_share_has_data(const struct ksm_share_file *file, uint64_t place)
{
	struct ksm_share_extent extent;

	return find_extent(file, place, &extent) == 0 && extent.data < ksm_min(place + KSM_SHARE_SLICE, file->bytes);
}

int ksm_share_find_data(const struct ksm_share_file *file, uint64_t place, struct ksm_share_set *data)
{
	uint64_t end = place + KSM_SHARE_SLICE;
	struct ksm_share_extent extent;

	memset(data, 0, sizeof(*data));
	if (file->descriptor < 0 || file->bytes < KSM_SHARE_SLICE || place > file->bytes - KSM_SHARE_SLICE)
		return 0;
	for (uint64_t at = place; at < end; at = extent.hole) {
		int error = find_extent(file, at, &extent);

		if (error)
			return error;
		for (uint64_t page = ksm_max(extent.data, at); page < ksm_min(extent.hole, end); page += KSM_PAGE)
			ksm_share_add(data, (uint32_t)((page - place) >> KSM_PAGE_SHIFT));
	}
	return 0;
}

/* True if the page has to be compared: the process has one of its own, and the file has one. */
static bool is_candidate(const struct ksm_share_work *work, const struct ksm_share_slice *slice,
			 const struct ksm_share_set *data, uint32_t page)
{
	if (!ksm_share_has(data, page) || !is_present(work, page))
		return false;
	if (ksm_share_has(&slice->mapped, page))
		return !(work->entries[page] & PAGE_OF_FILE);
	return ksm_share_has(&slice->wanted, page);
}

/* Compares a run of candidates with the file. */
static int compare_run(const struct ksm_share_file *file, const struct ksm_share_work *work,
		       const struct ksm_share_slice *slice, uint32_t page, uint32_t pages, struct ksm_share_set *equal)
{
	const size_t bytes = (size_t)pages << KSM_PAGE_SHIFT;
	ssize_t length = ksm_os_read_at(file->descriptor, work->compared, bytes, offset_of(slice, page));

	if (length != (ssize_t)bytes)
		return length < 0 ? (int)length : -EIO;
	for (uint32_t i = 0; i < pages; i++) {
		if (memcmp(work->compared + (i << KSM_PAGE_SHIFT), page_at(slice, page + i), KSM_PAGE) == 0)
			ksm_share_add(equal, page + i);
	}
	return 0;
}

int ksm_share_find_equal(const struct ksm_share_file *file, const struct ksm_share_work *work, uintptr_t address,
			 uint64_t place, const struct ksm_share_set *pages, struct ksm_share_set *equal)
{
	const struct ksm_share_slice slice = { .address = address, .place = place };
	struct ksm_share_run run = { 0, 0 };
	struct ksm_share_set data;
	int error = ksm_share_find_data(file, place, &data);

	memset(equal, 0, sizeof(*equal));
	ksm_share_keep(&data, pages);
	while (!error && ksm_share_next_run(&data, &run)) {
		run.end = ksm_min(run.end, run.begin + PIECE);
		error = compare_run(file, work, &slice, run.begin, run.end - run.begin, equal);
	}
	return error;
}

/* data: which pages the file has. */
static int compare(const struct ksm_share_file *file, const struct ksm_share_work *work,
		   const struct ksm_share_slice *slice, const struct ksm_share_set *data, struct ksm_share_set *equal)
{
	uint32_t page = 0;

	memset(equal, 0, sizeof(*equal));
	while (page < KSM_SHARE_PAGES) {
		uint32_t pages = 0;
		int error;

		while (pages < PIECE && page + pages < KSM_SHARE_PAGES && is_candidate(work, slice, data, page + pages))
			pages++;
		error = pages ? compare_run(file, work, slice, page, pages, equal) : 0;
		if (error)
			return error;
		page += ksm_max(pages, 1u);
	}
	return 0;
}

/* True of a mapped page that is the file's still. */
static bool is_seen(const struct ksm_share_work *work, uint32_t page)
{
	return !(work->entries[page] & PAGE_SWAPPED) &&
	       (!is_present(work, page) || (work->entries[page] & PAGE_OF_FILE));
}

static void keep_seen(const struct ksm_share_work *work, struct ksm_share_set *pages)
{
	for (uint32_t page = 0; page < KSM_SHARE_PAGES; page++) {
		if (ksm_share_has(pages, page) && !is_seen(work, page))
			ksm_share_remove(pages, page);
	}
}

int ksm_share_find_seen(struct ksm_share_work *work, uintptr_t address, const struct ksm_share_set *mapped,
			struct ksm_share_set *seen)
{
	int error = read_entries(work, address);

	*seen = *mapped;
	if (!error)
		keep_seen(work, seen);
	return error;
}

/* What is mapped is the file's, or was copied. Where the file has a hole nothing is shared. */
static void note_copied(const struct ksm_share_work *work, struct ksm_share_slice *slice,
			const struct ksm_share_set *data)
{
	struct ksm_share_set seen = slice->mapped;

	keep_seen(work, &seen);
	slice->copied = slice->mapped;
	ksm_share_drop(&slice->copied, &seen);
	ksm_share_keep(&seen, data);
	slice->shared = ksm_share_count(&seen);
}

/* --- huge pages ---------------------------------------------------------------------------- */

/* The kernel maps all of a huge page when its first byte is read, and of other pages a few around it. */
static bool is_on_huge_page(const struct ksm_share_work *work, const struct ksm_share_slice *slice)
{
	const uint64_t last = (slice->address >> KSM_PAGE_SHIFT) + KSM_SHARE_PAGES - 1;
	const uint64_t wanted = PAGE_PRESENT | PAGE_OF_FILE;
	uint64_t entry = 0;

	(void)*(volatile unsigned char *)page_at(slice, 0);
	return ksm_os_read_at(work->pagemap, &entry, sizeof(entry), last * sizeof(entry)) == sizeof(entry) &&
	       (entry & wanted) == wanted;
}

/*
 * Where all pages of the slice are the file's, the table is dropped that the kernel has of them one by one. Before 6.14, and
 * on other processors, it keeps the table until it is asked for a huge page, which the file has.
 */
static void map_huge_again(const struct ksm_share_work *work, struct ksm_share_slice *slice)
{
	ksm_os_madvise(page_at(slice, 0), KSM_SHARE_SLICE, MADV_DONTNEED);
	slice->is_huge = is_on_huge_page(work, slice);
	if (!slice->is_huge && ksm_os_madvise(page_at(slice, 0), KSM_SHARE_SLICE, MADV_COLLAPSE) == 0)
		slice->is_huge = is_on_huge_page(work, slice);
}

/* --- pages that were copied and are equal again --------------------------------------------- */

/* The file's pages show through where the process's own are given back. */
static void give_back_copies(struct ksm_share_slice *slice, const struct ksm_share_set *equal)
{
	struct ksm_share_set copies = *equal;
	struct ksm_share_run run = { 0, 0 };

	ksm_share_keep(&copies, &slice->mapped);
	while (ksm_share_next_run(&copies, &run)) {
		uint32_t pages = run.end - run.begin;

		if (ksm_os_madvise(page_at(slice, run.begin), (size_t)pages << KSM_PAGE_SHIFT, MADV_DONTNEED) == 0)
			slice->gained += pages;
	}
}

/* --- new mappings --------------------------------------------------------------------------- */

/* Pages that are mapped at once; the first and the last one are equal to the file's. */
struct stretch {
	uint32_t begin;
	uint32_t end;
	uint32_t equal;
	uint32_t over_holes; /* pages for which the file gets one that nobody sees */
};

/* Of pages of other files only those are wanted that are the process's own. */
static void drop_uncopied(const struct ksm_share_work *work, struct ksm_share_slice *slice)
{
	for (uint32_t page = 0; page < KSM_SHARE_PAGES; page++) {
		if (ksm_share_has(&slice->of_file, page) &&
		    (!is_present(work, page) || (work->entries[page] & PAGE_OF_FILE)))
			ksm_share_remove(&slice->wanted, page);
	}
}

/* True if the page may be in a stretch: it is shared or carried over. */
static bool may_join(const struct ksm_share_work *work, const struct ksm_share_slice *slice, uint32_t page)
{
	return ksm_share_has(&slice->wanted, page) && !ksm_share_has(&slice->mapped, page) &&
	       !(work->entries[page] & PAGE_SWAPPED);
}

/* Untouched pages since the last one that is not. */
struct gap {
	uint32_t pages;
	uint32_t filled; /* of them those that the file has */
	uint32_t over_holes; /* and pages in a row, untouched ones aside, of which the file would get one each */
};

/* True if the file would get a page for this one, where it has a hole: it is written back there. */
static bool costs_file(struct ksm_share_work *work, const struct ksm_share_set *data, uint32_t page)
{
	return !is_untouched(work, page) && !ksm_share_has(data, page) && !ksm_share_can_fill(work);
}

/* False if the page makes the gap too long for one mapping. */
static bool bridges(struct ksm_share_work *work, const struct ksm_share_set *data, uint32_t page, struct gap *gap)
{
	if (!is_untouched(work, page)) {
		*gap = (struct gap){ .over_holes = costs_file(work, data, page) ? gap->over_holes + 1 : 0 };
		return gap->over_holes <= MOST_OVER_HOLES;
	}
	gap->pages++;
	gap->filled += ksm_share_has(data, page);
	return gap->pages <= MOST_BRIDGED && gap->filled <= MOST_FILLED;
}

/* Finds the next stretch from here on; false if there is none. data: which pages the file has. */
static bool find_stretch(struct ksm_share_work *work, const struct ksm_share_slice *slice,
			 const struct ksm_share_set *equal, const struct ksm_share_set *data, uint32_t from,
			 struct stretch *found)
{
	struct gap gap = { 0 };
	uint32_t over_holes = 0;
	bool is_read_only;

	while (from < KSM_SHARE_PAGES && !(ksm_share_has(equal, from) && may_join(work, slice, from)))
		from++;
	*found = (struct stretch){ from, from, 0, 0 };
	is_read_only = from < KSM_SHARE_PAGES && ksm_share_has(&slice->read_only, from);
	for (uint32_t page = from; page < KSM_SHARE_PAGES && may_join(work, slice, page); page++) {
		if (is_read_only != ksm_share_has(&slice->read_only, page) || (is_read_only && !ksm_share_has(equal, page)))
			break;
		if (!bridges(work, data, page, &gap))
			break;
		over_holes += costs_file(work, data, page);
		if (ksm_share_has(equal, page)) {
			found->end = page + 1;
			found->equal++;
			found->over_holes = over_holes;
		}
	}
	return found->end > found->begin;
}

/* What the process has and the file has not goes to where it can be copied back from. */
static void save(const struct ksm_share_work *work, const struct ksm_share_slice *slice,
		 const struct ksm_share_set *equal, const struct stretch *stretch)
{
	for (uint32_t page = stretch->begin; page < stretch->end; page++) {
		if (is_present(work, page) && !ksm_share_has(equal, page))
			memcpy(work->saved + ((size_t)page << KSM_PAGE_SHIFT), page_at(slice, page), KSM_PAGE);
	}
}

/* Pages of the stretch that are the process's, and that the file has a hole for. */
static void find_over_holes(const struct ksm_share_work *work, const struct ksm_share_set *data,
			    const struct stretch *stretch, struct ksm_share_set *pages)
{
	memset(pages, 0, sizeof(*pages));
	for (uint32_t page = stretch->begin; page < stretch->end; page++) {
		if (is_present(work, page) && !ksm_share_has(data, page))
			ksm_share_add(pages, page);
	}
}

static void put_back(struct ksm_share_work *work, struct ksm_share_slice *slice, const struct ksm_share_set *equal,
		     const struct ksm_share_set *data, const struct stretch *stretch)
{
	struct ksm_share_set over_holes, filled;

	find_over_holes(work, data, stretch, &over_holes);
	ksm_share_fill(work, slice->address, &over_holes, &filled);
	slice->carried += ksm_share_count(&filled);
	slice->has_written |= ksm_share_count(&filled) < ksm_share_count(&over_holes);
	for (uint32_t page = stretch->begin; page < stretch->end; page++) {
		if (ksm_share_has(equal, page) || ksm_share_has(&filled, page))
			continue;
		if (is_present(work, page))
			memcpy(page_at(slice, page), work->saved + ((size_t)page << KSM_PAGE_SHIFT), KSM_PAGE);
		else if (ksm_share_has(data, page))
			memset(page_at(slice, page), 0, KSM_PAGE);
		else
			continue;
		slice->carried++;
	}
}

/*
 * The kernel leaves mappings of files out of core dumps that have no page of the process's own, as far as it can tell:
 * one that ever had one is not left out.
 */
static void show_to_dumps(const struct ksm_share_work *work, struct ksm_share_slice *slice, uint32_t page)
{
	volatile unsigned char *byte = page_at(slice, page);

	*byte = *byte;
	if (slice->is_huge)
		map_huge_again(work, slice);
	else
		ksm_os_madvise(page_at(slice, page), KSM_PAGE, MADV_DONTNEED);
}

/*
 * The kernel has unmapped the pages and then mapped nothing: all of them are put back as they were, from the
 * file and what was saved. There is no way on without them.
 */
KSM_COLD static void restore(const struct ksm_share_file *file, const struct ksm_share_work *work,
			     const struct ksm_share_slice *slice, const struct ksm_share_set *equal,
			     const struct stretch *stretch)
{
	size_t bytes = (size_t)(stretch->end - stretch->begin) << KSM_PAGE_SHIFT;

	if (ksm_os_map_over(page_at(slice, stretch->begin), bytes) != 0)
		__builtin_trap();
	for (uint32_t page = stretch->begin; page < stretch->end; page++) {
		if (ksm_share_has(equal, page)) {
			if (ksm_os_read_at(file->descriptor, page_at(slice, page), KSM_PAGE,
					   offset_of(slice, page)) != (ssize_t)KSM_PAGE)
				__builtin_trap();
		} else if (is_present(work, page)) {
			memcpy(page_at(slice, page), work->saved + ((size_t)page << KSM_PAGE_SHIFT), KSM_PAGE);
		}
	}
	slice->introduce(page_at(slice, stretch->begin), bytes);
}

static int map_stretch(const struct ksm_share_file *file, struct ksm_share_work *work,
		       struct ksm_share_slice *slice, const struct ksm_share_set *equal,
		       const struct ksm_share_set *data, const struct stretch *stretch)
{
	unsigned char *begin = page_at(slice, stretch->begin);
	size_t bytes = (size_t)(stretch->end - stretch->begin) << KSM_PAGE_SHIFT;
	int error;

	save(work, slice, equal, stretch);
	error = ksm_os_map_store(begin, bytes, file->descriptor, offset_of(slice, stretch->begin));
	if (error) {
		if (!ksm_os_is_mapped(begin, bytes))
			restore(file, work, slice, equal, stretch);
		return error;
	}
	if (slice->may_be_huge && stretch->equal == KSM_SHARE_PAGES)
		slice->is_huge = is_on_huge_page(work, slice);
	/* Before its first private page, so that it can still be joined with its neighbours. */
	slice->introduce(begin, bytes);
	/* Of memory that merges it says that it is to have small pages: these do not merge. */
	if (slice->is_huge)
		ksm_os_madvise(begin, bytes, MADV_HUGEPAGE);
	put_back(work, slice, equal, data, stretch);
	show_to_dumps(work, slice, stretch->begin);
	/* Without memory to cut it off from a neighbour it can be written to, which is copied then as everywhere. */
	if (ksm_share_has(&slice->read_only, stretch->begin))
		ksm_os_protect(begin, bytes, PROT_READ);
	for (uint32_t page = stretch->begin; page < stretch->end; page++)
		ksm_share_add(&slice->mapped, page);
	slice->gained += stretch->equal;
	slice->mappings++;
	return 0;
}

/* So many pages pay for what the mapping costs. */
static uint32_t least_of(const struct ksm_share_slice *slice, const struct stretch *stretch)
{
	int edges = ksm_share_has(&slice->begins, stretch->begin) + ksm_share_has(&slice->ends, stretch->end - 1);

	return edges == 2 ? 1 : edges == 1 ? KSM_SHARE_LEAST_AT_EDGE : KSM_SHARE_LEAST;
}

static bool is_worth_it(const struct ksm_share_slice *slice, const struct stretch *stretch)
{
	return stretch->equal >= least_of(slice, stretch) && stretch->equal * WORTH >= stretch->end - stretch->begin &&
	       stretch->over_holes * 2 <= stretch->equal;
}

static int map_stretches(const struct ksm_share_file *file, struct ksm_share_work *work,
			 struct ksm_share_slice *slice, const struct ksm_share_set *equal,
			 const struct ksm_share_set *data)
{
	struct stretch stretch;

	for (uint32_t from = 0; find_stretch(work, slice, equal, data, from, &stretch); from = stretch.end) {
		int error;

		if (!is_worth_it(slice, &stretch))
			continue;
		error = map_stretch(file, work, slice, equal, data, &stretch);
		if (error)
			return error;
	}
	return 0;
}

/* Pages that might be shared if another process had one like them; what fork or the kernel shares already is not worth it. */
static void note_alone(const struct ksm_share_work *work, struct ksm_share_slice *slice,
		       const struct ksm_share_set *equal)
{
	for (uint32_t page = 0; page < KSM_SHARE_PAGES; page++) {
		if (is_present(work, page) && (work->entries[page] & PAGE_EXCLUSIVE) && !ksm_share_has(equal, page) &&
		    may_join(work, slice, page))
			ksm_share_add(&slice->alone, page);
	}
}

void ksm_share_keep_worthy(struct ksm_share_work *work, const struct ksm_share_slice *slice,
			   struct ksm_share_set *pages)
{
	struct ksm_share_set all = *pages;
	struct stretch stretch;

	memset(pages, 0, sizeof(*pages));
	for (uint32_t from = 0; find_stretch(work, slice, &all, &all, from, &stretch); from = stretch.end) {
		for (uint32_t page = stretch.begin; page < stretch.end && is_worth_it(slice, &stretch); page++) {
			if (ksm_share_has(&all, page))
				ksm_share_add(pages, page);
		}
	}
}

int ksm_share_slice(const struct ksm_share_file *file, struct ksm_share_work *work, struct ksm_share_slice *slice)
{
	struct ksm_share_set data, equal;
	int error;

	slice->gained = slice->shared = slice->carried = slice->mappings = 0;
	slice->has_written = false;
	memset(&slice->alone, 0, sizeof(slice->alone));
	memset(&slice->copied, 0, sizeof(slice->copied));
	error = ksm_share_find_data(file, slice->place, &data);
	if (!error)
		error = read_entries(work, slice->address);
	if (!error)
		drop_uncopied(work, slice);
	if (!error)
		error = compare(file, work, slice, &data, &equal);
	if (error)
		return error;
	note_copied(work, slice, &data);
	ksm_share_drop(&slice->copied, &equal);
	give_back_copies(slice, &equal);
	if (slice->is_huge && slice->gained > 0 && slice->shared + slice->gained == KSM_SHARE_PAGES)
		map_huge_again(work, slice);
	error = map_stretches(file, work, slice, &equal, &data);
	note_alone(work, slice, &equal);
	slice->shared += slice->gained;
	return error;
}
