/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures: texts and frames once, sums, bounds, and what is drawn of a report. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "join/aggregate.h"
#include "join/origin.h"
#include "segment_builder.h"
#include "show/draw.h"
#include "show/quote.h"

#define P UINT64_C(4096)

Test(pool, test_texts_are_kept_once_and_found_when_there_are_many)
{
	struct ksr_pool pool;
	char text[32];

	cr_assert_eq(ksr_pool_init(&pool, 40), 0);
	cr_assert_eq(ksr_pool_put(&pool, ""), 0);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 1; i <= 5000; i++) {
			snprintf(text, sizeof(text), "text %u", i);
			cr_assert_eq(ksr_pool_put(&pool, text), i);
		}
	}
	cr_assert_str_eq(ksr_pool_text(&pool, 4711), "text 4711");
	cr_assert_str_eq(ksr_pool_text(&pool, 5001), "");
	cr_assert_str_eq(ksr_pool_text(&pool, KSR_POOL_NONE), "");
	ksr_pool_fini(&pool);
}

Test(pool, test_texts_are_clean_and_short)
{
	struct ksr_pool pool;
	uint32_t number;

	cr_assert_eq(ksr_pool_init(&pool, 12), 0);
	number = ksr_pool_put(&pool, "a\033b\nc");
	cr_assert_str_eq(ksr_pool_text(&pool, number), "a?b?c");
	cr_assert_eq(ksr_pool_put(&pool, "a?b?c"), number);
	cr_assert_eq(ksr_pool_put(&pool, "a\033b\nc"), number);
	cr_assert_str_eq(ksr_pool_text(&pool, ksr_pool_put(&pool, "123456789012")), "123456789012");
	cr_assert_str_eq(ksr_pool_text(&pool, ksr_pool_put(&pool, "1234567890123")), "123456789...");
	/* No letter is cut in two. */
	cr_assert_str_eq(ksr_pool_text(&pool, ksr_pool_put(&pool, "12345678\303\244xxxxx")), "12345678...");
	ksr_pool_fini(&pool);
	/* Without a limit they stay what they are. */
	cr_assert_eq(ksr_pool_init(&pool, 0), 0);
	cr_assert_str_eq(ksr_pool_text(&pool, ksr_pool_put(&pool, "a\nb")), "a\nb");
	ksr_pool_fini(&pool);
}

static const char *quoted(const char *text)
{
	static char buffer[256];
	FILE *stream = fmemopen(buffer, sizeof(buffer), "w");

	ksr_quote(stream, text);
	fclose(stream);
	return buffer;
}

Test(quote, test_what_ends_a_string_a_tag_or_a_line_is_escaped)
{
	cr_assert_str_eq(quoted("plain \303\244"), "\"plain \303\244\"");
	cr_assert_str_eq(quoted("\"\\"), "\"\\u0022\\u005c\"");
	cr_assert_str_eq(quoted("</script>&"), "\"\\u003c/script\\u003e\\u0026\"");
	cr_assert_str_eq(quoted("\n\001\177"), "\"\\u000a\\u0001\\u007f\"");
	cr_assert_str_eq(quoted("\342\200\250\342\200\251\342\200\252"), "\"\\u2028\\u2029\342\200\252\"");
	cr_assert_str_eq(quoted("\342"), "\"\342\"");
}

static void add(struct ksr_picture *picture, uint32_t group, uint64_t id, uint64_t held)
{
	struct ksr_picture_frame frame = {.function = ksr_picture_text(picture, "f")};
	struct ksr_picture_origin origin = {.id = id, .group = group, .shown = 9};
	uint32_t stack[KSR_STACK_MOST + 1];

	origin.values[KSR_VALUE_HELD] = held;
	for (size_t i = 0; i < KSM_COUNT_OF(stack); i++)
		stack[i] = ksr_picture_frame(picture, &frame);
	ksr_picture_add(picture, &origin, stack, id % 2 ? 1 : KSM_COUNT_OF(stack));
}

Test(picture, test_origins_are_sorted_and_summed)
{
	struct ksr_picture picture;

	cr_assert_eq(ksr_picture_init(&picture), 0);
	cr_assert_eq(ksr_picture_group(&picture, "a", "shared"), 0);
	cr_assert_eq(ksr_picture_group(&picture, "a", "private"), 1);
	cr_assert_eq(ksr_picture_group(&picture, "a", "shared"), 0);
	add(&picture, 0, 1, 10);
	add(&picture, 1, 2, 30);
	add(&picture, 0, 3, 20);
	add(&picture, 0, 4, UINT64_MAX);
	cr_assert_eq(ksr_picture_finish(&picture), 0);
	cr_assert_eq(picture.frame_count, 1);
	cr_assert_eq(picture.origins[0].id, 4);
	cr_assert_eq(picture.origins[1].id, 2);
	cr_assert_eq(picture.origins[3].id, 1);
	cr_assert_eq(picture.origins[1].frames, KSR_STACK_MOST, "a stack has a bound");
	cr_assert_eq(picture.origins[3].shown, 1, "no more frames are shown than there are");
	cr_assert_eq(picture.groups[1].values[KSR_VALUE_HELD], 30);
	cr_assert_eq(picture.values[KSR_VALUE_HELD], UINT64_MAX, "sums do not wrap");
	ksr_picture_fini(&picture);
}

Test(picture, test_too_many_origins_are_one_of_each_group)
{
	struct ksr_picture picture;
	uint64_t sum = 0;

	cr_assert_eq(ksr_picture_init(&picture), 0);
	ksr_picture_group(&picture, "a", "shared");
	ksr_picture_group(&picture, "b", "shared");
	ksr_picture_group(&picture, "c", "shared");
	for (uint32_t i = 0; i < KSR_ORIGINS_MOST + 1000; i++) {
		add(&picture, i % 2, 2 * i + 1, 1 + i);
		sum += 1 + i;
	}
	cr_assert_eq(ksr_picture_finish(&picture), 0);
	cr_assert_eq(picture.origin_count, KSR_ORIGINS_MOST + 2);
	cr_assert_eq(picture.left_out, 1000);
	cr_assert_eq(picture.values[KSR_VALUE_HELD], sum);
	for (uint32_t i = 0; i < 2; i++) {
		const struct ksr_picture_origin *rest = &picture.origins[KSR_ORIGINS_MOST + i];

		cr_assert_eq(rest->group, i);
		cr_assert_str_eq(ksr_pool_text(&picture.texts, rest->name), "(smaller origins)");
	}
	ksr_picture_fini(&picture);
}

/* --- drawing ------------------------------------------------------------------------ */

static const struct builder_script scripts[] = {
	{"/srv/app/rows.py", "read", 12, KSMALLOC_LANGUAGE_PYTHON},
	{"/srv/app/main.py", "<module>", 0, KSMALLOC_LANGUAGE_PYTHON},
};
/* As many as a segment has room for: there may have been more. */
static const struct builder_script many[KSMALLOC_MAX_SCRIPT_FRAMES] = {
#define ALL(n) {"deep.py", "call" #n, n, KSMALLOC_LANGUAGE_PYTHON}
	ALL(1), ALL(2), ALL(3), ALL(4), ALL(5), ALL(6), ALL(7), ALL(8), ALL(9), ALL(10), ALL(11), ALL(12),
#undef ALL
};
static const struct builder_origin origins[] = {
	{.id = 0xb0, .scripts = scripts, .script_count = 2, .frame_count = 2},
	{.id = 0xb1, .scripts = many, .script_count = KSMALLOC_MAX_SCRIPT_FRAMES, .frame_count = 2},
};

static void add_process(struct ksr_report *report, const char *group, const char *command, uint64_t pages)
{
	const struct builder builder = {
		.module_path = "/bin/program",
		.group = group,
		.sites = 1,
		.slot_base = {0x10000000},
		.slot_bytes = {pages * P},
		.frames = {0x10, 0x20},
		.origins = origins,
		.origin_count = KSM_COUNT_OF(origins),
	};
	struct ksr_process *process = &report->processes[report->process_count++];
	unsigned char *bytes = malloc(BUILDER_SEGMENT_BYTES);
	struct ksr_vma *vma = calloc(1, sizeof(*vma));
	char why[KSR_WHY_BYTES];

	builder_write(&builder, bytes);
	process->snapshot.data = bytes;
	process->snapshot.size = BUILDER_SEGMENT_BYTES;
	cr_assert_eq(ksr_snapshot_validate(bytes, BUILDER_SEGMENT_BYTES, &process->snapshot.header, why), 0, "%s", why);
	process->owner = true;
	snprintf(process->status.command, sizeof(process->status.command), "%s", command);
	*vma = (struct ksr_vma){.begin = 0x10000000,
				.end = 0x10000000 + pages * P,
				.rss = pages * P,
				.pss = pages * P - P,
				.anonymous = pages * P,
				.shared_clean = 2 * P,
				.ksm = 2 * P,
				.flags = KSR_VMA_MERGEABLE};
	process->smaps = (struct ksr_smaps){vma, 1};
}

static void make_report(struct ksr_report *report)
{
	memset(report, 0, sizeof(*report));
	report->page_bytes = P;
	report->processes = calloc(4, sizeof(*report->processes));
	add_process(report, "web", "python3", 16);
	add_process(report, "web", "python3", 16);
	add_process(report, "web", "nginx", 8);
	add_process(report, "batch", "python3", 4);
	cr_assert_eq(ksr_report_aggregate(NULL, report), 0);
}

static const struct ksr_picture_origin *find_origin(const struct ksr_picture *picture, const char *group,
						    const char *program)
{
	for (uint32_t i = 0; i < picture->origin_count; i++) {
		const struct ksr_picture_origin *origin = &picture->origins[i];

		if (strcmp(ksr_pool_text(&picture->texts, picture->groups[origin->group].name), group) == 0 &&
		    strcmp(ksr_pool_text(&picture->texts, origin->program), program) == 0)
			return origin;
	}
	cr_assert(false, "no origin of %s in %s", program, group);
	return NULL;
}

Test(draw, test_each_group_and_program_has_its_own_part)
{
	const struct ksr_fs fs = {.root_fd = -1};
	struct ksr_symbols *symbols = ksr_symbols_create(&fs, false);
	const struct ksr_picture_origin *origin;
	struct ksr_picture picture;
	struct ksr_report report;

	make_report(&report);
	cr_assert_eq(ksr_draw(&fs, &report, symbols, &picture), 0);
	cr_assert_eq(picture.origin_count, 3);
	cr_assert_eq(picture.group_count, 2);
	origin = find_origin(&picture, "web", "python3");
	cr_assert_eq(origin->processes, 2);
	cr_assert_eq(origin->values[KSR_VALUE_HELD], 32 * P);
	cr_assert_eq(origin->values[KSR_VALUE_LIVE], 32 * P);
	cr_assert_eq(origin->values[KSR_VALUE_MERGED], 4 * P);
	cr_assert_eq(origin->values[KSR_VALUE_SAVED], 2 * P);
	cr_assert_eq(origin->values[KSR_VALUE_PRIVATE], 28 * P);
	cr_assert_eq(find_origin(&picture, "web", "nginx")->values[KSR_VALUE_HELD], 8 * P);
	cr_assert_eq(find_origin(&picture, "batch", "python3")->values[KSR_VALUE_HELD], 4 * P);
	cr_assert_eq(picture.values[KSR_VALUE_RESIDENT], report.totals.sites.resident);
	cr_assert_eq(picture.values[KSR_VALUE_SAVED], report.totals.sites.saved);
	cr_assert_eq(picture.groups[0].processes, 3);
	cr_assert_str_eq(ksr_pool_text(&picture.texts, ksr_picture_frame_at(&picture, origin, 0)->module), "program");
	ksr_picture_fini(&picture);
	ksr_symbols_destroy(symbols);
	ksr_report_destroy(&report);
}

/* The picture of an origin by its index in the segment; all processes are of one kind, so that the report's own is drawn. */
static void draw_index(uint32_t index, struct ksr_picture *picture)
{
	const struct ksr_fs fs = {.root_fd = -1};
	struct ksr_symbols *symbols = ksr_symbols_create(&fs, false);
	struct ksr_report report;

	make_report(&report);
	report.process_count = 1;
	report.origin_count = 1;
	report.origins[0].is_site = false;
	report.origins[0].sample_process = 0;
	report.origins[0].sample_index = index;
	cr_assert_eq(ksr_draw(&fs, &report, symbols, picture), 0);
	report.process_count = 4;
	ksr_symbols_destroy(symbols);
	ksr_report_destroy(&report);
}

static const char *function_at(const struct ksr_picture *picture, uint32_t depth)
{
	return ksr_pool_text(&picture->texts, ksr_picture_frame_at(picture, &picture->origins[0], depth)->function);
}

/* What is drawn of an origin with frames of a script: they are shown, the interpreter's own are kept behind them. */
Test(draw, test_scripts_are_inside_of_their_interpreter)
{
	const struct ksr_picture_frame *frame;
	struct ksr_picture picture;

	draw_index(1, &picture);
	cr_assert_eq(picture.origins[0].frames, 4);
	cr_assert_eq(picture.origins[0].shown, 2);
	frame = ksr_picture_frame_at(&picture, &picture.origins[0], 0);
	cr_assert_str_eq(function_at(&picture, 0), "read");
	cr_assert_str_eq(ksr_pool_text(&picture.texts, frame->file), "/srv/app/rows.py");
	cr_assert_str_eq(ksr_pool_text(&picture.texts, frame->language), "python");
	cr_assert_eq(frame->line, 12);
	frame = ksr_picture_frame_at(&picture, &picture.origins[0], 1);
	cr_assert_str_eq(ksr_pool_text(&picture.texts, frame->file), "/srv/app/main.py");
	cr_assert_eq(frame->line, 0);
	frame = ksr_picture_frame_at(&picture, &picture.origins[0], 2);
	cr_assert_str_eq(ksr_pool_text(&picture.texts, frame->language), "native");
	ksr_picture_fini(&picture);
}

Test(draw, test_a_stack_that_is_cut_says_so)
{
	struct ksr_picture picture;

	draw_index(2, &picture);
	cr_assert_eq(picture.origins[0].frames, KSMALLOC_MAX_SCRIPT_FRAMES + 3);
	cr_assert_eq(picture.origins[0].shown, KSMALLOC_MAX_SCRIPT_FRAMES + 1);
	cr_assert_str_eq(function_at(&picture, KSMALLOC_MAX_SCRIPT_FRAMES - 1), "call12");
	cr_assert_str_eq(function_at(&picture, KSMALLOC_MAX_SCRIPT_FRAMES), "(more callers)");
	ksr_picture_fini(&picture);
}
