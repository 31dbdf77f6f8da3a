/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of the data are arrays, whose fields page.js knows by their place: there may be very many. */
#define _GNU_SOURCE
#include "show/page.h"

#include <errno.h>
#include <inttypes.h>
#include <page_files.h>
#include <stdlib.h>
#include <string.h>

#include "show/quote.h"

static void put_numbers(FILE *output, const uint64_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fprintf(output, "%s%" PRIu64, i ? "," : "[", values[i]);
	fputs("]", output);
}

static void put_values(FILE *output)
{
	fputs("\"values\":[", output);
	for (int i = 0; i < KSR_VALUE_COUNT; i++) {
		enum ksr_value value = (enum ksr_value)i;

		fprintf(output, "%s[\"%s\",\"%s\",\"%s\"]", i ? "," : "", ksr_value_key(value), ksr_value_title(value),
			ksr_value_help(value));
	}
	fputs("],\n", output);
}

static void put_texts(const struct ksr_picture *picture, FILE *output)
{
	fputs("\"texts\":[", output);
	for (uint32_t i = 0; i < picture->texts.count; i++) {
		fputs(i ? ",\n" : "", output);
		ksr_quote(output, ksr_pool_text(&picture->texts, i));
	}
	fputs("],\n\"frames\":[", output);
	for (uint32_t i = 0; i < picture->frame_count; i++) {
		const struct ksr_picture_frame *frame = &picture->frames[i];

		fprintf(output, "%s[%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 "]", i ? ",\n" : "",
			frame->function, frame->file, frame->line, frame->module, frame->language);
	}
	fputs("],\n", output);
}

static void put_groups(const struct ksr_picture *picture, FILE *output)
{
	fputs("\"groups\":[", output);
	for (uint32_t i = 0; i < picture->group_count; i++) {
		const struct ksr_picture_group *group = &picture->groups[i];

		fprintf(output, "%s[%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64 ",", i ? ",\n" : "", group->name,
			group->layout, group->processes, group->store);
		put_numbers(output, group->values, KSR_VALUE_COUNT);
		putc(']', output);
	}
	fputs("],\n", output);
}

static void put_origin(const struct ksr_picture *picture, const struct ksr_picture_origin *origin, FILE *output)
{
	fprintf(output, "[\"%012" PRIx64 "\",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",", origin->id, origin->name,
		origin->group, origin->program, origin->processes);
	put_numbers(output, origin->values, KSR_VALUE_COUNT);
	fputs(",[", output);
	for (uint32_t k = 0; k < origin->shown; k++)
		fprintf(output, "%s%" PRIu32, k ? "," : "", picture->stacks[origin->first + k]);
	fprintf(output, "],%" PRIu64 "]", origin->error);
}

/* Those that are not told apart are one of each group, without a name and a stack. */
static int put_rest(const struct ksr_picture *picture, uint32_t from, FILE *output)
{
	struct ksr_picture_origin *sums = calloc((size_t)picture->group_count + 1, sizeof(*sums));

	if (!sums)
		return -ENOMEM;
	for (uint32_t i = from; i < picture->origin_count; i++) {
		struct ksr_picture_origin *sum = &sums[picture->origins[i].group];

		for (size_t k = 0; k < KSR_VALUE_COUNT; k++)
			sum->values[k] += picture->origins[i].values[k];
		sum->frames++;
	}
	for (uint32_t i = 0; i < picture->group_count; i++) {
		if (!sums[i].frames)
			continue;
		fprintf(output, ",\n[\"\",-1,%" PRIu32 ",0,0,", i);
		put_numbers(output, sums[i].values, KSR_VALUE_COUNT);
		fputs(",[],0]", output);
	}
	free(sums);
	return 0;
}

static int put_data(const struct ksr_picture *picture, FILE *output)
{
	uint32_t own = (uint32_t)ksm_min(picture->origin_count, KSR_PAGE_ORIGINS);
	int error = 0;

	fprintf(output, "{\"ksmalloc\":\"" KSMALLOC_VERSION "\",\"time\":%" PRIu64 ",\"left\":%" PRIu32 ",\n",
		picture->time, picture->left_out + picture->origin_count - own);
	put_values(output);
	put_texts(picture, output);
	put_groups(picture, output);
	fputs("\"origins\":[", output);
	for (uint32_t i = 0; i < own; i++) {
		fputs(i ? ",\n" : "", output);
		put_origin(picture, &picture->origins[i], output);
	}
	if (own < picture->origin_count)
		error = put_rest(picture, own, output);
	fputs("]}", output);
	return error;
}

int ksr_page_write(const struct ksr_scene *scene, FILE *output)
{
	const char *at = (const char *)page_html;
	const char *end = at + sizeof(page_html);
	int error = 0;

	while (at < end && !error) {
		const char *mark = memchr(at, '@', (size_t)(end - at));

		fwrite(at, 1, (size_t)((mark ? mark : end) - at), output);
		if (!mark)
			break;
		at = (const char *)memchr(mark + 1, '@', (size_t)(end - mark - 1)) + 1;
		if (strncmp(mark, "@STYLE@", 7) == 0) {
			fwrite(theme_css, 1, sizeof(theme_css), output);
			fwrite(page_css, 1, sizeof(page_css), output);
		} else if (strncmp(mark, "@SCRIPT@", 8) == 0) {
			fwrite(page_js, 1, sizeof(page_js), output);
		} else {
			error = put_data(scene->picture, output);
		}
	}
	return error;
}
