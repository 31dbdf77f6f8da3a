/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment_builder: a valid segment, made from the layout alone.
 *
 * What it is: for the fake process, for unit tests that then break one field,
 * and for the corpora of the fuzz targets.
 * What it is not: the library's writer.
 */
#ifndef SEGMENT_BUILDER_H
#define SEGMENT_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "ksmalloc/segment.h"

#define BUILDER_SEGMENT_BYTES 28672
#define BUILDER_STRINGS_END 16384
#define BUILDER_ORIGINS_END 20480
#define BUILDER_MARKS_END 24576
#define BUILDER_MOST_SITES 4
#define BUILDER_FIRST_SITE UINT64_C(0xa000000000)

/* A frame of an interpreter. */
struct builder_script {
	const char *file;
	const char *function;
	uint32_t line;
	uint32_t language; /* enum ksmalloc_language */
};

struct builder_origin {
	uint64_t id;
	const struct builder_script *scripts; /* innermost first */
	uint32_t script_count;
	uint32_t frame_count; /* of the builder's two frames */
};

struct builder {
	const char *module_path;
	const char *group;
	const unsigned char *build_id;
	size_t build_id_bytes;
	uint64_t bias;
	uint64_t start_time_ticks;
	uint32_t sites; /* besides site 0, "other"; each has one slot */
	uint64_t slot_base[BUILDER_MOST_SITES];
	uint64_t slot_bytes[BUILDER_MOST_SITES];
	bool advised[BUILDER_MOST_SITES];
	uint64_t frames[2];
	bool is_sharing;   /* by a store, in the shared layout */
	struct ksmalloc_segment_share share;
	const char *label; /* of the last site; NULL: it has none */
	const struct builder_origin *origins; /* besides origin 0, "not known" */
	uint32_t origin_count;
	const struct ksmalloc_segment_mark *marks;
	uint32_t mark_count;
};

static inline uint32_t builder_string(unsigned char *bytes, struct ksmalloc_segment_header *header,
				      const char *text)
{
	uint32_t at = header->strings.count;
	size_t length = strlen(text) + 1;

	memcpy(bytes + header->strings.offset + at, text, length);
	header->strings.count += (uint32_t)length;
	return at;
}

static inline void builder_header(struct ksmalloc_segment_header *header,
				  const struct builder *builder)
{
	memset(header, 0, sizeof(*header));
	memcpy(header->magic, KSMALLOC_SEGMENT_MAGIC, sizeof(header->magic));
	header->version = KSMALLOC_SEGMENT_VERSION;
	header->header_bytes = sizeof(*header);
	header->size_bytes = BUILDER_SEGMENT_BYTES;
	header->start_time_ticks = builder->start_time_ticks;
	header->page_bytes = 4096;
	header->threshold_bytes = 16384;
	if (builder->group)
		strncpy(header->group, builder->group, sizeof(header->group) - 1);
	strcpy(header->library_version, "0.1.0");
	if (builder->is_sharing)
		header->layout = KSMALLOC_LAYOUT_SHARED;
	header->share = builder->share;
	if (!builder->is_sharing)
		header->share.aside = KSMALLOC_ASIDE_OFF;
	header->sites =
		(struct ksmalloc_segment_table){.offset = 3072,
						.stride = sizeof(struct ksmalloc_segment_site),
						.capacity = 8,
						.count = 1 + builder->sites};
	header->slots =
		(struct ksmalloc_segment_table){.offset = 8192,
						.stride = sizeof(struct ksmalloc_segment_slot),
						.capacity = 8,
						.count = builder->sites};
	header->modules =
		(struct ksmalloc_segment_table){.offset = 9216,
						.stride = sizeof(struct ksmalloc_segment_module),
						.capacity = 4,
						.count = 1};
	header->strings = (struct ksmalloc_segment_table){.offset = 10240,
							  .stride = 1,
							  .capacity = BUILDER_STRINGS_END - 10240,
							  .count = 1};
	header->origins = (struct ksmalloc_segment_table){.offset = BUILDER_STRINGS_END,
							  .stride = sizeof(struct ksmalloc_segment_origin),
							  .capacity = 12,
							  .count = 1 + builder->origin_count};
	header->marks = (struct ksmalloc_segment_table){.offset = BUILDER_ORIGINS_END,
							.stride = sizeof(struct ksmalloc_segment_mark),
							.capacity = 100,
							.count = builder->mark_count};
	header->script_frames =
		(struct ksmalloc_segment_table){.offset = BUILDER_MARKS_END,
						.stride = sizeof(struct ksmalloc_segment_script_frame),
						.capacity = 200,
						.count = 1};
	/* Those of the builder, behind the one that is none. */
	header->frames = (struct ksmalloc_segment_table){
		.offset = BUILDER_MARKS_END + 3600, .stride = sizeof(uint64_t), .capacity = 8, .count = 3};
}

static inline void builder_site(unsigned char *bytes, const struct ksmalloc_segment_header *header,
				const struct builder *builder, uint32_t index)
{
	struct ksmalloc_segment_site site = {.id = BUILDER_FIRST_SITE + index};
	struct ksmalloc_segment_slot slot = {.base = builder->slot_base[index],
					     .mapped_bytes = builder->slot_bytes[index],
					     .site = 1 + index};

	site.state = KSMALLOC_SITE_PLACED;
	site.flags = builder->advised[index] ? KSMALLOC_SITE_ADVISED : 0;
	slot.flags = builder->advised[index] ? KSMALLOC_SLOT_ADVISED : 0;
	site.frame_count = 2;
	/* Another site is another call stack: one frame is left out. */
	site.frames[0] = builder->frames[index % 2];
	site.frames[1] = builder->frames[1];
	site.stats.live_bytes = slot.mapped_bytes - 100;
	site.stats.placed_bytes = slot.mapped_bytes;
	site.stats.slot_bytes = slot.mapped_bytes;
	site.stats.calls_total = 10 + index;
	memcpy(bytes + header->sites.offset + (1 + index) * sizeof(site), &site, sizeof(site));
	memcpy(bytes + header->slots.offset + index * sizeof(slot), &slot, sizeof(slot));
}

/* Origins come after modules, so that the first string stays the path of the module. */
static inline void builder_origins(unsigned char *bytes, struct ksmalloc_segment_header *header,
				   const struct builder *builder)
{
	for (uint32_t i = 0; i < builder->origin_count; i++) {
		const struct builder_origin *from = &builder->origins[i];
		struct ksmalloc_segment_origin origin = {.id = from->id,
							 .frame_count = (uint16_t)from->frame_count,
							 .script_frame_count = (uint16_t)from->script_count};

		for (uint32_t k = 0; k < from->frame_count; k++)
			origin.frames[k] = (uint16_t)(1 + k);
		for (uint32_t k = 0; k < from->script_count; k++) {
			const struct ksmalloc_segment_script_frame frame = {
				.file_string = builder_string(bytes, header, from->scripts[k].file),
				.function_string = builder_string(bytes, header, from->scripts[k].function),
				.line = from->scripts[k].line,
				.language = from->scripts[k].language,
			};

			origin.script_frames[k] = (uint16_t)header->script_frames.count;
			memcpy(bytes + header->script_frames.offset + header->script_frames.count++ * sizeof(frame),
			       &frame, sizeof(frame));
		}
		memcpy(bytes + header->origins.offset + (1 + i) * sizeof(origin), &origin, sizeof(origin));
	}
	memcpy(bytes + header->frames.offset + sizeof(uint64_t), builder->frames, sizeof(builder->frames));
	if (builder->mark_count)
		memcpy(bytes + header->marks.offset, builder->marks,
		       builder->mark_count * sizeof(builder->marks[0]));
}

/* bytes has room for BUILDER_SEGMENT_BYTES. */
static inline void builder_write(const struct builder *builder, unsigned char *bytes)
{
	struct ksmalloc_segment_site other = {.flags = KSMALLOC_SITE_OTHER};
	struct ksmalloc_segment_module module = {.bias = builder->bias, .begin = 1, .end = 2};
	struct ksmalloc_segment_header header;

	memset(bytes, 0, BUILDER_SEGMENT_BYTES);
	builder_header(&header, builder);
	memcpy(bytes + header.sites.offset, &other, sizeof(other));
	for (uint32_t i = 0; i < builder->sites; i++)
		builder_site(bytes, &header, builder, i);
	module.path_string = builder_string(bytes, &header, builder->module_path);
	module.build_id_bytes = (uint32_t)builder->build_id_bytes;
	if (builder->build_id_bytes)
		memcpy(module.build_id, builder->build_id, builder->build_id_bytes);
	memcpy(bytes + header.modules.offset, &module, sizeof(module));
	builder_origins(bytes, &header, builder);
	if (builder->label) {
		struct ksmalloc_segment_site site;
		unsigned char *at = bytes + header.sites.offset + builder->sites * sizeof(site);

		memcpy(&site, at, sizeof(site));
		site.label_string = builder_string(bytes, &header, builder->label);
		site.flags |= KSMALLOC_SITE_LABEL;
		memcpy(at, &site, sizeof(site));
	}
	memcpy(bytes, &header, sizeof(header));
}

#endif
