/* SPDX-License-Identifier: BSD-2-Clause */
/* The screen of the live view without a terminal: sizes, hostile names, keys, help. */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "top/frame.h"
#include "top/help.h"

#define MIB(n) ((uint64_t)(n)*KSM_MIB)

static struct ksr_top_sample *sample_of(const struct ksr_top_process *processes, size_t count)
{
	struct ksr_top_sample *sample = calloc(1, sizeof(*sample));

	sample->processes = calloc(count + 1, sizeof(*processes));
	memcpy(sample->processes, processes, count * sizeof(*processes));
	sample->process_count = count;
	memset(&sample->kernel, 0xff, sizeof(sample->kernel));
	sample->kernel.present = true;
	sample->kernel.run = 1;
	sample->page_bytes = 4096;
	return sample;
}

static void begin(struct ksr_top_state *state, const char *name, const char *group)
{
	struct ksr_top_process process = {.pid = 4711, .measured = true, .figures = {.needs = MIB(10), .ksm = MIB(30)}};

	snprintf(process.name, sizeof(process.name), "%s", name);
	snprintf(process.group, sizeof(process.group), "%s", group);
	ksr_top_state_init(state, 1000);
	cr_assert_eq(ksr_top_model_take(&state->model, sample_of(&process, 1)), 0);
	cr_assert_eq(ksr_top_model_take(&state->model, sample_of(&process, 1)), 0);
}

static bool has(const struct ksr_top_frame *frame, const char *text)
{
	for (size_t i = 0; i < frame->count; i++) {
		if (strstr(frame->lines[i].text, text))
			return true;
	}
	return false;
}

static void type(struct ksr_top_state *state, const char *keys)
{
	while (*keys)
		ksr_top_act(state, (unsigned char)*keys++);
}

/* Bytes, columns and pieces of each line agree, nothing controls the terminal, and no line is too wide. */
static void check(const struct ksr_top_frame *frame, uint32_t width, size_t height)
{
	cr_assert_leq(frame->count, height);
	for (size_t i = 0; i < frame->count; i++) {
		const struct ksr_top_line *line = &frame->lines[i];
		uint32_t bytes = 0;

		for (uint32_t k = 0; k < line->piece_count; k++)
			bytes += line->pieces[k].bytes;
		cr_assert_eq(bytes, line->bytes);
		cr_assert_eq(strlen(line->text), line->bytes);
		cr_assert_leq(line->columns, width);
		cr_assert_eq(ksr_top_text_columns(line->text, frame->utf8), line->columns, "%s", line->text);
		for (const char *byte = line->text; *byte; byte++) {
			cr_assert((unsigned char)*byte >= 0x20 && *byte != 0x7f, "line %zu: %s", i, line->text);
			cr_assert(frame->utf8 || (unsigned char)*byte < 0x80, "line %zu: %s", i, line->text);
		}
	}
}

static const char *const hostile[] = {
	"\033[2J\033]0;title\007\033P\033\\",
	"\x9b" "31m", /* CSI in one byte */
	"\xc2\x9b" "31m", /* the same as UTF-8 */
	"back\b\b\r\n\ttabs\v\f\016\017",
	"\xff\xfe\xc0\xaf\xe2\x82",
	"\xe2\x80\xae" "evil \xe2\x81\xa6", /* directions */
	"a\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81", /* marks that pile up */
	"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", /* wide letters */
	"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",
	"%s%n%d%999999d",
	"",
};

Test(top_frame, test_hostile_names_at_all_sizes)
{
	bool has_utf8 = setlocale(LC_CTYPE, "C.UTF-8") != NULL;

	for (size_t i = 0; i < 2 * KSM_COUNT_OF(hostile); i++) {
		struct ksr_top_frame frame;
		struct ksr_top_state state;

		begin(&state, hostile[i / 2], hostile[i / 2]);
		ksr_top_frame_init(&frame, has_utf8 && i % 2);
		ksr_top_act(&state, '/');
		type(&state, "x\177");
		for (uint32_t width = 1; width < 260; width += 7) {
			for (size_t height = 1; height < 70; height += 3) {
				ksr_top_act(&state, '\033');
				type(&state, height % 2 ? "1" : "2");
				cr_assert_eq(ksr_top_frame_make(&frame, &state, width, height), 0);
				check(&frame, (uint32_t)ksm_max(width, KSR_TOP_LEAST_WIDTH),
				      ksm_max(height, KSR_TOP_LEAST_HEIGHT));
			}
		}
		ksr_top_frame_fini(&frame);
		ksr_top_state_fini(&state);
	}
}

Test(top_frame, test_figures_that_are_old_say_so)
{
	struct ksr_top_frame frame;
	struct ksr_top_state state;

	begin(&state, "worker", "web");
	ksr_top_frame_init(&frame, false);
	state.model.sample->at_ms = 100000;
	state.model.sample->oldest_ms = 99000;
	state.now_ms = 101000;
	cr_assert_eq(ksr_top_frame_make(&frame, &state, 80, 24), 0);
	cr_assert_not(has(&frame, " old") || has(&frame, "nothing new"));
	state.model.sample->oldest_ms = 93000;
	cr_assert_eq(ksr_top_frame_make(&frame, &state, 80, 24), 0);
	cr_assert(has(&frame, "figures up to 7 s old"));
	state.now_ms = 111000;
	cr_assert_eq(ksr_top_frame_make(&frame, &state, 80, 24), 0);
	cr_assert(has(&frame, "nothing new for 11 s"));
	type(&state, " ");
	cr_assert_eq(ksr_top_frame_make(&frame, &state, 80, 24), 0);
	cr_assert_not(has(&frame, "nothing new"), "nobody waits while it pauses");
	ksr_top_frame_fini(&frame);
	ksr_top_state_fini(&state);
}

Test(top_frame, test_letters_that_are_wide_or_have_no_width)
{
	struct ksr_top_line line;

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		cr_skip_test("there is no locale C.UTF-8");
	ksr_top_line_begin(&line, 10, true);
	ksr_top_line_cell(&line, KSR_TOP_BOLD, KSR_TOP_LEFT, 3, "a\xcc\x81\xcc\x81" "b");
	cr_assert_str_eq(line.text, "ab ", "what joins its neighbour goes");
	ksr_top_line_cell(&line, KSR_TOP_BOLD, KSR_TOP_LEFT, 4, "\u65e5\u672c\u8a9e");
	cr_assert_str_eq(line.text, "ab \u65e5\u2026 ", "half a wide letter has no room");
	cr_assert_eq(line.columns, 7);
	ksr_top_line_cell(&line, KSR_TOP_BOLD, KSR_TOP_RIGHT, 3, "x");
	cr_assert_str_eq(line.text, "ab \u65e5\u2026   x");
	ksr_top_line_cell(&line, KSR_TOP_BOLD, KSR_TOP_RIGHT, 3, "x");
	cr_assert_eq(line.columns, 10);
}

Test(top_frame, test_each_view_at_80_columns)
{
	struct ksr_top_frame frame;
	struct ksr_top_state state;

	begin(&state, "python3 worker.py", "web");
	ksr_top_frame_init(&frame, false);
	cr_assert_eq(ksr_top_frame_make(&frame, &state, 80, 24), 0);
	cr_assert_eq(frame.count, 24);
	cr_assert(has(&frame, "needs 10.0M  without 40.0M  saved 30.0M 75%  KSM 30.0M  store 0"));
	cr_assert(has(&frame, " 10.0M   40.0M  30.0M   75  30.0M      0"));
	cr_assert(has(&frame, "HISTORY"));
	type(&state, "2");
	cr_assert_eq(ksr_top_frame_make(&frame, &state, 80, 24), 0);
	cr_assert(has(&frame, "   4711  10.0M   40.0M  30.0M   75  30.0M      0"));
	cr_assert(has(&frame, "web      python3 work"));
	type(&state, "3");
	cr_assert(state.wishes.places, "places are read while somebody looks at them");
	cr_assert_eq(ksr_top_frame_make(&frame, &state, 80, 24), 0);
	cr_assert(has(&frame, "reading places"));
	type(&state, "\t");
	cr_assert_eq(state.model.view, KSR_TOP_VIEW_GROUPS);
	cr_assert_not(state.wishes.places);
	ksr_top_frame_fini(&frame);
	ksr_top_state_fini(&state);
}

Test(top_frame, test_all_columns_where_there_is_room)
{
	struct ksr_top_frame frame;
	struct ksr_top_state state;

	begin(&state, "worker", "web");
	type(&state, "2");
	ksr_top_frame_init(&frame, false);
	cr_assert_eq(ksr_top_frame_make(&frame, &state, 200, 60), 0);
	for (int i = 0; i < KSR_TOP_COLUMN_COUNT; i++) {
		if (ksr_top_columns[i].views & KSR_TOP_IN_PROCESSES)
			cr_assert(has(&frame, ksr_top_column_head((enum ksr_top_column)i, KSR_TOP_VIEW_PROCESSES)), "%s",
				  ksr_top_columns[i].key);
	}
	ksr_top_frame_fini(&frame);
	ksr_top_state_fini(&state);
}

/* At 80 columns names need the room. */
Test(top_frame, test_places_say_how_far_off_they_are_where_there_is_room)
{
	const struct ksr_top_place places[] = {
		{.id = 1, .figures = {.needs = MIB(10)}, .live = 1000, .live_error = 123, .name = "sampled (a.c:1)"},
		{.id = 2, .figures = {.needs = MIB(9)}, .name = "(data of libc.so.6)"},
	};
	struct ksr_top_process process = {.pid = 4711, .measured = true, .figures = {.needs = MIB(19)}};
	struct ksr_top_sample *sample = sample_of(&process, 1);
	struct ksr_top_frame frame;
	struct ksr_top_state state;

	sample->places = calloc(2, sizeof(*sample->places));
	memcpy(sample->places, places, sizeof(places));
	sample->place_count = 2;
	sample->has_places = true;
	ksr_top_state_init(&state, 1000);
	type(&state, "3");
	cr_assert_eq(ksr_top_model_take(&state.model, sample), 0);
	ksr_top_frame_init(&frame, false);
	cr_assert_eq(ksr_top_frame_make(&frame, &state, 80, 24), 0);
	cr_assert(has(&frame, "WITHOUT  SAVED"));
	cr_assert(has(&frame, "sampled (a.c:1"));
	cr_assert_eq(ksr_top_frame_make(&frame, &state, 100, 24), 0);
	cr_assert(has(&frame, "WITHOUT  +/-  SAVED"));
	cr_assert(has(&frame, " 10.0M   10.0M   12      0"));
	cr_assert(has(&frame, " 9.00M   9.00M    -      0"));
	ksr_top_frame_fini(&frame);
	ksr_top_state_fini(&state);
}

Test(top_frame, test_no_key_has_two_meanings)
{
	for (size_t i = 0; i < ksr_top_key_count; i++) {
		for (size_t k = 0; k < ksr_top_key_count; k++) {
			for (size_t code = 0; code < 4 && i != k; code++)
				cr_assert_neq(ksr_top_keys[i].codes[code / 2], ksr_top_keys[k].codes[code % 2], "%s and %s",
					      ksr_top_keys[i].name, ksr_top_keys[k].name);
		}
		for (int column = 0; column < KSR_TOP_COLUMN_COUNT; column++) {
			uint32_t letter = (unsigned char)ksr_top_columns[column].letter;

			cr_assert(!letter || (letter != ksr_top_keys[i].codes[0] && letter != ksr_top_keys[i].codes[1]),
				  "%s and %s", ksr_top_keys[i].name, ksr_top_columns[column].key);
		}
	}
	for (int column = 0; column < KSR_TOP_COLUMN_COUNT; column++) {
		uint32_t letter = (unsigned char)ksr_top_columns[column].letter;

		cr_assert(!letter || ksr_top_key_find(letter).argument == column, "%s", ksr_top_columns[column].key);
	}
}

Test(top_frame, test_keys)
{
	struct ksr_top_state state;

	begin(&state, "worker", "web");
	type(&state, "+");
	cr_assert_eq(state.wishes.interval_ms, 2000);
	type(&state, "---");
	cr_assert_eq(state.wishes.interval_ms, 250);
	for (int i = 0; i < 30; i++)
		type(&state, "+");
	cr_assert_eq(state.wishes.interval_ms, 60000);
	type(&state, " ");
	cr_assert(state.wishes.paused);
	type(&state, " ");
	cr_assert_not(state.wishes.paused);
	ksr_top_act(&state, KSR_TOP_CODE_ENTER);
	cr_assert_str_eq(state.model.group, "web");
	cr_assert(state.model.in_group);
	ksr_top_act(&state, KSR_TOP_CODE_ESCAPE);
	cr_assert_not(state.model.in_group);
	cr_assert_eq(state.model.view, KSR_TOP_VIEW_GROUPS);
	type(&state, "q");
	cr_assert(state.quit);
	ksr_top_state_fini(&state);
}

Test(top_frame, test_filter_is_typed)
{
	struct ksr_top_frame frame;
	struct ksr_top_state state;

	begin(&state, "worker", "web");
	ksr_top_frame_init(&frame, true);
	type(&state, "/qx");
	cr_assert_not(state.quit, "what is typed is no command");
	cr_assert_str_eq(state.model.filter, "qx");
	cr_assert_eq(ksr_top_frame_make(&frame, &state, 80, 24), 0);
	cr_assert(frame.cursor);
	cr_assert(has(&frame, "no row has the text"));
	ksr_top_act(&state, 0xe9);
	cr_assert_str_eq(state.model.filter, "qx\xc3\xa9");
	ksr_top_act(&state, KSR_TOP_CODE_BACKSPACE);
	cr_assert_str_eq(state.model.filter, "qx");
	ksr_top_act(&state, KSR_TOP_CODE_ESCAPE);
	cr_assert_str_eq(state.model.filter, "", "what was there before");
	type(&state, "/we\r");
	cr_assert_eq(state.model.row_count, 1);
	cr_assert_eq(state.mode, KSR_TOP_BROWSE);
	ksr_top_act(&state, KSR_TOP_CODE_ESCAPE);
	cr_assert_str_eq(state.model.filter, "");
	type(&state, "/");
	for (int i = 0; i < 500; i++)
		ksr_top_act(&state, 0x1f600);
	cr_assert_eq(strlen(state.model.filter), (KSR_TOP_FILTER_BYTES - 1) / 4 * 4);
	ksr_top_frame_fini(&frame);
	ksr_top_state_fini(&state);
}

/* All keys and columns are in help, whatever the height, by scrolling. */
Test(top_frame, test_help_is_whole)
{
	struct ksr_top_frame frame;
	struct ksr_top_state state;
	bool seen[64] = {false};

	begin(&state, "worker", "web");
	ksr_top_frame_init(&frame, false);
	type(&state, "?");
	for (int page = 0; page < 40; page++) {
		cr_assert_eq(ksr_top_frame_make(&frame, &state, 80, 10), 0);
		check(&frame, 80, 10);
		for (size_t i = 0; i < ksr_top_key_count; i++)
			seen[i] |= has(&frame, ksr_top_keys[i].help);
		ksr_top_act(&state, KSR_TOP_CODE_PAGE_DOWN);
	}
	for (size_t i = 0; i < ksr_top_key_count; i++)
		cr_assert(seen[i], "%s", ksr_top_keys[i].name);
	cr_assert(has(&frame, "NAME"));
	cr_assert_eq(state.mode, KSR_TOP_HELP);
	ksr_top_act(&state, KSR_TOP_CODE_HOME);
	cr_assert_eq(ksr_top_frame_make(&frame, &state, 80, 10), 0);
	cr_assert(has(&frame, "Keys"));
	type(&state, "x");
	cr_assert_eq(state.mode, KSR_TOP_BROWSE);
	ksr_top_frame_fini(&frame);
	ksr_top_state_fini(&state);
}

Test(top_frame, test_bytes)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0"}, {1023, "1023"}, {1024, "1.00K"}, {10239, "10.0K"}, {102400, "100K"}, {MIB(1) - 1, "1.00M"},
		{MIB(477), "477M"}, {MIB(1024), "1.00G"}, {UINT64_MAX, "16.0E"},
	};

	for (size_t i = 0; i < KSM_COUNT_OF(cases); i++) {
		char text[KSR_TOP_BYTES_TEXT];

		ksr_top_bytes(cases[i].bytes, text);
		cr_assert_str_eq(text, cases[i].text);
	}
}

Test(top_frame, test_history_rises)
{
	struct ksr_top_histories histories = {0};
	struct ksr_top_line line;

	for (uint64_t i = 0; i < 4; i++)
		ksr_top_histories_add(&histories, 1, i, i * 100);
	ksr_top_line_begin(&line, 80, false);
	ksr_top_line_history(&line, KSR_TOP_GOOD, 6, ksr_top_histories_find(&histories, 1));
	cr_assert_str_eq(line.text, "  _~+#");
	ksr_top_line_begin(&line, 80, true);
	ksr_top_line_history(&line, KSR_TOP_GOOD, 6, ksr_top_histories_find(&histories, 1));
	cr_assert_str_eq(line.text, "  \u2581\u2584\u2586\u2588");
	ksr_top_histories_free(&histories);
}

Test(top_frame, test_manual_has_all_keys)
{
	char *text = NULL;
	size_t size = 0;
	FILE *output = open_memstream(&text, &size);

	ksr_top_help_manual(output);
	fclose(output);
	for (size_t i = 0; i < ksr_top_key_count; i++) {
		char item[64];

		snprintf(item, sizeof(item), "%s\"", ksr_top_keys[i].name);
		cr_assert(strstr(text, item) || strchr(item, '-'), "%s", item);
	}
	free(text);
}
