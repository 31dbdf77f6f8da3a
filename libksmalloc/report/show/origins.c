/* SPDX-License-Identifier: BSD-2-Clause */
#include "show/origins.h"

#include <inttypes.h>

static const struct ksr_column frame_columns[] = {
	{"function", NULL}, {"file", NULL}, {"line", NULL}, {"module", NULL}, {"build_id", NULL}, {"language", NULL},
};

#define VALUE_COLUMN(name, key, title, help) {key, NULL},

static const struct ksr_column origin_columns[] = {
	{"id", NULL},	     {"origin", NULL}, {"group", NULL}, {"layout", NULL}, {"program", NULL},
	{"processes", NULL}, KSR_VALUES(VALUE_COLUMN){"live_error", NULL}, {"shown", NULL}, {"stack", NULL},
};

static const struct ksr_column group_columns[] = {
	{"group", NULL},     {"layout", NULL}, {"processes", NULL},
	KSR_VALUES(VALUE_COLUMN){"store", NULL}, {"saved_by_store", NULL},
};

#undef VALUE_COLUMN

/* A text, not known where it is empty. */
static struct ksr_cell text_cell(const struct ksr_picture *picture, uint32_t number)
{
	const char *text = ksr_pool_text(&picture->texts, number);

	return ksr_cell_text(text[0] ? text : NULL);
}

static void render_frames(const struct ksr_picture *picture, struct ksr_emitter *emitter)
{
	ksr_emitter_table_begin(emitter, "frames", frame_columns, KSM_COUNT_OF(frame_columns));
	for (uint32_t i = 0; i < picture->frame_count; i++) {
		const struct ksr_picture_frame *frame = &picture->frames[i];
		struct ksr_cell cells[] = {
			ksr_cell_text(ksr_pool_text(&picture->texts, frame->function)),
			text_cell(picture, frame->file),
			ksr_cell_count(frame->line),
			text_cell(picture, frame->module),
			text_cell(picture, frame->build_id),
			text_cell(picture, frame->language),
		};

		if (frame->line == 0)
			cells[2].kind = KSR_CELL_NONE;
		ksr_emitter_row(emitter, cells);
	}
	ksr_emitter_table_end(emitter);
}

static void render_stacks(const struct ksr_picture *picture, struct ksr_emitter *emitter)
{
	ksr_emitter_table_begin(emitter, "origins", origin_columns, KSM_COUNT_OF(origin_columns));
	for (uint32_t i = 0; i < picture->origin_count; i++) {
		const struct ksr_picture_origin *origin = &picture->origins[i];
		const struct ksr_picture_group *group = &picture->groups[origin->group];
		struct ksr_cell cells[KSM_COUNT_OF(origin_columns)];
		size_t next = 0;
		char id[24];

		snprintf(id, sizeof(id), "%012" PRIx64, origin->id);
		cells[next++] = ksr_cell_text(origin->id ? id : NULL);
		cells[next++] = ksr_cell_text(ksr_pool_text(&picture->texts, origin->name));
		cells[next++] = text_cell(picture, group->name);
		cells[next++] = text_cell(picture, group->layout);
		cells[next++] = text_cell(picture, origin->program);
		cells[next++] = ksr_cell_count(origin->processes);
		for (size_t k = 0; k < KSR_VALUE_COUNT; k++)
			cells[next++] = ksr_cell_bytes(origin->values[k]);
		cells[next++] = ksr_cell_bytes(origin->error);
		cells[next++] = ksr_cell_count(origin->shown);
		cells[next++] = ksr_cell_indexes(&picture->stacks[origin->first], origin->frames);
		ksr_emitter_row(emitter, cells);
	}
	ksr_emitter_table_end(emitter);
}

static void render_groups(const struct ksr_picture *picture, struct ksr_emitter *emitter)
{
	ksr_emitter_table_begin(emitter, "group_totals", group_columns, KSM_COUNT_OF(group_columns));
	for (uint32_t i = 0; i < picture->group_count; i++) {
		const struct ksr_picture_group *group = &picture->groups[i];
		struct ksr_cell cells[KSM_COUNT_OF(group_columns)];
		size_t next = 0;

		cells[next++] = text_cell(picture, group->name);
		cells[next++] = text_cell(picture, group->layout);
		cells[next++] = ksr_cell_count(group->processes);
		for (size_t k = 0; k < KSR_VALUE_COUNT; k++)
			cells[next++] = ksr_cell_bytes(group->values[k]);
		cells[next++] = ksr_cell_bytes(group->store);
		cells[next++] = ksr_cell_bytes(ksr_picture_saved_by_store(group));
		ksr_emitter_row(emitter, cells);
	}
	ksr_emitter_table_end(emitter);
}

void ksr_render_origins(const struct ksr_picture *picture, struct ksr_emitter *emitter)
{
	ksr_emitter_section_begin(emitter, "form");
	ksr_emitter_value(emitter, "name", NULL, ksr_cell_text(KSR_REPORT_FORM));
	ksr_emitter_value(emitter, "seconds", NULL, ksr_cell_count(picture->time));
	ksr_emitter_section_end(emitter);
	render_frames(picture, emitter);
	render_stacks(picture, emitter);
	render_groups(picture, emitter);
}
