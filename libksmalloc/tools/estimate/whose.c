/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows are numbered: sites as in the report, parts, nurseries, what is kept, the rest, files as in the report, then origins
 * by their key.
 * A key is an origin's id; one that is the process's own has its highest bit set.
 */
#define _GNU_SOURCE
#include "estimate/whose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "join/marks.h"
#include "read/grow.h"
#include "read/search.h"

#define OWN_KEY (UINT64_C(1) << 63)

struct origin {
	uint64_t key;
	size_t process;
	uint32_t index;
};

/* A site of the report by its id. */
struct known_site {
	uint64_t id;
	uint32_t row;
};

/* What a row has of what was counted for another one. */
struct share {
	uint32_t from;
	uint32_t to;
	uint64_t weight;
};

struct ksr_whose {
	const struct ksr_fs *fs;
	const struct ksr_report *report;
	struct origin *origins; /* by key */
	size_t origin_count;
	struct known_site *sites; /* by id */
	struct share *shares;
	size_t share_count;
	size_t share_room;
	uint64_t kept; /* of small blocks, what was freed: counted, so that it is no share of what samples stand for */
};

struct ksr_whose_ranges {
	const struct ksr_whose *whose;
	const struct ksr_process *process;
	struct ksr_marks marks;
};

/* --- rows ---------------------------------------------------------------------------------- */

static uint32_t row_of_part(const struct ksr_whose *whose, enum ksr_part_id part)
{
	return (uint32_t)(whose->report->site_count + part);
}

static uint32_t row_of_nursery(const struct ksr_whose *whose)
{
	return row_of_part(whose, KSR_PART_COUNT);
}

static uint32_t row_of_kept(const struct ksr_whose *whose)
{
	return row_of_nursery(whose) + 1;
}

static uint32_t row_of_rest(const struct ksr_whose *whose)
{
	return row_of_kept(whose) + 1;
}

static uint32_t first_origin(const struct ksr_whose *whose)
{
	return row_of_rest(whose) + 1 + (uint32_t)whose->report->file_count;
}

static uint64_t key_of_origin(const void *element)
{
	return ((const struct origin *)element)->key;
}

static uint64_t id_of_site(const void *element)
{
	return ((const struct known_site *)element)->id;
}

/* Ids leave out code that was made at run time: origins that have such are the process's own, and joined by their names. */
static uint64_t key_of(const struct ksr_report *report, size_t process, uint32_t index)
{
	struct ksr_origin_entry entry;

	ksr_snapshot_origin(&report->processes[process].snapshot, index, &entry);
	for (uint32_t i = 0; i < entry.frame_count; i++) {
		if (entry.frames[i] >> KSMALLOC_FRAME_MODULE_SHIFT == KSMALLOC_FRAME_NO_MODULE &&
		    entry.frames[i] & KSMALLOC_FRAME_OFFSET_MASK)
			return OWN_KEY | (uint64_t)process << 32 | index;
	}
	return entry.id & ~OWN_KEY;
}

static uint32_t row_of_origin(const struct ksr_whose *whose, size_t process, uint32_t index)
{
	uint64_t key = key_of(whose->report, process, index);

	return first_origin(whose) + (uint32_t)ksr_search_from(whose->origins, whose->origin_count,
							       sizeof(*whose->origins), key_of_origin, key);
}

/* The rest where a site is not known: a segment may have any. */
static uint32_t row_of_site(const struct ksr_whose *whose, const struct ksmalloc_segment_site *site)
{
	size_t count = whose->report->site_count;
	size_t at = ksr_search_from(whose->sites, count, sizeof(*whose->sites), id_of_site, site->id);

	return at < count && whose->sites[at].id == site->id ? whose->sites[at].row : row_of_rest(whose);
}

static uint32_t row_of_file(const struct ksr_whose *whose, const char *name)
{
	const struct ksr_report *report = whose->report;
	uint32_t first = row_of_rest(whose) + 1;

	/* The last one may stand for all others. */
	for (size_t i = 0; i < report->file_count; i++) {
		if (!report->files[i].name[0] || strcmp(report->files[i].name, name) == 0)
			return first + (uint32_t)i;
	}
	return row_of_part(whose, KSR_PART_FILES);
}

static int compare_origins(const void *left, const void *right)
{
	const struct origin *a = left;
	const struct origin *b = right;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->process < b->process ? -1 : a->process > b->process;
}

static int compare_sites(const void *left, const void *right)
{
	const struct known_site *a = left;
	const struct known_site *b = right;

	return a->id < b->id ? -1 : a->id > b->id;
}

static int take_origins(struct ksr_whose *whose)
{
	const struct ksr_report *report = whose->report;
	size_t most = 0;
	size_t count = 0;

	for (size_t i = 0; i < report->process_count; i++)
		most += report->processes[i].snapshot.header.origins.count;
	whose->origins = calloc(most + 1, sizeof(*whose->origins));
	if (!whose->origins)
		return -ENOMEM;
	for (size_t i = 0; i < report->process_count; i++) {
		/* Origin 0 is not known. */
		for (uint32_t k = 1; k < report->processes[i].snapshot.header.origins.count; k++)
			whose->origins[count++] = (struct origin){key_of(report, i, k), i, k};
	}
	qsort(whose->origins, count, sizeof(*whose->origins), compare_origins);
	for (size_t i = 0; i < count; i++) {
		if (!whose->origin_count || whose->origins[whose->origin_count - 1].key != whose->origins[i].key)
			whose->origins[whose->origin_count++] = whose->origins[i];
	}
	return 0;
}

static int take_sites(struct ksr_whose *whose)
{
	const struct ksr_report *report = whose->report;

	whose->sites = calloc(report->site_count + 1, sizeof(*whose->sites));
	if (!whose->sites)
		return -ENOMEM;
	for (size_t i = 0; i < report->site_count; i++)
		whose->sites[i] = (struct known_site){report->sites[i].id, (uint32_t)i};
	qsort(whose->sites, report->site_count, sizeof(*whose->sites), compare_sites);
	return 0;
}

uint32_t ksr_whose_count(const struct ksr_whose *whose)
{
	return first_origin(whose) + (uint32_t)whose->origin_count;
}

struct ksr_whose_row ksr_whose_row(const struct ksr_whose *whose, uint32_t row)
{
	const struct ksr_report *report = whose->report;

	if (row < report->site_count)
		return (struct ksr_whose_row){KSR_WHOSE_SITE, report->sites[row].sample_process,
					      report->sites[row].sample_index};
	if (row >= first_origin(whose)) {
		const struct origin *origin = &whose->origins[row - first_origin(whose)];

		return (struct ksr_whose_row){KSR_WHOSE_ORIGIN, origin->process, origin->index};
	}
	if (row > row_of_rest(whose))
		return (struct ksr_whose_row){KSR_WHOSE_FILE, 0, row - row_of_rest(whose) - 1};
	if (row == row_of_rest(whose))
		return (struct ksr_whose_row){.kind = KSR_WHOSE_REST};
	if (row == row_of_kept(whose))
		return (struct ksr_whose_row){.kind = KSR_WHOSE_KEPT};
	if (row == row_of_nursery(whose))
		return (struct ksr_whose_row){.kind = KSR_WHOSE_NURSERY};
	return (struct ksr_whose_row){KSR_WHOSE_PART, 0, row - (uint32_t)report->site_count};
}

/* --- addresses ------------------------------------------------------------------------------- */

int ksr_whose_ranges_create(const struct ksr_whose *whose, const struct ksr_process *process,
			    struct ksr_whose_ranges **result)
{
	struct ksr_whose_ranges *ranges = calloc(1, sizeof(*ranges));
	int error = ranges ? 0 : -ENOMEM;

	*result = NULL;
	if (error)
		return error;
	ranges->whose = whose;
	ranges->process = process;
	if (process)
		error = ksr_marks_create(&ranges->marks, whose->fs, &process->snapshot);
	if (error)
		ksr_whose_ranges_destroy(ranges);
	else
		*result = ranges;
	return error;
}

void ksr_whose_ranges_destroy(struct ksr_whose_ranges *ranges)
{
	if (!ranges)
		return;
	ksr_marks_destroy(&ranges->marks);
	free(ranges);
}

static uint32_t row_of_owner(const struct ksr_whose_ranges *ranges, const struct ksmalloc_segment_mark *mark)
{
	const struct ksr_whose *whose = ranges->whose;

	/* Whoever it was taken for: samples say whose blocks lie there, as in reports. */
	if (mark->kind == KSMALLOC_MARK_HEAP)
		return row_of_part(whose, KSR_PART_HEAP);
	return row_of_origin(whose, (size_t)(ranges->process - whose->report->processes), mark->origin);
}

static uint32_t row_outside(const struct ksr_whose_ranges *ranges, const struct ksr_vma *vma)
{
	enum ksr_part_id part = ksr_part_of(&ranges->process->snapshot, vma);

	if (part == KSR_PART_FILES)
		return row_of_file(ranges->whose, vma->name);
	return part < KSR_PART_COUNT ? row_of_part(ranges->whose, part) : row_of_rest(ranges->whose);
}

uint32_t ksr_whose_find(const struct ksr_whose_ranges *ranges, const struct ksr_vma *vma, uint64_t address, bool *in_slot)
{
	const struct ksr_whose *whose = ranges->whose;
	const struct ksmalloc_segment_slot *slot;
	const struct ksmalloc_segment_mark *mark;
	struct ksmalloc_segment_site site = {0};

	*in_slot = false;
	if (!ranges->process)
		return row_of_rest(whose);
	slot = ksr_marks_slot_at(&ranges->marks, address);
	if (slot && slot->flags & KSMALLOC_SLOT_NURSERY)
		return ksr_marks_is_sampled(&ranges->marks, slot) ? row_of_part(whose, KSR_PART_HEAP) :
								    row_of_nursery(whose);
	*in_slot = slot != NULL;
	if (slot)
		ksr_snapshot_site(&ranges->process->snapshot, slot->site, &site);
	/* The middle of the page: a mark need not begin or end on one. In what the program has named marks change nothing. */
	mark = site.flags & KSMALLOC_SITE_LABEL ?
		       NULL :
		       ksr_marks_owner_at(&ranges->marks, address + whose->report->page_bytes / 2);
	if (mark)
		return row_of_owner(ranges, mark);
	return slot ? row_of_site(whose, &site) : row_outside(ranges, vma);
}

/* --- what samples stand for -------------------------------------------------------------------- */

static int add_share(struct ksr_whose *whose, uint32_t from, uint32_t to, uint64_t weight)
{
	struct share *larger = ksr_grow(whose->shares, whose->share_count, &whose->share_room, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	whose->shares = larger;
	whose->shares[whose->share_count++] = (struct share){from, to, weight};
	return 0;
}

/* Whose a large block is, says of its site how much of it is whose. */
static int take_block(struct ksr_whose *whose, const struct ksr_whose_ranges *ranges,
		      const struct ksmalloc_segment_mark *mark)
{
	const struct ksmalloc_segment_slot *slot = ksr_marks_slot_at(&ranges->marks, mark->address);
	size_t which = (size_t)(ranges->process - whose->report->processes);
	struct ksmalloc_segment_site site;

	if (!slot || slot->flags & KSMALLOC_SLOT_NURSERY)
		return 0;
	ksr_snapshot_site(&ranges->process->snapshot, slot->site, &site);
	if (site.flags & KSMALLOC_SITE_LABEL)
		return 0;
	return add_share(whose, row_of_site(whose, &site), row_of_origin(whose, which, mark->origin), mark->weight);
}

static int take_weights(struct ksr_whose *whose, const struct ksr_whose_ranges *ranges)
{
	const struct ksr_marks *marks = &ranges->marks;
	size_t which = (size_t)(ranges->process - whose->report->processes);
	int error = 0;

	whose->kept += marks->kept;
	for (size_t i = 0; i < marks->block_count && !error; i++)
		error = take_block(whose, ranges, &marks->blocks[i]);
	for (uint32_t i = 1; i < marks->origin_count && !error; i++) {
		if (marks->origins[i].sampled)
			error = add_share(whose, row_of_part(whose, KSR_PART_HEAP), row_of_origin(whose, which, i),
					  marks->origins[i].sampled);
	}
	return error;
}

static int take_unplaced(struct ksr_whose *whose, const struct ksr_process *process)
{
	int error = 0;

	for (uint32_t i = 0; i < process->snapshot.header.sites.count && !error; i++) {
		struct ksmalloc_segment_site site;

		ksr_snapshot_site(&process->snapshot, i, &site);
		if (ksr_marks_unplaced(&site))
			error = add_share(whose, row_of_nursery(whose), row_of_site(whose, &site),
					  ksr_marks_unplaced(&site));
	}
	return error;
}

static int compare_shares(const void *left, const void *right)
{
	const struct share *a = left;
	const struct share *b = right;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return a->to < b->to ? -1 : a->to > b->to;
}

static int take_shares(struct ksr_whose *whose)
{
	int error = 0;

	for (size_t i = 0; i < whose->report->process_count && !error; i++) {
		const struct ksr_process *process = &whose->report->processes[i];
		struct ksr_whose_ranges *ranges;

		error = ksr_whose_ranges_create(whose, process, &ranges);
		if (!error)
			error = take_weights(whose, ranges);
		if (!error)
			error = take_unplaced(whose, process);
		ksr_whose_ranges_destroy(ranges);
	}
	if (!error && whose->share_count)
		qsort(whose->shares, whose->share_count, sizeof(*whose->shares), compare_shares);
	return error;
}

int ksr_whose_create(const struct ksr_fs *fs, const struct ksr_report *report, struct ksr_whose **result)
{
	struct ksr_whose *whose = calloc(1, sizeof(*whose));
	int error = whose ? 0 : -ENOMEM;

	*result = NULL;
	if (error)
		return error;
	whose->fs = fs;
	whose->report = report;
	error = take_sites(whose);
	if (!error)
		error = take_origins(whose);
	if (!error)
		error = take_shares(whose);
	if (error)
		ksr_whose_destroy(whose);
	else
		*result = whose;
	return error;
}

void ksr_whose_destroy(struct ksr_whose *whose)
{
	if (!whose)
		return;
	free(whose->origins);
	free(whose->sites);
	free(whose->shares);
	free(whose);
}

/* --- the division ---------------------------------------------------------------------------- */

/* So much of what is left as the weight is of the weights that are. */
static void move_part(uint64_t *from, uint64_t *to, double part)
{
	uint64_t bytes = ksm_min((uint64_t)((double)*from * part), *from);

	*from -= bytes;
	*to += bytes;
}

static void move_group(struct ksr_estimate_group *from, struct ksr_estimate_group *to, double part)
{
	move_part(&from->resident, &to->resident, part);
	move_part(&from->zero, &to->zero, part);
	move_part(&from->fork_shared, &to->fork_shared, part);
	move_part(&from->would_merge, &to->would_merge, part);
	move_part(&from->would_share, &to->would_share, part);
}

static void divide(const struct share *shares, size_t count, struct ksr_estimate_group *groups)
{
	struct ksr_estimate_group *from = &groups[shares[0].from];
	uint64_t left = 0;

	for (size_t i = 0; i < count; i++)
		left += shares[i].weight;
	left = ksr_marks_whole(left, from->resident);
	for (size_t i = 0; i < count && left > 0; left -= shares[i].weight, i++) {
		struct ksr_estimate_group *to = &groups[shares[i].to];
		double part = (double)shares[i].weight / (double)left;

		if (to != from)
			move_group(from, to, part);
	}
}

void ksr_whose_divide(struct ksr_whose *whose, struct ksr_estimate_group *groups)
{
	struct ksr_estimate_group *small = &groups[row_of_part(whose, KSR_PART_HEAP)];
	uint64_t kept = ksm_min(whose->kept, small->resident);

	if (kept)
		move_group(small, &groups[row_of_kept(whose)], (double)kept / (double)small->resident);
	for (size_t first = 0, end; first < whose->share_count; first = end) {
		for (end = first; end < whose->share_count && whose->shares[end].from == whose->shares[first].from;)
			end++;
		divide(&whose->shares[first], end - first, groups);
	}
}
