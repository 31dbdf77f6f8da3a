/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "show/picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 256

static const struct {
	const char *key;
	const char *title;
	const char *help;
} values[] = {
#define VALUE(name, key, title, help) {key, title, help},
	KSR_VALUES(VALUE)
#undef VALUE
};

const char *ksr_value_key(enum ksr_value value)
{
	return values[value].key;
}

const char *ksr_value_title(enum ksr_value value)
{
	return values[value].title;
}

const char *ksr_value_help(enum ksr_value value)
{
	return values[value].help;
}

bool ksr_value_find(const char *key, enum ksr_value *value)
{
	for (size_t i = 0; i < KSM_COUNT_OF(values); i++) {
		if (strcmp(values[i].key, key) == 0) {
			*value = (enum ksr_value)i;
			return true;
		}
	}
	return false;
}

int ksr_picture_init(struct ksr_picture *picture)
{
	memset(picture, 0, sizeof(*picture));
	picture->error = ksr_pool_init(&picture->texts, KSR_TEXT_MOST);
	return picture->error;
}

void ksr_picture_fini(struct ksr_picture *picture)
{
	ksr_pool_fini(&picture->texts);
	free(picture->frames);
	free(picture->frame_cells);
	free(picture->stacks);
	free(picture->groups);
	free(picture->origins);
	memset(picture, 0, sizeof(*picture));
}

/* Room for one more record, or for `more`; false, which is remembered, when there is no memory. */
static bool make_room(struct ksr_picture *picture, void *array, uint32_t count, uint32_t more,
		      uint32_t *room, size_t bytes)
{
	uint64_t wanted = *room ? *room : FIRST_ROOM;
	void *larger;

	if ((uint64_t)count + more <= *room)
		return true;
	while (wanted < (uint64_t)count + more)
		wanted *= 2;
	memcpy(&larger, array, sizeof(larger));
	larger = wanted < UINT32_MAX ? reallocarray(larger, (size_t)wanted, bytes) : NULL;
	if (!larger) {
		picture->error = -ENOMEM;
		return false;
	}
	memcpy(array, &larger, sizeof(larger));
	*room = (uint32_t)wanted;
	return true;
}

uint32_t ksr_picture_text(struct ksr_picture *picture, const char *text)
{
	uint32_t number = ksr_pool_put(&picture->texts, text);

	if (number != KSR_POOL_NONE)
		return number;
	picture->error = -ENOMEM;
	return 0;
}

uint32_t ksr_picture_group(struct ksr_picture *picture, const char *name, const char *layout)
{
	uint32_t name_text = ksr_picture_text(picture, name);
	uint32_t layout_text = ksr_picture_text(picture, layout);
	struct ksr_picture_group *larger;

	for (uint32_t i = 0; i < picture->group_count; i++) {
		if (picture->groups[i].name == name_text && picture->groups[i].layout == layout_text)
			return i;
	}
	larger = reallocarray(picture->groups, picture->group_count + 1, sizeof(*larger));
	if (!larger) {
		picture->error = -ENOMEM;
		return 0;
	}
	picture->groups = larger;
	larger[picture->group_count] = (struct ksr_picture_group){.name = name_text, .layout = layout_text};
	return picture->group_count++;
}

/* --- frames ------------------------------------------------------------------ */

static uint32_t cell_of(const struct ksr_picture *picture, const struct ksr_picture_frame *frame)
{
	return (uint32_t)ksr_pool_hash(0, frame, sizeof(*frame)) & (2 * picture->frame_room - 1);
}

static void put_frame(struct ksr_picture *picture, uint32_t index)
{
	uint32_t cell = cell_of(picture, &picture->frames[index]);

	while (picture->frame_cells[cell])
		cell = (cell + 1) & (2 * picture->frame_room - 1);
	picture->frame_cells[cell] = index + 1;
}

static bool grow_frames(struct ksr_picture *picture)
{
	uint32_t *cells;

	if (!make_room(picture, &picture->frames, picture->frame_count, 1, &picture->frame_room,
		       sizeof(*picture->frames)))
		return false;
	cells = calloc(2 * (size_t)picture->frame_room, sizeof(*cells));
	if (!cells) {
		picture->frame_room = picture->frame_count;
		picture->error = -ENOMEM;
		return false;
	}
	free(picture->frame_cells);
	picture->frame_cells = cells;
	for (uint32_t i = 0; i < picture->frame_count; i++)
		put_frame(picture, i);
	return true;
}

uint32_t ksr_picture_frame(struct ksr_picture *picture, const struct ksr_picture_frame *frame)
{
	if (picture->error)
		return 0;
	if (picture->frame_count == picture->frame_room && !grow_frames(picture))
		return 0;
	for (uint32_t cell = cell_of(picture, frame); picture->frame_cells[cell];
	     cell = (cell + 1) & (2 * picture->frame_room - 1)) {
		uint32_t index = picture->frame_cells[cell] - 1;

		if (memcmp(&picture->frames[index], frame, sizeof(*frame)) == 0)
			return index;
	}
	picture->frames[picture->frame_count] = *frame;
	put_frame(picture, picture->frame_count);
	return picture->frame_count++;
}

/* --- origins ------------------------------------------------------------------- */

void ksr_picture_add(struct ksr_picture *picture, const struct ksr_picture_origin *origin,
		     const uint32_t *stack, size_t frames)
{
	uint32_t most = (uint32_t)ksm_min(frames, KSR_STACK_MOST);
	struct ksr_picture_origin *added;

	if (picture->error ||
	    !make_room(picture, &picture->origins, picture->origin_count, 1, &picture->origin_room,
		       sizeof(*picture->origins)) ||
	    !make_room(picture, &picture->stacks, picture->stack_count, most, &picture->stack_room,
		       sizeof(*picture->stacks)))
		return;
	added = &picture->origins[picture->origin_count++];
	*added = *origin;
	added->first = picture->stack_count;
	added->frames = most;
	added->shown = (uint32_t)ksm_min(origin->shown, most);
	for (uint32_t i = 0; i < most; i++)
		picture->stacks[picture->stack_count++] = stack[i];
}

static uint64_t size_of(const struct ksr_picture_origin *origin)
{
	return ksm_max(origin->values[KSR_VALUE_HELD], origin->values[KSR_VALUE_LIVE]);
}

/* The largest first; equal ones by id, group and program, so that equal input gives equal output. */
static int compare_origins(const void *left, const void *right, void *user)
{
	const struct ksr_picture_origin *a = left;
	const struct ksr_picture_origin *b = right;
	const struct ksr_picture *picture = user;
	uint64_t x = size_of(a);
	uint64_t y = size_of(b);

	if (x != y)
		return x > y ? -1 : 1;
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (a->program != b->program)
		return strcmp(ksr_pool_text(&picture->texts, a->program),
			      ksr_pool_text(&picture->texts, b->program));
	return a->first < b->first ? -1 : a->first > b->first;
}

static void add_values(uint64_t sum[KSR_VALUE_COUNT], const uint64_t part[KSR_VALUE_COUNT])
{
	for (size_t i = 0; i < KSR_VALUE_COUNT; i++)
		sum[i] = part[i] > UINT64_MAX - sum[i] ? UINT64_MAX : sum[i] + part[i];
}

/* Those beyond the limit become one of each group. */
static void cut_origins(struct ksr_picture *picture)
{
	struct ksr_picture_origin *sums = calloc(picture->group_count, sizeof(*sums));
	struct ksr_picture_frame frame = {.function = ksr_picture_text(picture, "(smaller origins)")};
	uint32_t stack = ksr_picture_frame(picture, &frame);
	uint32_t count = picture->origin_count;

	if (!sums)
		picture->error = -ENOMEM;
	if (picture->error) {
		free(sums);
		return;
	}
	for (uint32_t i = KSR_ORIGINS_MOST; i < count; i++)
		add_values(sums[picture->origins[i].group].values, picture->origins[i].values);
	picture->left_out = count - KSR_ORIGINS_MOST;
	picture->origin_count = KSR_ORIGINS_MOST;
	for (uint32_t i = 0; i < picture->group_count; i++) {
		sums[i].name = frame.function;
		sums[i].group = i;
		sums[i].shown = 1;
		if (size_of(&sums[i]))
			ksr_picture_add(picture, &sums[i], &stack, 1);
	}
	free(sums);
}

int ksr_picture_finish(struct ksr_picture *picture)
{
	if (picture->error)
		return picture->error;
	if (picture->origin_count)
		qsort_r(picture->origins, picture->origin_count, sizeof(*picture->origins), compare_origins,
			picture);
	if (picture->origin_count > KSR_ORIGINS_MOST)
		cut_origins(picture);
	for (uint32_t i = 0; i < picture->origin_count; i++) {
		const struct ksr_picture_origin *origin = &picture->origins[i];

		add_values(picture->groups[origin->group].values, origin->values);
		add_values(picture->values, origin->values);
	}
	return picture->error;
}
