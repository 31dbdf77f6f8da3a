/* SPDX-License-Identifier: BSD-2-Clause */
/* One view in three forms, and text from hostile processes. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "emitter.h"

static const struct ksr_column columns[] = {
	{"size", "SIZE"}, {"part", "PART"}, {"name", "NAME"}, {"hidden", NULL}, {"lines", "LINES"},
};

static char *emit(enum ksr_format format)
{
	static const char *const lines[] = {"one", "two"};
	const struct ksr_cell rows[][5] = {
		{ksr_cell_bytes(1536), ksr_cell_percent(1, 8), ksr_cell_text("a,\"b\""),
		 ksr_cell_count(7), ksr_cell_list(lines, 2)},
		{ksr_cell_bytes(5), ksr_cell_percent(1, 0), ksr_cell_text("x\x1b[31m"),
		 ksr_cell_bool(true), ksr_cell_list(NULL, 0)},
	};
	struct ksr_emitter *emitter;
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);

	emitter = ksr_emitter_create(format, stream);
	ksr_emitter_table_begin(emitter, "rows", columns, KSM_COUNT_OF(columns));
	ksr_emitter_row(emitter, rows[0]);
	ksr_emitter_row(emitter, rows[1]);
	ksr_emitter_table_end(emitter);
	ksr_emitter_section_begin(emitter, "totals");
	ksr_emitter_value(emitter, "sum", "the sum", ksr_cell_bytes(1541));
	ksr_emitter_section_end(emitter);
	ksr_emitter_note(emitter, "note %d", 1);
	cr_assert_eq(ksr_emitter_finish(emitter), 0);
	fclose(stream);
	return text;
}

Test(emitter, test_text)
{
	char *text = emit(KSR_FORMAT_TEXT);

	cr_assert_str_eq(text, "   SIZE    PART  NAME\n"
			       "1.5 KiB  12.5 %  a,\"b\"\n"
			       "    one\n"
			       "    two\n"
			       "    5 B       -  x?[31m\n"
			       "\n"
			       "the sum  1.5 KiB\n"
			       "note 1\n");
	free(text);
}

Test(emitter, test_csv)
{
	char *text = emit(KSR_FORMAT_CSV);

	cr_assert_str_eq(text, "size,part,name,hidden,lines\n"
			       "1536,12.50,\"a,\"\"b\"\"\",7,one < two\n"
			       "5,,x?[31m,yes,\n"
			       "\n"
			       "key,value\n"
			       "sum,1541\n");
	free(text);
}

Test(emitter, test_json)
{
	char *text = emit(KSR_FORMAT_JSON);
	json_t *root = json_loads(text, 0, NULL);
	json_t *rows = json_object_get(root, "rows");
	json_t *first = json_array_get(rows, 0);

	cr_assert_eq(json_array_size(rows), 2);
	cr_assert_eq(json_integer_value(json_object_get(first, "size")), 1536);
	cr_assert_float_eq(json_real_value(json_object_get(first, "part")), 12.5, 1e-9);
	cr_assert_str_eq(json_string_value(json_object_get(first, "name")), "a,\"b\"");
	cr_assert_eq(json_array_size(json_object_get(first, "lines")), 2);
	cr_assert(json_is_null(json_object_get(json_array_get(rows, 1), "part")));
	cr_assert(json_is_true(json_object_get(json_array_get(rows, 1), "hidden")));
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(root, "totals"), "sum")),
		     1541);
	cr_assert_str_eq(json_string_value(json_array_get(json_object_get(root, "notes"), 0)),
			 "note 1");
	json_decref(root);
	free(text);
}

Test(emitter, test_clean_text)
{
	static const struct {
		const char *from;
		const char *to;
	} cases[] = {
		{"plain", "plain"},
		{"tab\tnew\n", "tab?new?"},
		{"\xc3\xa4", "\xc3\xa4"}, /* a valid letter stays */
		{"\xc3", "?"},		  /* cut off */
		{"\xc0\xaf", "??"},	  /* overlong */
		{"\xed\xa0\x80", "???"},  /* a surrogate */
		{"\xc2\x9b", "??"},	  /* the one-byte CSI of terminals */
		{"\xe2\x80\xae", "???"},  /* turns the direction of text */
		{"\xff\x7f", "??"},
	};

	for (size_t i = 0; i < KSM_COUNT_OF(cases); i++) {
		char *text = strdup(cases[i].from);

		ksr_clean_text(text);
		cr_assert_str_eq(text, cases[i].to);
		free(text);
	}
}

Test(emitter, test_human_bytes)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},	      {1023, "1023 B"},
		{1024, "1.0 KiB"},    {1048524, "1023.9 KiB"},
		{1048575, "1.0 MiB"}, {UINT64_MAX, "16.0 EiB"},
	};

	for (size_t i = 0; i < KSM_COUNT_OF(cases); i++) {
		char text[KSR_HUMAN_BYTES];

		ksr_human_bytes(cases[i].bytes, text);
		cr_assert_str_eq(text, cases[i].text);
	}
}
