/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of the screen, of origins with frames of an interpreter: their names, what is joined, and hostile text. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "segment_builder.h"
#include "show/screen.h"

#define MIB (UINT64_C(1) << 20)

static const struct builder_script json[] = {
	{"/usr/lib/python3.11/json/decoder.py", "raw_decode", 353, KSMALLOC_LANGUAGE_PYTHON},
	{"/usr/lib/python3.11/json/__init__.py", "load", 293, KSMALLOC_LANGUAGE_PYTHON},
	{"/srv/app.py", "load_table", 12, KSMALLOC_LANGUAGE_PYTHON},
};
static const struct builder_script again[] = {
	{"/usr/lib/python3.11/json/decoder.py", "raw_decode", 353, KSMALLOC_LANGUAGE_PYTHON},
	{"/srv/app.py", "load_table", 12, KSMALLOC_LANGUAGE_PYTHON},
	{"/srv/app.py", "main", 40, KSMALLOC_LANGUAGE_PYTHON},
};
static const struct builder_script evil[] = {
	{"/srv/e\x1b[2J\n\xe2\x80\xaevil.php", "l\x07o\nad\xff", 3, KSMALLOC_LANGUAGE_PHP},
};
static const struct builder_origin origins[] = {
	{0x101, json, 3, 2}, {0x102, again, 3, 1}, {0x103, evil, 1, 2}, {0x104, NULL, 0, 2},
};

static struct ksr_process process;
static struct ksr_report report;
static struct ksr_origin rows[KSM_COUNT_OF(origins)];
static struct ksr_fs fs;

static void make(void)
{
	struct builder builder = {.module_path = "/bin/app", .group = "web", .frames = {0x100, 0x200},
				  .origins = origins, .origin_count = KSM_COUNT_OF(origins)};
	char why[KSR_WHY_BYTES];

	process.snapshot.data = malloc(BUILDER_SEGMENT_BYTES);
	process.snapshot.size = BUILDER_SEGMENT_BYTES;
	builder_write(&builder, process.snapshot.data);
	cr_assert_eq(ksr_snapshot_validate(process.snapshot.data, BUILDER_SEGMENT_BYTES, &process.snapshot.header, why), 0,
		     "%s", why);
	process.snapshot.pid = 1;
	for (uint32_t i = 0; i < KSM_COUNT_OF(rows); i++)
		rows[i] = (struct ksr_origin){.id = origins[i].id, .sample_index = 1 + i, .processes = 2,
					      .kinds = 1u << KSMALLOC_MARK_MAPPING, .held = 8 * MIB,
					      .memory = {.resident = (16 - i) * MIB, .held = (16 - i) * MIB,
							 .saved = 2 * MIB, .fork_shared = MIB}};
	report = (struct ksr_report){.processes = &process, .process_count = 1, .origins = rows,
				     .origin_count = KSM_COUNT_OF(rows), .page_bytes = 4096};
	cr_assert_eq(ksr_fs_init(&fs, "/"), 0);
}

static void unmake(void)
{
	ksr_fs_fini(&fs);
	free(process.snapshot.data);
}

static void expect_place(const struct ksr_places *places, size_t at, const char *name, uint64_t held, uint32_t stacks)
{
	cr_assert_lt(at, places->count);
	cr_expect_str_eq(places->rows[at].name, name, "%s", places->rows[at].name);
	cr_expect_eq(places->rows[at].held, held);
	cr_expect_eq(places->rows[at].stacks, stacks);
}

static const struct ksr_balance total = {.processes = 1, .needs = 100 * MIB, .merged = 10 * MIB, .forked = 5 * MIB};

Test(places, test_rows_by_function, .init = make, .fini = unmake)
{
	struct ksr_symbols *symbols = ksr_symbols_create(&fs, false);
	struct ksr_places places;

	cr_assert_eq(ksr_places_create(&report, &total, symbols, KSR_PLACE_FUNCTION, &places), 0);
	cr_assert_eq(places.count, 3);
	expect_place(&places, 0, "load_table (app.py:12) > json.decoder.raw_decode", 29 * MIB, 2);
	expect_place(&places, 2, "app+0x100", 12 * MIB, 1);
	cr_expect_eq(places.rows[0].merged, 4 * MIB);
	cr_expect_str_eq(ksr_place_what(&places.rows[0]), "mapping");
	/* 110 MiB without merging, of which the rows have 29, 13 and 12. */
	cr_expect_eq(places.rest.held, 56 * MIB);
	cr_expect_eq(places.rest.merged, 2 * MIB);
	ksr_places_destroy(&places);
	ksr_symbols_destroy(symbols);
}

Test(places, test_rows_by_other_things, .init = make, .fini = unmake)
{
	struct ksr_symbols *symbols = ksr_symbols_create(&fs, false);
	struct ksr_places places;

	cr_assert_eq(ksr_places_create(&report, &total, symbols, KSR_PLACE_LANGUAGE, &places), 0);
	expect_place(&places, 0, "Python", 29 * MIB, 2);
	expect_place(&places, 1, "PHP", 13 * MIB, 1);
	expect_place(&places, 2, "C", 12 * MIB, 1);
	ksr_places_destroy(&places);
	cr_assert_eq(ksr_places_create(&report, &total, symbols, KSR_PLACE_FILE, &places), 0);
	expect_place(&places, 0, "/srv/app.py", 29 * MIB, 2);
	ksr_places_destroy(&places);
	cr_assert_eq(ksr_places_create(&report, &total, symbols, KSR_PLACE_STACK, &places), 0);
	cr_assert_eq(places.count, 4);
	expect_place(&places, 0, "load_table (app.py:12) > json.decoder.raw_decode", 15 * MIB, 1);
	expect_place(&places, 1, "load_table (app.py:12) > json.decoder.raw_decode < main", 14 * MIB, 1);
	ksr_places_destroy(&places);
	ksr_symbols_destroy(symbols);
}

static char *screen_of(unsigned int frames)
{
	const struct ksr_screen_options options = {.frames = frames};
	const struct ksr_output text = {.format = KSR_FORMAT_TEXT};
	struct ksr_symbols *symbols = ksr_symbols_create(&fs, false);
	char *output = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&output, &bytes);
	struct ksr_emitter *emitter = ksr_emitter_create(&text, stream);

	ksr_render_screen(&report, symbols, &options, emitter);
	cr_assert_eq(ksr_emitter_finish(emitter), 0);
	fclose(stream);
	ksr_symbols_destroy(symbols);
	return output;
}

Test(places, test_hostile_text_on_the_screen, .init = make, .fini = unmake)
{
	char *output = screen_of(8);

	cr_assert(strstr(output, "load_table (app.py:12) > json.decoder.raw_decode"), "%s", output);
	cr_assert(strstr(output, "l?o?ad? (e?[2J??"), "%s", output);
	for (const char *at = output; *at; at++)
		cr_assert(*at == '\n' || (unsigned char)*at >= 0x20, "%s", output);
	cr_assert_null(strstr(output, "\xe2\x80\xae"));
	free(output);
}

/* 8 MiB of each are live, 15 and 14 held, of which two stacks are one place: errors that are independent add as squares do. */
Test(places, test_how_far_off_what_is_held_may_be, .init = make, .fini = unmake)
{
	struct ksr_symbols *symbols = ksr_symbols_create(&fs, false);
	struct ksr_places places;
	char *output;

	rows[0].held_error = 3 * MIB;
	rows[1].held_error = 4 * MIB;
	cr_assert_eq(ksr_places_create(&report, &total, symbols, KSR_PLACE_FUNCTION, &places), 0);
	cr_expect_eq(places.rows[0].live_error, 5 * MIB);
	cr_expect_eq(places.rows[0].held_error, 29 * MIB * 5 / 16);
	cr_expect_eq(places.rows[1].held_error, 0);
	cr_expect_eq(places.rest.held_error, 0);
	ksr_places_destroy(&places);
	ksr_symbols_destroy(symbols);
	output = screen_of(0);
	cr_expect(strstr(output, "29.0 MiB  31.2 %  13.8 %"), "%s", output);
	cr_expect(strstr(output, " OF     +/-       %"), "%s", output);
	free(output);
}

Test(places, test_what_is_known_well_has_no_column_for_that, .init = make, .fini = unmake)
{
	char *output;

	rows[0].held_error = MIB / 8;
	output = screen_of(0);
	cr_expect_null(strstr(output, "+/-"), "%s", output);
	free(output);
	/* More than can be is no more than all of it. */
	rows[0].held_error = UINT64_MAX / 4;
	output = screen_of(0);
	cr_expect(strstr(output, "100.0 %"), "%s", output);
	free(output);
}

Test(places, test_interpreters_that_are_not_known_are_one_line, .init = make, .fini = unmake)
{
	char *output = screen_of(0);

	cr_expect_null(strstr(output, "not known here"), "%s", output);
	free(output);
	process.snapshot.header.languages_unknown = 1u << KSMALLOC_LANGUAGE_PYTHON | 1u << KSMALLOC_LANGUAGE_RUBY;
	output = screen_of(0);
	cr_expect(strstr(output, "\n1 process runs Python, Ruby of a version or build whose functions are not known here: that memory is "
				 "named by C functions only. 'ksmalloc doctor' tells which.\n"), "%s", output);
	free(output);
}
