/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The numbers of the picture's texts are those of the profile's strings; locations and functions are the picture's
 * frames, and a mapping is a pair of a module and a build-id.
 */
#define _GNU_SOURCE
#include "show/pprof.h"

#include <errno.h>
#include <profile.pb-c.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Of a gzip file instead of a bare stream. */
#define GZIP_WINDOW (15 + 16)
#define OUTPUT_BYTES 65536
#define MESSAGE_BYTES 65536

struct writer {
	const struct ksr_picture *picture;
	FILE *output;
	z_stream stream;
	uint32_t strings; /* that were written */
	uint32_t *mappings; /* of each frame; 0: none */
	int error;
	uint8_t buffer[OUTPUT_BYTES];
};

static void compress_bytes(struct writer *writer, const uint8_t *bytes, size_t count, int flush)
{
	int status = Z_OK;

	writer->stream.next_in = (z_const Bytef *)(uintptr_t)bytes;
	writer->stream.avail_in = (uInt)count;
	do {
		size_t made;

		writer->stream.next_out = writer->buffer;
		writer->stream.avail_out = sizeof(writer->buffer);
		status = deflate(&writer->stream, flush);
		made = sizeof(writer->buffer) - writer->stream.avail_out;
		if (status == Z_STREAM_ERROR || fwrite(writer->buffer, 1, made, writer->output) != made)
			writer->error = -EIO;
	} while (writer->stream.avail_out == 0 && !writer->error);
}

/* A part of the profile; readers put the parts together. */
static void put(struct writer *writer, const Ksmalloc__Profile__Profile *part)
{
	size_t bytes = ksmalloc__profile__profile__get_packed_size(part);
	uint8_t small[MESSAGE_BYTES];
	uint8_t *packed = bytes <= sizeof(small) ? small : malloc(bytes);

	if (!packed) {
		writer->error = -ENOMEM;
		return;
	}
	if (!writer->error) {
		ksmalloc__profile__profile__pack(part, packed);
		compress_bytes(writer, packed, bytes, Z_NO_FLUSH);
	}
	if (packed != small)
		free(packed);
}

/* A string behind those of the picture; returns its number. */
static int64_t put_string(struct writer *writer, const char *text)
{
	Ksmalloc__Profile__Profile part = KSMALLOC__PROFILE__PROFILE__INIT;
	char *copy = strdup(text);

	if (!copy) {
		writer->error = -ENOMEM;
		return 0;
	}
	part.n_string_table = 1;
	part.string_table = &copy;
	put(writer, &part);
	free(copy);
	return writer->strings++;
}

static void put_types(struct writer *writer)
{
	int64_t unit = put_string(writer, "bytes");
	int64_t held = 0;
	Ksmalloc__Profile__Profile last = KSMALLOC__PROFILE__PROFILE__INIT;

	for (int value = 0; value < KSR_VALUE_COUNT; value++) {
		Ksmalloc__Profile__Profile part = KSMALLOC__PROFILE__PROFILE__INIT;
		Ksmalloc__Profile__ValueType type = KSMALLOC__PROFILE__VALUE_TYPE__INIT;
		Ksmalloc__Profile__ValueType *list = &type;

		type.type = put_string(writer, ksr_value_key((enum ksr_value)value));
		type.unit = unit;
		if (value == KSR_VALUE_HELD)
			held = type.type;
		part.n_sample_type = 1;
		part.sample_type = &list;
		put(writer, &part);
	}
	last.default_sample_type = held;
	last.time_nanos = (int64_t)(writer->picture->time * 1000000000);
	put(writer, &last);
}

/* --- frames --------------------------------------------------------------------- */

static void put_mapping(struct writer *writer, uint64_t id, const struct ksr_picture_frame *frame)
{
	Ksmalloc__Profile__Profile part = KSMALLOC__PROFILE__PROFILE__INIT;
	Ksmalloc__Profile__Mapping mapping = KSMALLOC__PROFILE__MAPPING__INIT;
	Ksmalloc__Profile__Mapping *list = &mapping;

	mapping.id = id;
	mapping.filename = frame->module;
	mapping.build_id = frame->build_id;
	mapping.has_functions = true;
	mapping.has_filenames = true;
	mapping.has_line_numbers = true;
	part.n_mapping = 1;
	part.mapping = &list;
	put(writer, &part);
}

static uint64_t mapping_of(const struct ksr_picture_frame *frame)
{
	return (uint64_t)frame->module << 32 | frame->build_id;
}

static int compare_mappings(const void *left, const void *right, void *user)
{
	const struct ksr_picture_frame *frames = user;
	uint64_t a = mapping_of(&frames[*(const uint32_t *)left]);
	uint64_t b = mapping_of(&frames[*(const uint32_t *)right]);

	return a < b ? -1 : a > b;
}

/* Each pair of a module and a build-id once. */
static void put_mappings(struct writer *writer)
{
	const struct ksr_picture *picture = writer->picture;
	uint32_t *order = calloc((size_t)picture->frame_count + 1, sizeof(*order));
	uint32_t id = 0;

	if (!order) {
		writer->error = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < picture->frame_count; i++)
		order[i] = i;
	qsort_r(order, picture->frame_count, sizeof(*order), compare_mappings, picture->frames);
	for (uint32_t i = 0; i < picture->frame_count; i++) {
		const struct ksr_picture_frame *frame = &picture->frames[order[i]];

		if (frame->module == 0)
			continue;
		if (i == 0 || mapping_of(frame) != mapping_of(&picture->frames[order[i - 1]]))
			put_mapping(writer, ++id, frame);
		writer->mappings[order[i]] = id;
	}
	free(order);
}

static void put_frame(struct writer *writer, uint32_t index)
{
	const struct ksr_picture_frame *frame = &writer->picture->frames[index];
	Ksmalloc__Profile__Profile part = KSMALLOC__PROFILE__PROFILE__INIT;
	Ksmalloc__Profile__Function function = KSMALLOC__PROFILE__FUNCTION__INIT;
	Ksmalloc__Profile__Location location = KSMALLOC__PROFILE__LOCATION__INIT;
	Ksmalloc__Profile__Line line = KSMALLOC__PROFILE__LINE__INIT;
	Ksmalloc__Profile__Function *functions = &function;
	Ksmalloc__Profile__Location *locations = &location;
	Ksmalloc__Profile__Line *lines = &line;

	function.id = (uint64_t)index + 1;
	function.name = frame->function;
	function.system_name = frame->function;
	function.filename = frame->file;
	line.function_id = function.id;
	line.line = frame->line;
	location.id = function.id;
	location.mapping_id = writer->mappings[index];
	location.n_line = 1;
	location.line = &lines;
	part.n_function = 1;
	part.function = &functions;
	part.n_location = 1;
	part.location = &locations;
	put(writer, &part);
}

/* --- samples -------------------------------------------------------------------- */

static void put_sample(struct writer *writer, const struct ksr_picture_origin *origin, int64_t group, int64_t program)
{
	const struct ksr_picture *picture = writer->picture;
	Ksmalloc__Profile__Profile part = KSMALLOC__PROFILE__PROFILE__INIT;
	Ksmalloc__Profile__Sample sample = KSMALLOC__PROFILE__SAMPLE__INIT;
	Ksmalloc__Profile__Sample *samples = &sample;
	Ksmalloc__Profile__Label labels[2] = {KSMALLOC__PROFILE__LABEL__INIT, KSMALLOC__PROFILE__LABEL__INIT};
	Ksmalloc__Profile__Label *label_list[2];
	uint64_t locations[KSR_STACK_MOST];
	int64_t values[KSR_VALUE_COUNT];
	size_t label_count = 0;

	for (uint32_t i = 0; i < origin->shown; i++)
		locations[i] = (uint64_t)picture->stacks[origin->first + i] + 1;
	for (size_t i = 0; i < KSR_VALUE_COUNT; i++)
		values[i] = (int64_t)ksm_min(origin->values[i], INT64_MAX);
	labels[0].key = group;
	labels[0].str = picture->groups[origin->group].name;
	labels[1].key = program;
	labels[1].str = origin->program;
	for (size_t i = 0; i < KSM_COUNT_OF(labels); i++) {
		if (labels[i].str)
			label_list[label_count++] = &labels[i];
	}
	sample.n_location_id = origin->shown;
	sample.location_id = locations;
	sample.n_value = KSR_VALUE_COUNT;
	sample.value = values;
	sample.n_label = label_count;
	sample.label = label_list;
	part.n_sample = 1;
	part.sample = &samples;
	put(writer, &part);
}

static void put_profile(struct writer *writer)
{
	const struct ksr_picture *picture = writer->picture;
	int64_t group;
	int64_t program;

	for (uint32_t i = 0; i < picture->texts.count && !writer->error; i++)
		put_string(writer, ksr_pool_text(&picture->texts, i));
	group = put_string(writer, "group");
	program = put_string(writer, "program");
	put_types(writer);
	put_mappings(writer);
	for (uint32_t i = 0; i < picture->frame_count && !writer->error; i++)
		put_frame(writer, i);
	for (uint32_t i = 0; i < picture->origin_count && !writer->error; i++)
		put_sample(writer, &picture->origins[i], group, program);
	if (!writer->error)
		compress_bytes(writer, NULL, 0, Z_FINISH);
}

int ksr_pprof_write(const struct ksr_scene *scene, FILE *output)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	int error = -ENOMEM;

	if (!writer)
		return -ENOMEM;
	writer->picture = scene->picture;
	writer->output = output;
	writer->mappings = calloc((size_t)scene->picture->frame_count + 1, sizeof(*writer->mappings));
	if (writer->mappings && deflateInit2(&writer->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
					      Z_DEFAULT_STRATEGY) == Z_OK) {
		put_profile(writer);
		error = writer->error;
		deflateEnd(&writer->stream);
	}
	free(writer->mappings);
	free(writer);
	return error;
}
