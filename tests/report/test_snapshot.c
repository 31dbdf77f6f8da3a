/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile segments: each test breaks one field of a valid one and wants the check that finds it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "segment_builder.h"
#include "read/snapshot.h"

static unsigned char bytes[BUILDER_SEGMENT_BYTES];
static struct ksmalloc_segment_header header;
static char why[KSR_WHY_BYTES];

static void build(void)
{
	static const unsigned char id[20] = {1, 2, 3};
	const struct builder builder = {
		.module_path = "/usr/bin/program",
		.group = "web",
		.build_id = id,
		.build_id_bytes = sizeof(id),
		.sites = 2,
		.slot_base = {0x10000000, 0x20000000},
		.slot_bytes = {8192, 4096},
		.frames = {0x1234, 0x2345},
		.label = "cache",
	};

	builder_write(&builder, bytes);
	memcpy(&header, bytes, sizeof(header));
}

static void put_header(void)
{
	memcpy(bytes, &header, sizeof(header));
}

static int validate(size_t size)
{
	struct ksmalloc_segment_header found;

	return ksr_snapshot_validate(bytes, size, &found, why);
}

#define REFUSED(size, words)                                                                       \
	do {                                                                                       \
		cr_assert_eq(validate(size), -EINVAL);                                             \
		cr_assert(strstr(why, words), "'%s' does not say '%s'", why, words);               \
	} while (0)

Test(snapshot, test_validate_accepts_valid, .init = build)
{
	cr_assert_eq(validate(sizeof(bytes)), 0, "%s", why);
}

Test(snapshot, test_validate_each_truncation, .init = build)
{
	for (size_t size = 0; size < sizeof(bytes); size++) {
		/* A copy of the exact size lets a sanitizer see each read past its end. */
		unsigned char *copy = malloc(size ? size : 1);
		struct ksmalloc_segment_header found;

		memcpy(copy, bytes, size);
		cr_assert_neq(ksr_snapshot_validate(copy, size, &found, why), 0, "size %zu", size);
		free(copy);
	}
}

Test(snapshot, test_validate_foreign_magic, .init = build)
{
	bytes[0] = 'X';
	REFUSED(sizeof(bytes), "magic");
}

Test(snapshot, test_validate_wrong_version, .init = build)
{
	header.version = 77;
	put_header();
	REFUSED(sizeof(bytes), "version 77");
}

Test(snapshot, test_validate_small_header, .init = build)
{
	header.header_bytes = 16;
	put_header();
	REFUSED(sizeof(bytes), "header of 16 bytes");
}

Test(snapshot, test_validate_unterminated_header_string, .init = build)
{
	memset(header.group, 'g', sizeof(header.group));
	put_header();
	REFUSED(sizeof(bytes), "not terminated");
}

Test(snapshot, test_validate_page_size, .init = build)
{
	header.page_bytes = 0;
	put_header();
	REFUSED(sizeof(bytes), "page size");
}

Test(snapshot, test_validate_huge_count, .init = build)
{
	header.sites.count = UINT32_MAX;
	put_header();
	REFUSED(sizeof(bytes), "table sites: count");
	header.sites.capacity = UINT32_MAX;
	put_header();
	REFUSED(sizeof(bytes), "table sites: capacity");
}

Test(snapshot, test_validate_small_stride, .init = build)
{
	header.slots.stride = 4;
	put_header();
	REFUSED(sizeof(bytes), "table slots: stride 4");
}

Test(snapshot, test_validate_larger_stride_is_a_newer_writer, .init = build)
{
	/* A record may grow at its end: two slots of twice the width still fit before the modules.
	 */
	header.slots.stride *= 2;
	memmove(bytes + header.slots.offset + header.slots.stride,
		bytes + header.slots.offset + header.slots.stride / 2, header.slots.stride / 2);
	put_header();
	cr_assert_eq(validate(sizeof(bytes)), 0, "%s", why);
}

/* Two threads at site 1, one of which has freed what the other allocated, and one at no site. */
static void put_tallies(void)
{
	struct ksmalloc_segment_tally tallies[] = {
		{.site = 1, .calls_total = 5, .allocated_bytes_total = 500, .cached_bytes = 4096},
		{.site = 1, .calls_total = 1, .frees_total = 4, .freed_bytes_total = 400},
		{.site = 1000, .calls_total = 77, .allocated_bytes_total = 77777},
	};

	header.tallies = (struct ksmalloc_segment_table){.offset = sizeof(bytes) - sizeof(tallies),
							 .stride = sizeof(tallies[0]),
							 .capacity = 3,
							 .count = 3};
	memcpy(bytes + header.tallies.offset, tallies, sizeof(tallies));
	put_header();
}

Test(snapshot, test_tallies_are_added_to_their_sites, .init = build)
{
	struct ksr_snapshot snapshot = {.data = bytes, .size = sizeof(bytes)};
	struct ksmalloc_segment_site before, after;

	put_tallies();
	cr_assert_eq(ksr_snapshot_validate(bytes, sizeof(bytes), &snapshot.header, why), 0, "%s", why);
	ksr_snapshot_site(&snapshot, 1, &before);
	ksr_snapshot_add_tallies(&snapshot);
	ksr_snapshot_site(&snapshot, 1, &after);
	cr_assert_eq(after.stats.calls_total, before.stats.calls_total + 6);
	cr_assert_eq(after.stats.frees_total, before.stats.frees_total + 4);
	cr_assert_eq(after.stats.allocated_bytes_total, before.stats.allocated_bytes_total + 500);
	cr_assert_eq(after.stats.live_bytes, before.stats.live_bytes + 100);
	cr_assert_eq(after.stats.placed_bytes, before.stats.placed_bytes - 4096);
	cr_assert_eq(after.stats.kept_bytes, before.stats.kept_bytes + 4096);
}

Test(snapshot, test_validate_tallies, .init = build)
{
	put_tallies();
	header.tallies.stride = 8;
	put_header();
	REFUSED(sizeof(bytes), "table tallies: stride 8");
	put_tallies();
	header.tallies.offset = sizeof(bytes) - 8;
	put_header();
	REFUSED(sizeof(bytes), "table tallies");
}

Test(snapshot, test_validate_offset_past_end, .init = build)
{
	header.modules.offset = UINT64_MAX - 8;
	put_header();
	REFUSED(sizeof(bytes), "table modules");
	header.modules.offset = sizeof(bytes) - 8;
	put_header();
	REFUSED(sizeof(bytes), "do not fit");
	header.modules.offset = 8; /* over the header */
	put_header();
	REFUSED(sizeof(bytes), "table modules");
}

Test(snapshot, test_validate_unterminated_strings, .init = build)
{
	bytes[header.strings.offset + header.strings.count - 1] = 'x';
	REFUSED(sizeof(bytes), "last string is not terminated");
}

static void put_site(uint32_t index, const struct ksmalloc_segment_site *site)
{
	memcpy(bytes + header.sites.offset + index * sizeof(*site), site, sizeof(*site));
}

static struct ksmalloc_segment_site get_site(uint32_t index)
{
	struct ksmalloc_segment_site site;

	memcpy(&site, bytes + header.sites.offset + index * sizeof(site), sizeof(site));
	return site;
}

Test(snapshot, test_validate_too_many_frames, .init = build)
{
	struct ksmalloc_segment_site site = get_site(1);

	site.frame_count = KSMALLOC_MAX_FRAMES + 1;
	put_site(1, &site);
	REFUSED(sizeof(bytes), "site 1: 17 frames");
}

/* The builder's first origin has two frames. */
static void build_with_origin(void)
{
	static const struct builder_script script = {"/srv/main.py", "main", 7, KSMALLOC_LANGUAGE_PYTHON};
	static const struct builder_origin origin = {.id = 5, .scripts = &script, .script_count = 1, .frame_count = 2};
	const struct builder builder = {.module_path = "/usr/bin/program", .frames = {0x1234, 0x2345},
					.origins = &origin, .origin_count = 1};

	builder_write(&builder, bytes);
	memcpy(&header, bytes, sizeof(header));
}

static struct ksr_origin_entry get_origin(void)
{
	struct ksr_snapshot snapshot = {.data = bytes, .size = sizeof(bytes)};
	struct ksr_origin_entry entry;

	cr_assert_eq(ksr_snapshot_validate(bytes, sizeof(bytes), &snapshot.header, why), 0, "%s", why);
	ksr_snapshot_origin(&snapshot, 1, &entry);
	return entry;
}

Test(snapshot, test_frames_of_an_origin_come_from_their_tables, .init = build_with_origin)
{
	struct ksr_origin_entry entry = get_origin();

	cr_assert_eq(entry.id, 5);
	cr_assert_eq(entry.frame_count, 2);
	cr_assert_eq(entry.frames[1], 0x2345);
	cr_assert_eq(entry.script_frame_count, 1);
	cr_assert_eq(entry.script_frames[0].line, 7);
}

Test(snapshot, test_frames_outside_of_their_tables_are_left_out, .init = build_with_origin)
{
	struct ksmalloc_segment_origin origin;
	struct ksr_origin_entry entry;

	memcpy(&origin, bytes + header.origins.offset + sizeof(origin), sizeof(origin));
	origin.frames[0] = 3;
	origin.script_frames[0] = UINT16_MAX;
	memcpy(bytes + header.origins.offset + sizeof(origin), &origin, sizeof(origin));
	entry = get_origin();
	cr_assert_eq(entry.frame_count, 1);
	cr_assert_eq(entry.frames[0], 0x2345);
	cr_assert_eq(entry.script_frame_count, 0);
	origin.script_frame_count = KSMALLOC_MAX_SCRIPT_FRAMES + 1;
	memcpy(bytes + header.origins.offset + sizeof(origin), &origin, sizeof(origin));
	REFUSED(sizeof(bytes), "13 frames");
}

Test(snapshot, test_origins_of_version_7_have_their_frames, .init = build_with_origin)
{
	const struct ksr_origin_entry whole = {.id = 9, .frame_count = 1, .frames = {0x42}};

	header.version = 7;
	header.origins.stride = sizeof(whole);
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + header.origins.offset + sizeof(whole), &whole, sizeof(whole));
	cr_assert_eq(get_origin().id, 9);
	cr_assert_eq(get_origin().frames[0], 0x42);
	header.origins.stride = sizeof(struct ksmalloc_segment_origin);
	memcpy(bytes, &header, sizeof(header));
	REFUSED(sizeof(bytes), "table origins: stride");
}

Test(snapshot, test_validate_wide_id, .init = build)
{
	struct ksmalloc_segment_site site = get_site(1);

	site.id = UINT64_MAX;
	put_site(1, &site);
	REFUSED(sizeof(bytes), "48 bits");
}

Test(snapshot, test_validate_label_past_strings, .init = build)
{
	struct ksmalloc_segment_site site = get_site(2);

	site.label_string = header.strings.count;
	put_site(2, &site);
	REFUSED(sizeof(bytes), "site 2: label");
}

static void put_slot(uint32_t index, uint64_t base, uint64_t mapped, uint32_t site)
{
	struct ksmalloc_segment_slot slot = {.base = base, .mapped_bytes = mapped, .site = site};

	memcpy(bytes + header.slots.offset + index * sizeof(slot), &slot, sizeof(slot));
}

Test(snapshot, test_validate_slot_of_no_site, .init = build)
{
	put_slot(0, 0x10000000, 8192, 3);
	REFUSED(sizeof(bytes), "slot 0: site 3 of 3");
}

Test(snapshot, test_validate_slot_wraps, .init = build)
{
	put_slot(1, UINT64_MAX - 4095, 8192, 1);
	REFUSED(sizeof(bytes), "past the address space");
}

Test(snapshot, test_validate_slot_part_of_a_page, .init = build)
{
	put_slot(1, 0x20000001, 4096, 1);
	REFUSED(sizeof(bytes), "whole number of pages");
}

Test(snapshot, test_validate_slots_overlap_in_any_order, .init = build)
{
	put_slot(0, 0x20000000, 8192, 1);
	put_slot(1, 0x1ffff000, 8192, 1);
	REFUSED(sizeof(bytes), "overlap");
}

Test(snapshot, test_validate_wide_build_id, .init = build)
{
	struct ksmalloc_segment_module module;

	memcpy(&module, bytes + header.modules.offset, sizeof(module));
	module.build_id_bytes = KSMALLOC_BUILD_ID_BYTES + 1;
	memcpy(bytes + header.modules.offset, &module, sizeof(module));
	REFUSED(sizeof(bytes), "build-id of 33 bytes");
}

Test(snapshot, test_validate_module_ends_before_it_begins, .init = build)
{
	struct ksmalloc_segment_module module;

	memcpy(&module, bytes + header.modules.offset, sizeof(module));
	module.begin = module.end + 1;
	memcpy(bytes + header.modules.offset, &module, sizeof(module));
	REFUSED(sizeof(bytes), "ends before it begins");
}

Test(snapshot, test_string_outside_is_empty, .init = build)
{
	struct ksr_snapshot snapshot = {.data = bytes, .size = sizeof(bytes), .header = header};

	cr_assert_str_eq(ksr_snapshot_string(&snapshot, UINT32_MAX), "");
	cr_assert_str_eq(ksr_snapshot_string(&snapshot, 1), "/usr/bin/program");
}

Test(snapshot, test_a_path_is_put_where_there_is_room, .init = build)
{
	struct ksr_snapshot snapshot = {.data = bytes, .size = sizeof(bytes), .header = header};
	struct ksmalloc_segment_module module;
	uint32_t count = header.strings.count;

	/* Neither beyond the table nor beyond the segment. */
	snapshot.header.strings.capacity = count + 4;
	ksr_snapshot_set_path(&snapshot, 0, "/usr");
	cr_assert(ksr_snapshot_module(&snapshot, 0, &module));
	cr_assert_str_eq(ksr_snapshot_string(&snapshot, module.path_string), "/usr/bin/program");
	snapshot.header.strings.capacity = UINT32_MAX;
	snapshot.size = header.strings.offset + count + 4;
	ksr_snapshot_set_path(&snapshot, 0, "/usr");
	cr_assert_eq(snapshot.header.strings.count, count);

	snapshot.header.strings.capacity = count + 5;
	snapshot.size++;
	ksr_snapshot_set_path(&snapshot, 0, "/usr");
	cr_assert(ksr_snapshot_module(&snapshot, 0, &module));
	cr_assert_str_eq(ksr_snapshot_string(&snapshot, module.path_string), "/usr");
	cr_assert_eq(snapshot.header.strings.count, count + 5);
}

Test(snapshot, test_compact_keeps_what_tables_have, .init = build)
{
	struct ksr_snapshot snapshot = {.data = malloc(sizeof(bytes)), .size = sizeof(bytes), .header = header};
	struct ksr_snapshot before = {.data = bytes, .size = sizeof(bytes), .header = header};
	struct ksmalloc_segment_module module, module_before;
	struct ksmalloc_segment_site site, site_before;
	struct ksmalloc_segment_slot slot, slot_before;

	memcpy(snapshot.data, bytes, sizeof(bytes));
	cr_assert(header.sites.count && header.slots.count && header.modules.count);
	ksr_snapshot_compact(&snapshot);
	cr_assert_lt(snapshot.size, sizeof(bytes));
	for (uint32_t i = 0; i < header.sites.count; i++) {
		ksr_snapshot_site(&snapshot, i, &site);
		ksr_snapshot_site(&before, i, &site_before);
		cr_assert_arr_eq(&site, &site_before, sizeof(site));
	}
	for (uint32_t i = 0; i < header.slots.count; i++) {
		ksr_snapshot_slot(&snapshot, i, &slot);
		ksr_snapshot_slot(&before, i, &slot_before);
		cr_assert_arr_eq(&slot, &slot_before, sizeof(slot));
	}
	for (uint32_t i = 0; i < header.modules.count; i++) {
		cr_assert(ksr_snapshot_module(&snapshot, i, &module) && ksr_snapshot_module(&before, i, &module_before));
		cr_assert_arr_eq(&module, &module_before, sizeof(module));
		cr_assert_str_eq(ksr_snapshot_string(&snapshot, module.path_string),
				 ksr_snapshot_string(&before, module.path_string));
	}
	/* There is no room for more any longer. */
	ksr_snapshot_set_path(&snapshot, 0, "/usr");
	cr_assert_eq(snapshot.header.strings.count, header.strings.count);
	ksr_snapshot_destroy(&snapshot);
}

static bool is_mapped(const char *line)
{
	struct ksr_text text = {.size = strlen(line)};
	struct ksr_map_line map;
	bool result;

	text.data = strdup(line);
	result = ksr_snapshot_is_mapped(&text, &map);
	free(text.data);
	return result;
}

Test(snapshot, test_is_mapped_by_last_component)
{
	cr_assert(is_mapped("7f0000000000-7f0000004000 rw-s 00000000 00:1a 77   "
			    "/run/user/0/ksmalloc/ksmalloc-segment.12\n"));
	cr_assert(is_mapped("7f0000000000-7f0000004000 rw-s 00000000 00:01 77   "
			    "/memfd:ksmalloc-segment.memory (deleted)\n"));
	cr_assert_not(is_mapped("7f0000000000-7f0000004000 rw-s 00000000 00:1a 77   "
				"/tmp/ksmalloc-segment.d/data\n"));
	cr_assert_not(is_mapped("7f0000000000-7f0000004000 rw-p 00000000 00:00 0    "
				"[anon:ksmalloc-segment.]\n"));
	cr_assert_not(is_mapped("7f0000000000-7f0000004000 rw-s 00001000 00:1a 77   "
				"/run/ksmalloc-segment.12\n"));
}

#define MARKER "7f0000000000-7f0000001000 ---p 00000000 00:01 77   /memfd:ksmalloc-segment (deleted)\n"

Test(snapshot, test_memory_is_mapped_behind_its_marker)
{
	static char text[] = MARKER "7f0000001000-7f0000200000 rw-p 00000000 00:00 0 \n"
				    "7f0000200000-7f0000201000 rw-p 00000000 00:00 0 \n";
	const struct ksr_text maps = {.data = text, .size = sizeof(text) - 1};
	struct ksr_map_line map;

	cr_assert(ksr_snapshot_is_mapped(&maps, &map));
	cr_assert_eq(map.begin, 0x7f0000001000);
	cr_assert_eq(map.end, 0x7f0000200000);
	cr_assert_eq(map.path_bytes, 0);
	cr_assert(is_mapped(MARKER "7f0000001000-7f0000200000 rw-p 00000000 00:00 0    [anon:x]\n"));
}

Test(snapshot, test_file_goes_before_memory)
{
	static char text[] = MARKER "7f0000001000-7f0000200000 rw-p 00000000 00:00 0 \n"
				    "7f0000300000-7f0000400000 rw-s 00000000 00:1a 78   /run/ksmalloc-segment.12\n";
	const struct ksr_text maps = {.data = text, .size = sizeof(text) - 1};
	struct ksr_map_line map;

	cr_assert(ksr_snapshot_is_mapped(&maps, &map));
	cr_assert_eq(map.begin, 0x7f0000300000);
}

Test(snapshot, test_what_looks_like_a_marker_is_none)
{
	/* Nothing behind it, something apart from it, no memory, and pages that can be read. */
	cr_assert_not(is_mapped(MARKER));
	cr_assert_not(is_mapped(MARKER "7f0000002000-7f0000200000 rw-p 00000000 00:00 0 \n"));
	cr_assert_not(is_mapped(MARKER "7f0000001000-7f0000200000 rw-p 00000000 00:1a 7   /tmp/file\n"));
	cr_assert_not(is_mapped(MARKER "7f0000001000-7f0000200000 r--p 00000000 00:00 0 \n"));
	cr_assert_not(is_mapped("7f0000000000-7f0000001000 rw-p 00000000 00:01 77   "
				"/memfd:ksmalloc-segment (deleted)\n"
				"7f0000001000-7f0000200000 rw-p 00000000 00:00 0 \n"));
	cr_assert_not(is_mapped("7f0000000000-7f0000001000 ---p 00000000 00:01 77   "
				"/tmp/memfd:ksmalloc-segment (deleted)\n"
				"7f0000001000-7f0000200000 rw-p 00000000 00:00 0 \n"));
}
