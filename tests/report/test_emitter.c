/* SPDX-License-Identifier: BSD-2-Clause */
/* One view in three forms, and text from hostile processes. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "names/human.h"
#include "show/emitter.h"
#include "show/text.h"

static const struct ksr_column columns[] = {
	{"size", "SIZE"}, {"part", "PART"}, {"name", "NAME"}, {"hidden", NULL}, {"lines", "LINES"},
};

static char *emit(enum ksr_format format, const char *table, uint64_t width)
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

	emitter = ksr_emitter_create(&(struct ksr_output){format, table, width, false}, stream);
	ksr_emitter_table_begin(emitter, "rows", columns, KSM_COUNT_OF(columns));
	ksr_emitter_row(emitter, rows[0]);
	ksr_emitter_row(emitter, rows[1]);
	ksr_emitter_table_end(emitter);
	ksr_emitter_section_begin(emitter, "totals");
	ksr_emitter_value(emitter, "sum", "the sum", ksr_cell_bytes(1541));
	ksr_emitter_value(emitter, "quiet", NULL, ksr_cell_count(3));
	ksr_emitter_section_end(emitter);
	ksr_emitter_section_begin(emitter, "silent");
	ksr_emitter_value(emitter, "quiet", NULL, ksr_cell_text(NULL));
	ksr_emitter_section_end(emitter);
	ksr_emitter_note(emitter, "note %d", 1);
	cr_assert_eq(ksr_emitter_finish(emitter), 0);
	fclose(stream);
	return text;
}

Test(emitter, test_text)
{
	char *text = emit(KSR_FORMAT_TEXT, NULL, 0);

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

/* One table, whichever is asked for; nothing else is in the file. */
Test(emitter, test_csv)
{
	static const char *const expected[][2] = {
		{"rows", "size,part,name,hidden,lines\n"
			 "1536,12.50,\"a,\"\"b\"\"\",7,one < two\n"
			 "5,,x?[31m,yes,\n"},
		{"totals", "key,value\nsum,1541\nquiet,3\n"},
		{"silent", "key,value\nquiet,\n"},
	};

	for (size_t i = 0; i < KSM_COUNT_OF(expected); i++) {
		char *text = emit(KSR_FORMAT_CSV, expected[i][0], 40);

		cr_assert_str_eq(text, expected[i][1]);
		free(text);
	}
}

Test(emitter, test_json)
{
	char *text = emit(KSR_FORMAT_JSON, NULL, 0);
	json_t *root = json_loads(text, 0, NULL);
	json_t *rows = json_object_get(root, "rows");
	const char *time = json_string_value(json_object_get(root, "time"));
	json_t *first = json_array_get(rows, 0);

	cr_assert_eq(json_integer_value(json_object_get(root, "version")), KSR_JSON_VERSION);
	cr_assert(json_is_string(json_object_get(root, "ksmalloc")));
	cr_assert(time && strlen(time) == strlen("2026-11-27T00:00:00Z") && time[19] == 'Z');
	cr_assert(json_is_null(json_object_get(json_object_get(root, "silent"), "quiet")));
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

/* Columns that do not fit follow on a line below; a value stands below what it is called. */
Test(emitter, test_narrow)
{
	char *text = emit(KSR_FORMAT_TEXT, NULL, 1);

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

static const struct ksr_column wide_columns[] = {
	{"a", "FIRST NUMBER"}, {"b", "SECOND NUMBER"}, {"name", "NAME"},
	{"c", "LAST NUMBER"},  {"lines", "LINES"},     {"sentence", "SENTENCE"},
};

static char *emit_wide(uint64_t width)
{
	static const char *const lines[] = {"a line of several words", "unbreakable_word_of_many_letters"};
	const struct ksr_cell cells[] = {
		ksr_cell_count(1),
		ksr_cell_count(2),
		ksr_cell_text("f\xc3\xbcr<\xc3\xa4ll> (\xc3\xb6ther.cc:12) < caller_of_this_function"),
		ksr_cell_count(3),
		ksr_cell_list(lines, 2),
		ksr_cell_sentence("A sentence that is longer than most lines are."),
	};
	struct ksr_cell empty[KSM_COUNT_OF(cells)] = {{.kind = KSR_CELL_NONE}};
	struct ksr_emitter *emitter;
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);

	empty[4] = ksr_cell_list(NULL, 0);
	emitter = ksr_emitter_create(&(struct ksr_output){.width = width}, stream);
	ksr_emitter_table_begin(emitter, "rows", wide_columns, KSM_COUNT_OF(wide_columns));
	/* A row without values does not decide what kind the columns are. */
	ksr_emitter_row(emitter, empty);
	ksr_emitter_row(emitter, cells);
	ksr_emitter_table_end(emitter);
	ksr_emitter_section_begin(emitter, "totals");
	ksr_emitter_value(emitter, "long", "what this value is called in many words",
			  ksr_cell_text("a value of several words"));
	ksr_emitter_section_end(emitter);
	ksr_emitter_note(emitter, "A note that is longer than most lines, and has a "
				  "wordthatislongerthanthewholeline.");
	cr_assert_eq(ksr_emitter_finish(emitter), 0);
	fclose(stream);
	return text;
}

static size_t widest_line(const char *text)
{
	size_t widest = 0;

	while (*text) {
		size_t bytes = strcspn(text, "\n");
		char *line = strndup(text, bytes);

		widest = ksm_max(widest, ksr_text_width(line));
		free(line);
		text += bytes + (text[bytes] != '\0');
	}
	return widest;
}

static char *emit_names(uint64_t width)
{
	static const struct ksr_column heads[] = {
		{"size", "SIZE"}, {"count", "COUNT"}, {"kind", "KIND"}, {"name", "NAME"}, {"advice", "ADVICE"},
	};
	static const char *const spare[] = {"count", "kind"};
	static const char *const names[] = {"load (app.py:9) > json.decode", "index", "other"};
	struct ksr_emitter *emitter;
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);

	emitter = ksr_emitter_create(&(struct ksr_output){.width = width}, stream);
	ksr_emitter_table_begin(emitter, "rows", heads, KSM_COUNT_OF(heads));
	ksr_emitter_spare(emitter, spare, KSM_COUNT_OF(spare));
	for (size_t i = 0; i < KSM_COUNT_OF(names); i++)
		ksr_emitter_row(emitter, (const struct ksr_cell[]){
			ksr_cell_bytes(1), ksr_cell_count(5), ksr_cell_text("bytes"), ksr_cell_text(names[i]),
			ksr_cell_sentence(i < 2 ? "One advice for both of the first rows, in many words." : "Nothing."),
		});
	ksr_emitter_table_end(emitter);
	cr_assert_eq(ksr_emitter_finish(emitter), 0);
	fclose(stream);
	return text;
}

/* Names have room before what can be spared has, and what rows say one after the other is said once. */
Test(emitter, test_spared_columns_and_sentences)
{
	char *text = emit_names(56);

	cr_expect(strstr(text, "COUNT") && strstr(text, "KIND"), "%s", text);
	free(text);
	text = emit_names(42);
	cr_expect(!strstr(text, "COUNT") && strstr(text, " 1 B  bytes  load (app.py:9) > json.decode\n"), "%s", text);
	free(text);
	text = emit_names(36);
	cr_expect_str_eq(text, "SIZE  NAME\n"
			       "    ADVICE\n"
			       " 1 B  load (app.py:9) > json.decode\n"
			       " 1 B  index\n"
			       "    One advice for both of the first\n"
			       "    rows, in many words.\n"
			       " 1 B  other\n"
			       "    Nothing.\n");
	free(text);
}

Test(emitter, test_every_width)
{
	char *whole = emit_wide(0);
	size_t natural = widest_line(whole);

	cr_assert_gt(natural, 120);
	for (uint64_t width = KSR_LEAST_WIDTH; width <= natural + 1; width++) {
		char *text = emit_wide(width);
		json_t *valid = json_string(text);

		cr_assert_leq(widest_line(text), width, "at %d:\n%s", (int)width, text);
		cr_assert_eq(width >= natural, strcmp(text, whole) == 0, "at %d", (int)width);
		cr_assert_not_null(strstr(text, "SENTENCE"));
		/* A letter of two bytes is never cut in half: JSON would not take it. */
		cr_assert_not_null(valid, "at %d", (int)width);
		json_decref(valid);
		free(text);
	}
	free(whole);
}

Test(emitter, test_layout)
{
	char *text = emit_wide(44);

	cr_assert_str_eq(text, "FIRST NUMBER  SECOND NUMBER\n"
			       "    NAME\n"
			       "    LAST NUMBER  SENTENCE\n"
			       "           -              -\n"
			       "    -\n"
			       "              -  -\n"
			       "           1              2\n"
			       "    f\xc3\xbcr<\xc3\xa4ll> (\xc3\xb6ther.cc:12) < caller...nction\n"
			       "              3  A sentence that is longer\n"
			       "                 than most lines are.\n"
			       "    a line of several words\n"
			       "    unbreakable_word_of_many_letters\n"
			       "\n"
			       "what this value is called in many words\n"
			       "                    a value of several words\n"
			       "A note that is longer than most lines, and\n"
			       "    has a wordthatislongerthanthewholeline.\n");
	free(text);
}

Test(emitter, test_shorten)
{
	static const struct {
		const char *text;
		size_t width;
		const char *expected;
	} cases[] = {
		{"short", 5, "short"},
		{"abcdefghij", 9, "abc...hij"},
		{"abcdefghij", 4, "a..."},
		{"abcdefghij", 2, ".."},
		{"abcdefghij", 0, ""},
		{"function_name (file.c:12) < caller", 34, "function_name (file.c:12) < caller"},
		{"function_name (file.c:12) < caller", 30, "function_...ile.c:12) < caller"},
		/* The caller has what the function leaves. */
		{"f (a.c:1) < a_caller_with_a_very_long_name", 30, "f (a.c:1) < a_caller...ng_name"},
		/* So has what the function calls of a package. */
		{"load (app.py:9) > json.decoder.JSONDecoder", 34, "load (app.py:9) > json.de...ecoder"},
		/* An operator is no separator, and of several the last one counts. */
		{"a<b < c> < caller_of_it_all_round", 30, "a<b < c> < caller_o...ll_round"},
		{"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 5, "\xc3\xa4...\xc3\xa4"},
	};

	for (size_t i = 0; i < KSM_COUNT_OF(cases); i++) {
		char *text = ksr_text_shorten(cases[i].text, cases[i].width);

		cr_expect_str_eq(text, cases[i].expected, "case %zu: %s", i, text);
		cr_expect_leq(ksr_text_width(text), cases[i].width);
		free(text);
	}
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
