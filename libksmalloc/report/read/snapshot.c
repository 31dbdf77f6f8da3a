/* SPDX-License-Identifier: BSD-2-Clause */
/* The checks of a copy, and its records; how it is made is in snapshot_read.c. */
#define _GNU_SOURCE
#include "read/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct table_rule {
	const char *name;
	size_t header_offset; /* of the struct ksmalloc_segment_table */
	uint32_t stride_min;
	uint32_t capacity_max;
};

#define RULE(field, bytes, max)                                                                    \
	{                                                                                          \
#field, offsetof(struct ksmalloc_segment_header, field), bytes, max                \
	}

/* What version 2 had: see KSMALLOC_SEGMENT_OLDEST. */
#define HEADER_BYTES_MIN offsetof(struct ksmalloc_segment_header, stats.hints_total)

static const struct table_rule table_rules[] = {
	RULE(sites, offsetof(struct ksmalloc_segment_site, hint), 16 * KSMALLOC_MAX_SITES),
	RULE(slots, sizeof(struct ksmalloc_segment_slot), 16 * KSMALLOC_MAX_SLOTS),
	RULE(modules, sizeof(struct ksmalloc_segment_module), 16 * KSMALLOC_MAX_MODULES),
	RULE(strings, 1, 16 * KSMALLOC_STRINGS_BYTES),
	/* Since version 4. */
	RULE(tallies, sizeof(struct ksmalloc_segment_tally), 16 * KSMALLOC_MAX_TALLIES),
	/* Since version 7. */
	RULE(origins, offsetof(struct ksmalloc_segment_origin, stats), 16 * KSMALLOC_MAX_ORIGINS),
	RULE(marks, offsetof(struct ksmalloc_segment_mark, turn), 16 * KSMALLOC_MAX_MARKS),
	/* Since version 8. */
	RULE(script_frames, sizeof(struct ksmalloc_segment_script_frame), 4 * KSMALLOC_MAX_SCRIPT_ENTRIES),
	RULE(frames, sizeof(uint64_t), 2 * KSMALLOC_MAX_ORIGIN_FRAMES),
};

static int refuse(char why[KSR_WHY_BYTES], const char *format, ...) KSM_PRINTF(2, 3);

static int refuse(char why[KSR_WHY_BYTES], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, KSR_WHY_BYTES, format, args);
	va_end(args);
	return -EINVAL;
}

static int check_table(const struct table_rule *rule, const struct ksmalloc_segment_header *header,
		       size_t size, char *why)
{
	struct ksmalloc_segment_table table;

	memcpy(&table, (const char *)header + rule->header_offset, sizeof(table));
	/* What the version of the writer has not reads as 0. */
	if (rule->header_offset >= offsetof(struct ksmalloc_segment_header, tallies) &&
	    table.count == 0)
		return 0;
	if (table.stride < rule->stride_min || table.stride > 65536 ||
	    (rule->stride_min == 1 && table.stride != 1))
		return refuse(why, "table %s: stride %u, expected at least %u", rule->name,
			      table.stride, rule->stride_min);
	if (table.capacity > rule->capacity_max)
		return refuse(why, "table %s: capacity %u is above the limit of %u", rule->name,
			      table.capacity, rule->capacity_max);
	if (table.count > table.capacity)
		return refuse(why, "table %s: count %u is above its capacity %u", rule->name,
			      table.count, table.capacity);
	if (table.offset < header->header_bytes || table.offset > size ||
	    (uint64_t)table.count * table.stride > size - table.offset)
		return refuse(
			why, "table %s: %u records at offset %" PRIu64 " do not fit into %zu bytes",
			rule->name, table.count, table.offset, size);
	return 0;
}

static int check_header(const struct ksmalloc_segment_header *header, size_t size, char *why)
{
	if (memcmp(header->magic, KSMALLOC_SEGMENT_MAGIC, sizeof(header->magic)) != 0)
		return refuse(why, "magic is not that of statistics");
	if (header->version < KSMALLOC_SEGMENT_OLDEST || header->version > KSMALLOC_SEGMENT_VERSION)
		return refuse(why, "version %u, this program knows versions %u to %u",
			      header->version, KSMALLOC_SEGMENT_OLDEST, KSMALLOC_SEGMENT_VERSION);
	if (header->header_bytes < HEADER_BYTES_MIN || header->header_bytes > size)
		return refuse(why, "header of %u bytes, expected at least %zu and at most %zu",
			      header->header_bytes, HEADER_BYTES_MIN, size);
	if (header->size_bytes > size)
		return refuse(why, "truncated: says %" PRIu64 " bytes, has %zu", header->size_bytes,
			      size);
	if (!memchr(header->boot_id, 0, sizeof(header->boot_id)) ||
	    !memchr(header->group, 0, sizeof(header->group)) ||
	    !memchr(header->library_version, 0, sizeof(header->library_version)))
		return refuse(why, "a string of the header is not terminated");
	if (!ksm_is_power_of_two(header->page_bytes) || header->page_bytes < 4096 ||
	    header->page_bytes > KSM_MIB)
		return refuse(why, "page size of %u bytes", header->page_bytes);
	return 0;
}

static int check_strings(const unsigned char *data, const struct ksmalloc_segment_table *strings,
			 char *why)
{
	const unsigned char *start = data + strings->offset;

	if (strings->count == 0)
		return 0;
	if (start[strings->count - 1] != 0)
		return refuse(why, "table strings: the last string is not terminated");
	if (start[0] != 0)
		return refuse(why, "table strings: string 0 is not empty");
	return 0;
}

static int check_sites(const unsigned char *data, const struct ksmalloc_segment_header *header,
		       char *why)
{
	for (uint32_t i = 0; i < header->sites.count; i++) {
		struct ksmalloc_segment_site site;

		/* What is looked at stands before all that versions may lack. */
		memcpy(&site, data + header->sites.offset + (uint64_t)i * header->sites.stride,
		       offsetof(struct ksmalloc_segment_site, hint));
		if (site.frame_count > KSMALLOC_MAX_FRAMES)
			return refuse(why, "site %u: %u frames, at most %u are possible", i,
				      site.frame_count, KSMALLOC_MAX_FRAMES);
		if (site.id > KSMALLOC_FRAME_OFFSET_MASK)
			return refuse(why, "site %u: id has more than 48 bits", i);
		if (site.label_string && site.label_string >= header->strings.count)
			return refuse(why, "site %u: label at %u, the strings end at %u", i,
				      site.label_string, header->strings.count);
	}
	return 0;
}

static int compare_slots(const void *left, const void *right)
{
	const struct ksmalloc_segment_slot *a = left;
	const struct ksmalloc_segment_slot *b = right;

	return a->base < b->base ? -1 : a->base > b->base;
}

/* Overlapping slots would count the same memory for two sites. */
static int check_overlap(struct ksmalloc_segment_slot *slots, uint32_t count, char *why)
{
	qsort(slots, count, sizeof(*slots), compare_slots);
	for (uint32_t i = 1; i < count; i++) {
		if (slots[i - 1].base + slots[i - 1].mapped_bytes > slots[i].base)
			return refuse(why, "slots at %" PRIx64 " and %" PRIx64 " overlap",
				      slots[i - 1].base, slots[i].base);
	}
	return 0;
}

static int check_slots(const unsigned char *data, const struct ksmalloc_segment_header *header,
		       char *why)
{
	uint32_t count = header->slots.count;
	struct ksmalloc_segment_slot *slots;
	int error = 0;

	if (count == 0)
		return 0;
	slots = calloc(count, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && !error; i++) {
		struct ksmalloc_segment_slot *slot = &slots[i];

		memcpy(slot, data + header->slots.offset + (uint64_t)i * header->slots.stride,
		       sizeof(*slot));
		if (slot->site >= header->sites.count)
			error = refuse(why, "slot %u: site %u of %u", i, slot->site,
				       header->sites.count);
		else if ((slot->base | slot->mapped_bytes) & (header->page_bytes - 1))
			error = refuse(why, "slot %u: not a whole number of pages", i);
		else if (slot->mapped_bytes > UINT64_MAX - slot->base)
			error = refuse(why, "slot %u: ends past the address space", i);
	}
	if (!error)
		error = check_overlap(slots, count, why);
	free(slots);
	return error;
}

static int check_modules(const unsigned char *data, const struct ksmalloc_segment_header *header,
			 char *why)
{
	for (uint32_t i = 0; i < header->modules.count; i++) {
		struct ksmalloc_segment_module module;

		memcpy(&module,
		       data + header->modules.offset + (uint64_t)i * header->modules.stride,
		       sizeof(module));
		if (module.build_id_bytes > KSMALLOC_BUILD_ID_BYTES)
			return refuse(why, "module %u: build-id of %u bytes", i,
				      module.build_id_bytes);
		if (module.path_string && module.path_string >= header->strings.count)
			return refuse(why, "module %u: path at %u, the strings end at %u", i,
				      module.path_string, header->strings.count);
		if (module.begin > module.end)
			return refuse(why, "module %u: ends before it begins", i);
	}
	return 0;
}

/* Version 7 had origins as we hand them on. */
static bool has_whole_origins(const struct ksmalloc_segment_header *header)
{
	return header->version < 8;
}

static int check_origin(const struct ksmalloc_segment_header *header, const unsigned char *record, uint32_t i, char *why)
{
	struct ksmalloc_segment_origin origin;
	struct ksr_origin_entry whole;
	uint32_t frames, script_frames;

	if (has_whole_origins(header)) {
		memcpy(&whole, record, sizeof(whole));
		origin.id = whole.id;
		frames = whole.frame_count;
		script_frames = whole.script_frame_count;
	} else {
		memcpy(&origin, record, offsetof(struct ksmalloc_segment_origin, stats));
		frames = origin.frame_count;
		script_frames = origin.script_frame_count;
	}
	if (frames > KSMALLOC_MAX_FRAMES || script_frames > KSMALLOC_MAX_SCRIPT_FRAMES)
		return refuse(why, "origin %u: %u and %u frames, at most %u and %u are possible", i, frames,
			      script_frames, KSMALLOC_MAX_FRAMES, KSMALLOC_MAX_SCRIPT_FRAMES);
	if (origin.id > KSMALLOC_FRAME_OFFSET_MASK)
		return refuse(why, "origin %u: id has more than 48 bits", i);
	return 0;
}

static int check_origins(const unsigned char *data, const struct ksmalloc_segment_header *header,
			 char *why)
{
	const struct ksmalloc_segment_table *table = &header->origins;
	int error = 0;

	if (table->count && has_whole_origins(header) && table->stride < sizeof(struct ksr_origin_entry))
		return refuse(why, "table origins: stride %u, expected at least %zu", table->stride,
			      sizeof(struct ksr_origin_entry));
	for (uint32_t i = 0; i < table->count && !error; i++)
		error = check_origin(header, data + table->offset + (uint64_t)i * table->stride, i, why);
	return error;
}

int ksr_snapshot_validate_header(const void *data, size_t bytes, size_t size,
				 struct ksmalloc_segment_header *header, char why[KSR_WHY_BYTES])
{
	int error;

	why[0] = '\0';
	if (bytes < HEADER_BYTES_MIN)
		return refuse(why, "truncated: %zu bytes, the header alone has %zu", bytes,
			      HEADER_BYTES_MIN);
	memset(header, 0, sizeof(*header));
	memcpy(header, data, ksm_min(bytes, sizeof(*header)));
	error = check_header(header, size, why);
	if (!error && header->header_bytes < sizeof(*header))
		memset((char *)header + header->header_bytes, 0,
		       sizeof(*header) - header->header_bytes);
	return error;
}

int ksr_snapshot_validate(const void *data, size_t size, struct ksmalloc_segment_header *header,
			  char why[KSR_WHY_BYTES])
{
	int error = ksr_snapshot_validate_header(data, size, size, header, why);

	for (size_t i = 0; i < KSM_COUNT_OF(table_rules) && !error; i++)
		error = check_table(&table_rules[i], header, size, why);
	if (!error)
		error = check_strings(data, &header->strings, why);
	if (!error)
		error = check_sites(data, header, why);
	if (!error)
		error = check_slots(data, header, why);
	if (!error)
		error = check_modules(data, header, why);
	if (!error)
		error = check_origins(data, header, why);
	return error;
}

/* Records begin where any of their numbers may. */
static size_t table_room(const struct ksmalloc_segment_table *table)
{
	return (size_t)(((uint64_t)table->count * table->stride + 15) & ~UINT64_C(15));
}

void ksr_snapshot_compact(struct ksr_snapshot *snapshot)
{
	unsigned char *smaller;
	size_t size = 1;
	size_t at = 0;

	for (size_t i = 0; i < KSM_COUNT_OF(table_rules); i++) {
		struct ksmalloc_segment_table table;

		memcpy(&table, (const char *)&snapshot->header + table_rules[i].header_offset, sizeof(table));
		size += table_room(&table);
	}
	smaller = size < snapshot->size ? malloc(size) : NULL;
	if (!smaller)
		return;
	for (size_t i = 0; i < KSM_COUNT_OF(table_rules); i++) {
		char *place = (char *)&snapshot->header + table_rules[i].header_offset;
		struct ksmalloc_segment_table table;

		memcpy(&table, place, sizeof(table));
		if (table.count)
			memcpy(smaller + at, snapshot->data + table.offset, (size_t)table.count * table.stride);
		table.offset = at;
		table.capacity = table.count;
		memcpy(place, &table, sizeof(table));
		at += table_room(&table);
	}
	free(snapshot->data);
	snapshot->data = smaller;
	snapshot->size = size;
}

void ksr_snapshot_destroy(struct ksr_snapshot *snapshot)
{
	free(snapshot->data);
	snapshot->data = NULL;
	snapshot->size = 0;
}

static const unsigned char *record(const struct ksr_snapshot *snapshot,
				   const struct ksmalloc_segment_table *table, uint32_t index)
{
	return snapshot->data + table->offset + (uint64_t)index * table->stride;
}

void ksr_snapshot_add_tallies(struct ksr_snapshot *snapshot)
{
	const struct ksmalloc_segment_header *header = &snapshot->header;
	size_t stats_at = offsetof(struct ksmalloc_segment_site, stats);

	for (uint32_t i = 0; i < header->tallies.count; i++) {
		struct ksmalloc_segment_tally tally;
		struct ksmalloc_site_stats stats;
		unsigned char *site;

		memcpy(&tally, record(snapshot, &header->tallies, i), sizeof(tally));
		if (tally.site >= header->sites.count)
			continue;
		site = snapshot->data + header->sites.offset +
		       (uint64_t)tally.site * header->sites.stride + stats_at;
		memcpy(&stats, site, sizeof(stats));
		stats.calls_total += tally.calls_total;
		stats.frees_total += tally.frees_total;
		stats.allocated_bytes_total += tally.allocated_bytes_total;
		stats.live_bytes += tally.allocated_bytes_total - tally.freed_bytes_total;
		/* Read one after the other while the program went on: never less than none. */
		stats.placed_bytes -= ksm_min(tally.cached_bytes, stats.placed_bytes);
		stats.kept_bytes += tally.cached_bytes;
		memcpy(site, &stats, sizeof(stats));
	}
}

void ksr_snapshot_site(const struct ksr_snapshot *snapshot, uint32_t index,
		       struct ksmalloc_segment_site *site)
{
	memset(site, 0, sizeof(*site));
	memcpy(site, record(snapshot, &snapshot->header.sites, index),
	       ksm_min(sizeof(*site), snapshot->header.sites.stride));
	/* A sum over threads that was read while it changed. */
	if ((int64_t)site->stats.live_bytes < 0)
		site->stats.live_bytes = 0;
}

void ksr_snapshot_slot(const struct ksr_snapshot *snapshot, uint32_t index,
		       struct ksmalloc_segment_slot *slot)
{
	memcpy(slot, record(snapshot, &snapshot->header.slots, index), sizeof(*slot));
}

bool ksr_snapshot_module(const struct ksr_snapshot *snapshot, uint32_t index,
			 struct ksmalloc_segment_module *module)
{
	if (index >= snapshot->header.modules.count)
		return false;
	memcpy(module, record(snapshot, &snapshot->header.modules, index), sizeof(*module));
	return true;
}

/* The frames whose indices are given, but for those that are none. Returns how many there are. */
static uint32_t frames_of(const struct ksr_snapshot *snapshot, const struct ksmalloc_segment_table *table,
			  const uint16_t *indices, uint32_t count, size_t bytes, void *frames)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (indices[i] != 0 && indices[i] < table->count)
			memcpy((char *)frames + bytes * found++, record(snapshot, table, indices[i]), bytes);
	}
	return found;
}

void ksr_snapshot_origin(const struct ksr_snapshot *snapshot, uint32_t index, struct ksr_origin_entry *entry)
{
	const struct ksmalloc_segment_header *header = &snapshot->header;
	const unsigned char *from = record(snapshot, &header->origins, index);
	struct ksmalloc_segment_origin origin;

	if (has_whole_origins(header)) {
		memcpy(entry, from, sizeof(*entry));
		return;
	}
	memcpy(&origin, from, offsetof(struct ksmalloc_segment_origin, stats));
	*entry = (struct ksr_origin_entry){.id = origin.id};
	entry->script_frame_count =
		frames_of(snapshot, &header->script_frames, origin.script_frames, origin.script_frame_count,
			  sizeof(entry->script_frames[0]), entry->script_frames);
	entry->frame_count = frames_of(snapshot, &header->frames, origin.frames, origin.frame_count,
				       sizeof(entry->frames[0]), entry->frames);
}

void ksr_snapshot_origin_stats(const struct ksr_snapshot *snapshot, uint32_t index, struct ksmalloc_origin_stats *stats)
{
	const struct ksmalloc_segment_table *table = &snapshot->header.origins;
	size_t at = offsetof(struct ksmalloc_segment_origin, stats);

	memset(stats, 0, sizeof(*stats));
	if (snapshot->header.version >= 9 && table->stride >= at)
		memcpy(stats, record(snapshot, table, index) + at, ksm_min(sizeof(*stats), table->stride - at));
}

bool ksr_snapshot_mark(const struct ksr_snapshot *snapshot, uint32_t index,
		       struct ksmalloc_segment_mark *mark)
{
	const struct ksmalloc_segment_table *table = &snapshot->header.marks;

	memset(mark, 0, sizeof(*mark));
	memcpy(mark, record(snapshot, table, index), ksm_min(sizeof(*mark), table->stride));
	return mark->address && mark->bytes && mark->bytes <= UINT64_MAX - mark->address &&
	       mark->origin < snapshot->header.origins.count &&
	       mark->kind < KSMALLOC_MARK_KIND_COUNT;
}

void ksr_snapshot_set_path(struct ksr_snapshot *snapshot, uint32_t index, const char *path)
{
	struct ksmalloc_segment_table *strings = &snapshot->header.strings;
	const struct ksmalloc_segment_table *modules = &snapshot->header.modules;
	uint32_t place = strings->count;
	size_t bytes = strlen(path) + 1;

	/* Validation has seen to it that what is counted lies inside. */
	if (bytes > strings->capacity - place || bytes > snapshot->size - strings->offset - place)
		return;
	memcpy(snapshot->data + strings->offset + place, path, bytes);
	memcpy(snapshot->data + modules->offset + (uint64_t)index * modules->stride +
		       offsetof(struct ksmalloc_segment_module, path_string),
	       &place, sizeof(place));
	strings->count += (uint32_t)bytes;
}

const char *ksr_snapshot_string(const struct ksr_snapshot *snapshot, uint32_t offset)
{
	const struct ksmalloc_segment_table *strings = &snapshot->header.strings;

	if (offset >= strings->count)
		return "";
	return (const char *)snapshot->data + strings->offset + offset;
}
