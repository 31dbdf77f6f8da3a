/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of the picture come first, then one for each name of a group or program. */
#include "show/speedscope.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "show/quote.h"

#define SCHEMA "https://www.speedscope.app/file-format-schema.json"

static void write_frames(const struct ksr_picture *picture, FILE *output)
{
	const struct ksr_pool *texts = &picture->texts;

	for (uint32_t i = 0; i < picture->frame_count; i++) {
		const struct ksr_picture_frame *frame = &picture->frames[i];

		fprintf(output, "%s{\"name\":", i ? ",\n" : "");
		ksr_quote(output, ksr_pool_text(texts, frame->function));
		if (frame->file) {
			fputs(",\"file\":", output);
			ksr_quote(output, ksr_pool_text(texts, frame->file));
		}
		if (frame->line)
			fprintf(output, ",\"line\":%" PRIu32, frame->line);
		putc('}', output);
	}
}

/* Frames for the names of groups and programs; roots has for the number of each such text its frame. */
static void write_roots(const struct ksr_picture *picture, uint32_t *roots, FILE *output)
{
	uint32_t next = picture->frame_count;

	for (uint32_t i = 0; i < picture->origin_count; i++) {
		const uint32_t texts[] = {picture->groups[picture->origins[i].group].name, picture->origins[i].program};

		for (size_t k = 0; k < KSM_COUNT_OF(texts); k++) {
			if (roots[texts[k]])
				continue;
			fprintf(output, "%s{\"name\":", next ? ",\n" : "");
			ksr_quote(output, texts[k] ? ksr_pool_text(&picture->texts, texts[k]) : "(none)");
			putc('}', output);
			roots[texts[k]] = next++;
		}
	}
}

static void write_samples(const struct ksr_picture *picture, const uint32_t *roots, enum ksr_value value,
			  FILE *output)
{
	bool first = true;

	for (uint32_t i = 0; i < picture->origin_count; i++) {
		const struct ksr_picture_origin *origin = &picture->origins[i];

		if (origin->values[value] == 0)
			continue;
		fprintf(output, "%s[%" PRIu32 ",%" PRIu32, first ? "" : ",\n",
			roots[picture->groups[origin->group].name], roots[origin->program]);
		for (uint32_t depth = origin->shown; depth-- > 0;)
			fprintf(output, ",%" PRIu32, picture->stacks[origin->first + depth]);
		putc(']', output);
		first = false;
	}
}

static void write_weights(const struct ksr_picture *picture, enum ksr_value value, FILE *output)
{
	bool first = true;

	for (uint32_t i = 0; i < picture->origin_count; i++) {
		uint64_t weight = picture->origins[i].values[value];

		if (weight)
			fprintf(output, "%s%" PRIu64, first ? "" : ",", weight);
		first = first && !weight;
	}
}

static void write_profile(const struct ksr_picture *picture, const uint32_t *roots, enum ksr_value value, bool first,
			  FILE *output)
{
	fprintf(output,
		"%s{\"type\":\"sampled\",\"name\":\"%s\",\"unit\":\"bytes\",\"startValue\":0,\"endValue\":%" PRIu64
		",\n\"samples\":[",
		first ? "" : ",\n", ksr_value_title(value), picture->values[value]);
	write_samples(picture, roots, value, output);
	fputs("],\n\"weights\":[", output);
	write_weights(picture, value, output);
	fputs("]}", output);
}

int ksr_speedscope_write(const struct ksr_scene *scene, FILE *output)
{
	const struct ksr_picture *picture = scene->picture;
	uint32_t *roots = calloc((size_t)picture->texts.count + 1, sizeof(*roots));
	bool first = true;

	if (!roots)
		return -ENOMEM;
	fprintf(output,
		"{\"$schema\":\"" SCHEMA "\",\"exporter\":\"ksmalloc@" KSMALLOC_VERSION
		"\",\"name\":\"ksmalloc report\",\"activeProfileIndex\":0,\n\"shared\":{\"frames\":[\n");
	write_frames(picture, output);
	write_roots(picture, roots, output);
	fputs("]},\n\"profiles\":[\n", output);
	for (int value = 0; value < KSR_VALUE_COUNT; value++) {
		if (!picture->values[value] && value != KSR_VALUE_HELD)
			continue;
		write_profile(picture, roots, (enum ksr_value)value, first, output);
		first = false;
	}
	fputs("]}\n", output);
	free(roots);
	return 0;
}
