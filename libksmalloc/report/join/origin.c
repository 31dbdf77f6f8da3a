/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows are found by an open-addressed table over their ids, as sites are; ids of origins and of sites are apart. What
 * marked blocks have of sites is kept until the sites are summed: only then it is known what that comes to.
 */
#include "join/origin.h"

#include <errno.h>
#include <stdlib.h>

#include "join/owners.h"
#include "names/perf_map.h"
#include "read/grow.h"
#include "read/search.h"

struct row {
	struct ksr_origin origin;
	double variance; /* of held */
	size_t last; /* process that was counted, plus one */
};

/* What an origin has of a site. */
struct share {
	uint64_t site; /* its id */
	size_t row;
	bool is_script; /* it has frames of an interpreter, or names of code that was made at run time */
	uint64_t held;
	struct ksr_memory memory;
};

struct ksr_origin_sums {
	struct row *rows;
	size_t count;
	size_t room;
	size_t *cells; /* index in rows plus one, 0 when empty */
	size_t mask;
	struct share *shares;
	size_t share_count;
	size_t share_room;
	/* Of the process that is added: names of the code that it has made itself, once they were looked for. */
	struct ksr_perf_map *map;
	bool has_looked;
};

struct ksr_origin_sums *ksr_origins_begin(void)
{
	return calloc(1, sizeof(struct ksr_origin_sums));
}

void ksr_origins_abandon(struct ksr_origin_sums *sums)
{
	if (!sums)
		return;
	free(sums->rows);
	free(sums->cells);
	free(sums->shares);
	free(sums);
}

/* --- rows ---------------------------------------------------------------------------------- */

static size_t *cell_of(const struct ksr_origin_sums *sums, uint64_t id, bool is_site)
{
	size_t cell = (size_t)(((id << 1 | is_site) * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & sums->mask;

	for (; sums->cells[cell]; cell = (cell + 1) & sums->mask) {
		const struct ksr_origin *origin = &sums->rows[sums->cells[cell] - 1].origin;

		if (origin->id == id && origin->is_site == is_site)
			break;
	}
	return &sums->cells[cell];
}

static int make_room(struct ksr_origin_sums *sums)
{
	size_t room = sums->room ? 2 * sums->room : 256;
	struct row *rows;
	size_t *cells;

	if (sums->count < sums->room)
		return 0;
	rows = reallocarray(sums->rows, room, sizeof(*rows));
	if (rows)
		sums->rows = rows;
	cells = rows ? calloc(2 * room, sizeof(*cells)) : NULL;
	if (!cells)
		return -ENOMEM;
	free(sums->cells);
	sums->cells = cells;
	sums->room = room;
	sums->mask = 2 * room - 1;
	for (size_t i = 0; i < sums->count; i++)
		*cell_of(sums, sums->rows[i].origin.id, sums->rows[i].origin.is_site) = i + 1;
	return 0;
}

/* The row of an origin that a process has, with this index there. NULL without memory. */
static struct row *obtain(struct ksr_origin_sums *sums, uint64_t id, bool is_site, size_t which, uint32_t index)
{
	struct row *row;
	size_t *cell;

	if (make_room(sums) != 0)
		return NULL;
	cell = cell_of(sums, id, is_site);
	if (!*cell) {
		*cell = ++sums->count;
		sums->rows[*cell - 1] = (struct row){.origin = {.id = id, .is_site = is_site, .sample_process = which,
								.sample_index = index}};
	}
	row = &sums->rows[*cell - 1];
	if (row->last != which + 1) {
		row->last = which + 1;
		row->origin.processes++;
	}
	return row;
}

/* --- processes ------------------------------------------------------------------------------ */

static struct ksr_memory memory_of(const struct ksr_owned *owned)
{
	struct ksr_memory memory = owned->nursery;

	for (size_t i = 0; i < KSR_PART_COUNT; i++)
		ksr_memory_add(&memory, &owned->parts[i]);
	return memory;
}

static uint64_t mix_name(uint64_t id, const char *name)
{
	for (; *name; name++)
		id = (id ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return id * UINT64_C(0x9e3779b97f4a7c15);
}

/*
 * What stands for an origin in all processes. Its own id leaves out code that was made at run time, whose addresses are
 * others in each: where that has names they are part of what it is. Without names all of it is one.
 */
static uint64_t id_of(struct ksr_origin_sums *sums, const struct ksr_owners *owners,
		      const struct ksr_origin_entry *origin)
{
	uint64_t id = origin->id;

	for (uint32_t i = 0; i < origin->frame_count; i++) {
		uint64_t address = origin->frames[i] & KSMALLOC_FRAME_OFFSET_MASK;
		struct ksr_perf_name name;

		if (origin->frames[i] >> KSMALLOC_FRAME_MODULE_SHIFT != KSMALLOC_FRAME_NO_MODULE || !address)
			continue;
		if (!sums->has_looked) {
			sums->has_looked = true;
			sums->map = ksr_perf_map_create(owners->fs, owners->snapshot->pid);
		}
		if (sums->map && ksr_perf_map_find(sums->map, address - 1, &name))
			id = mix_name(mix_name(id, name.function), name.place);
	}
	return id == origin->id ? id : id & ((UINT64_C(1) << 48) - 1);
}

static struct row *row_of_origin(struct ksr_origin_sums *sums, const struct ksr_owners *owners, size_t which,
				 uint32_t index)
{
	struct ksr_origin_entry entry;

	ksr_snapshot_origin(owners->snapshot, index, &entry);
	return obtain(sums, id_of(sums, owners, &entry), false, which, index);
}

static int add_origins(struct ksr_origin_sums *sums, size_t which, const struct ksr_owners *owners)
{
	/* Origin 0 is not known. */
	for (uint32_t i = 1; i < owners->origin_count; i++) {
		const struct ksr_owned *owned = &owners->origins[i];
		const struct ksr_marked *marked = &owners->marks.origins[i];
		struct ksr_memory memory = memory_of(owned);
		struct row *row;

		if (ksr_memory_is_empty(&memory) && owned->held == 0)
			continue;
		row = row_of_origin(sums, owners, which, i);
		if (!row)
			return -ENOMEM;
		row->origin.kinds |= marked->kinds;
		row->origin.held += owned->held;
		row->origin.marks += marked->marks;
		row->variance += marked->variance;
		ksr_memory_add(&row->origin.memory, &memory);
	}
	return 0;
}

static int add_nursery_sites(struct ksr_origin_sums *sums, size_t which, const struct ksr_owners *owners)
{
	for (uint32_t i = 0; i < owners->snapshot->header.sites.count; i++) {
		struct ksmalloc_segment_site entry;
		struct row *row;

		if (ksr_memory_is_empty(&owners->nursery_sites[i]))
			continue;
		ksr_snapshot_site(owners->snapshot, i, &entry);
		row = obtain(sums, entry.id, true, which, i);
		if (!row)
			return -ENOMEM;
		row->origin.held += entry.stats.live_bytes;
		ksr_memory_add(&row->origin.memory, &owners->nursery_sites[i]);
	}
	return 0;
}

static int add_shares(struct ksr_origin_sums *sums, size_t which, const struct ksr_owners *owners)
{
	for (size_t i = 0; i < owners->slot_count; i++) {
		const struct ksr_owned_slot *slot = &owners->slots[i];
		struct ksr_origin_entry origin;
		struct ksmalloc_segment_site site;
		struct share *larger;
		struct row *row;

		ksr_snapshot_site(owners->snapshot, slot->site, &site);
		/* What the program has named itself keeps its name. */
		if (slot->origin == 0 || site.flags & KSMALLOC_SITE_LABEL)
			continue;
		row = row_of_origin(sums, owners, which, slot->origin);
		if (!row)
			return -ENOMEM;
		larger = ksr_grow(sums->shares, sums->share_count, &sums->share_room, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		sums->shares = larger;
		row->origin.kinds |= 1u << KSMALLOC_MARK_LARGE;
		row->origin.marks++;
		if (slot->is_sample)
			row->variance += (double)slot->held * (double)slot->held;
		ksr_snapshot_origin(owners->snapshot, slot->origin, &origin);
		sums->shares[sums->share_count++] = (struct share){
			site.id, (size_t)(row - sums->rows),
			origin.script_frame_count > 0 || row->origin.id != origin.id, slot->held, slot->memory};
	}
	return 0;
}

int ksr_origins_add(struct ksr_origin_sums *sums, const struct ksr_report *report, size_t which,
		    const struct ksr_owners *owners)
{
	int error = add_origins(sums, which, owners);

	(void)report;
	if (!error)
		error = add_nursery_sites(sums, which, owners);
	if (!error)
		error = add_shares(sums, which, owners);
	ksr_perf_map_destroy(sums->map);
	sums->map = NULL;
	sums->has_looked = false;
	return error;
}

/* --- the sum ------------------------------------------------------------------------------- */

static int compare_shares(const void *left, const void *right)
{
	const struct share *a = left;
	const struct share *b = right;

	if (a->site != b->site)
		return a->site < b->site ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

static uint64_t site_of(const void *element)
{
	return ((const struct share *)element)->site;
}

/* The shares of a site: the first of them, and how many. */
static size_t shares_of(const struct ksr_origin_sums *sums, uint64_t site, size_t *count)
{
	size_t first = ksr_search_from(sums->shares, sums->share_count, sizeof(*sums->shares), site_of, site);

	for (*count = 0; first + *count < sums->share_count && sums->shares[first + *count].site == site;)
		++*count;
	return first;
}

/* So much of what is placed, without a product that has no room. */
static uint64_t part_of(uint64_t placed, uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)((double)placed * (double)part / (double)whole) : 0;
}

/*
 * Divides a site's memory among the origins of marked blocks, by what these stand for: all of it, but at most twice that. What
 * was freed and handed out again at once has fewer marks.
 */
static void divide_site(struct ksr_origin_sums *sums, const struct ksr_site *site, size_t first, size_t count,
			struct ksr_memory *left, uint64_t *held)
{
	uint64_t marked = 0;
	uint64_t whole;

	for (size_t i = first; i < first + count; i++)
		marked += sums->shares[i].held;
	whole = ksr_marks_whole(marked, site->stats.placed_bytes);
	for (size_t i = first; i < first + count; i++) {
		struct ksr_origin *origin = &sums->rows[sums->shares[i].row].origin;
		struct ksr_memory share = ksr_memory_share(&site->memory, sums->shares[i].held, whole);
		uint64_t bytes = part_of(site->stats.placed_bytes, sums->shares[i].held, whole);

		/* What rounding leaves is not worth a row. */
		if (marked == whole && i + 1 == first + count) {
			share = *left;
			bytes = *held;
		}
		ksr_memory_add(&origin->memory, &share);
		ksr_memory_take(left, &share);
		origin->held += bytes;
		*held = ksr_less(*held, bytes);
	}
}

/* A row for what a site has that no origin has. */
static int add_site(struct ksr_origin_sums *sums, const struct ksr_site *site)
{
	struct ksr_memory left = site->memory;
	uint64_t held = site->stats.placed_bytes;
	struct row *row;
	size_t count;
	size_t first = shares_of(sums, site->id, &count);

	if (ksr_memory_is_empty(&site->memory))
		return 0;
	/* Where all marked blocks have one origin, and that no frames of an interpreter, the site says as much of all. */
	if (count && (sums->shares[first].row != sums->shares[first + count - 1].row || sums->shares[first].is_script))
		divide_site(sums, site, first, count, &left, &held);
	if (ksr_memory_is_empty(&left))
		return 0;
	row = obtain(sums, site->id, true, site->sample_process, site->sample_index);
	if (!row)
		return -ENOMEM;
	row->origin.processes = ksm_max(row->origin.processes, site->processes);
	row->origin.held += held;
	ksr_memory_add(&row->origin.memory, &left);
	return 0;
}

/* The largest number whose square is not more. */
static uint64_t root_of(double square)
{
	double root = square;

	if (square < 1)
		return 0;
	for (int i = 0; i < 128; i++)
		root = (root + square / root) / 2;
	return (uint64_t)root;
}

uint64_t ksr_origin_add_errors(uint64_t a, uint64_t b)
{
	return root_of((double)a * (double)a + (double)b * (double)b);
}

int ksr_origins_finish(struct ksr_origin_sums *sums, struct ksr_report *report)
{
	if (sums->share_count)
		qsort(sums->shares, sums->share_count, sizeof(*sums->shares), compare_shares);
	for (size_t i = 0; i < report->site_count; i++) {
		if (add_site(sums, &report->sites[i]) != 0)
			return -ENOMEM;
	}
	report->origins = calloc(sums->count + 1, sizeof(*report->origins));
	if (!report->origins)
		return -ENOMEM;
	for (size_t i = 0; i < sums->count; i++) {
		report->origins[i] = sums->rows[i].origin;
		/* Of a sum of chances 19 of 20 lie within 1.96 standard deviations. */
		report->origins[i].held_error = root_of(1.96 * 1.96 * sums->rows[i].variance);
	}
	report->origin_count = sums->count;
	return 0;
}
