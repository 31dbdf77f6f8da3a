/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A key is a text: group, layout, program, and the name without its lines, or a number for each function of the stack,
 * from a pool that both pictures share. So keys are compared as texts are, and a pool of them gives each its place among
 * the changes.
 */
#define _GNU_SOURCE
#include "compare/match.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a key: numbers of at most nine letters. */
#define KEY_BYTES (4 * KSR_TEXT_MOST + KSR_STACK_MOST * 10)

/* What reports of before called the data of all programs and libraries together, and what that is called here. */
#define OLD_DATA "(data segments and other written pages of files)"
#define ALL_DATA "(data of programs and libraries)"

struct matching {
	bool by_stack;
	bool is_data_one; /* a report has it in one row: then the other has, too */
	struct ksr_pool functions;
	struct ksr_pool keys;
	uint32_t *numbers; /* of each frame of the picture at hand */
};

static bool has_old_data(const struct ksr_picture *picture)
{
	for (uint32_t i = 0; i < picture->origin_count; i++) {
		if (strcmp(ksr_pool_text(&picture->texts, picture->origins[i].name), OLD_DATA) == 0)
			return true;
	}
	return false;
}

/* What a name is compared and shown as. */
static const char *name_of(const struct matching *matching, const char *name)
{
	bool is_data = strcmp(name, OLD_DATA) == 0 || strncmp(name, "(data of ", 9) == 0;

	return matching->is_data_one && is_data ? ALL_DATA : name;
}

static int number_functions(struct matching *matching, const struct ksr_picture *picture)
{
	free(matching->numbers);
	matching->numbers = calloc((size_t)picture->frame_count + 1, sizeof(*matching->numbers));
	if (!matching->numbers)
		return -ENOMEM;
	for (uint32_t i = 0; i < picture->frame_count; i++) {
		char text[2 * KSR_TEXT_MOST + 2];

		snprintf(text, sizeof(text), "%s\n%s",
			 name_of(matching, ksr_pool_text(&picture->texts, picture->frames[i].function)),
			 ksr_pool_text(&picture->texts, picture->frames[i].module));
		matching->numbers[i] = ksr_pool_put(&matching->functions, text);
		if (matching->numbers[i] == KSR_POOL_NONE)
			return -ENOMEM;
	}
	return 0;
}

/* A name without the numbers of lines, "load (app.py:12) < main", which any edit changes; the bytes written. */
static size_t put_name(char *key, size_t room, const char *name)
{
	size_t used = 0;

	for (; *name && used + 1 < room; name++) {
		key[used++] = *name;
		if (*name == ':')
			name += strspn(name + 1, "0123456789");
	}
	key[used] = '\0';
	return used;
}

/* The number of the key of an origin. */
static uint32_t key_of(struct matching *matching, const struct ksr_picture *picture,
		       const struct ksr_picture_group *group, const struct ksr_picture_origin *origin)
{
	const struct ksr_pool *texts = &picture->texts;
	char key[KEY_BYTES];
	size_t used;

	used = (size_t)snprintf(key, sizeof(key), "%s\n%s\n%s\n", ksr_pool_text(texts, group->name),
				ksr_pool_text(texts, group->layout), ksr_pool_text(texts, origin->program));
	if (!matching->by_stack)
		used += put_name(key + used, sizeof(key) - used,
				 name_of(matching, ksr_pool_text(texts, origin->name)));
	for (uint32_t i = 0; matching->by_stack && i < origin->shown; i++)
		used += (size_t)snprintf(key + used, sizeof(key) - used, "%" PRIx32 ",",
					 matching->numbers[picture->stacks[origin->first + i]]);
	return ksr_pool_put(&matching->keys, key);
}

/* Key 0 is the empty text, which no origin has. */
static void add_origin(const struct matching *matching, struct ksr_change *change, const struct ksr_picture *picture,
		       int side, const struct ksr_picture_origin *origin)
{
	const struct ksr_picture_group *group = &picture->groups[origin->group];

	change->name = name_of(matching, ksr_pool_text(&picture->texts, origin->name));
	change->group = ksr_pool_text(&picture->texts, group->name);
	change->layout = ksr_pool_text(&picture->texts, group->layout);
	change->program = ksr_pool_text(&picture->texts, origin->program);
	change->origins[side]++;
	change->processes[side] = (uint32_t)ksm_max(change->processes[side], origin->processes);
	for (size_t i = 0; i < KSR_VALUE_COUNT; i++)
		change->values[side][i] += origin->values[i];
}

static int match_origins(struct matching *matching, struct ksr_comparison *comparison)
{
	comparison->origins = calloc((size_t)comparison->pictures[0]->origin_count +
					     comparison->pictures[1]->origin_count + 1,
				     sizeof(*comparison->origins));
	if (!comparison->origins)
		return -ENOMEM;
	matching->is_data_one = has_old_data(comparison->pictures[0]) || has_old_data(comparison->pictures[1]);
	for (int side = 0; side < 2; side++) {
		const struct ksr_picture *picture = comparison->pictures[side];
		int error = number_functions(matching, picture);

		for (uint32_t i = 0; i < picture->origin_count && !error; i++) {
			const struct ksr_picture_origin *origin = &picture->origins[i];
			uint32_t key = key_of(matching, picture, &picture->groups[origin->group], origin);

			if (key == KSR_POOL_NONE)
				error = -ENOMEM;
			else
				add_origin(matching, &comparison->origins[key - 1], picture, side, origin);
		}
		if (error)
			return error;
	}
	comparison->origin_count = matching->keys.count - 1;
	return 0;
}

static int match_groups(struct ksr_comparison *comparison)
{
	comparison->groups = calloc((size_t)comparison->pictures[0]->group_count + comparison->pictures[1]->group_count + 1,
				    sizeof(*comparison->groups));
	if (!comparison->groups)
		return -ENOMEM;
	for (int side = 0; side < 2; side++) {
		const struct ksr_picture *picture = comparison->pictures[side];

		for (uint32_t i = 0; i < picture->group_count; i++) {
			const struct ksr_picture_group *group = &picture->groups[i];
			const char *name = ksr_pool_text(&picture->texts, group->name);
			const char *layout = ksr_pool_text(&picture->texts, group->layout);
			struct ksr_change *change = comparison->groups;

			while (change < comparison->groups + comparison->group_count &&
			       (strcmp(change->group, name) != 0 || strcmp(change->layout, layout) != 0))
				change++;
			if (change == comparison->groups + comparison->group_count)
				comparison->group_count++;
			change->group = name;
			change->layout = layout;
			change->processes[side] = group->processes;
			change->store[side] = group->store;
			memcpy(change->values[side], group->values, sizeof(change->values[side]));
		}
	}
	return 0;
}

int ksr_comparison_create(const struct ksr_picture *before, const struct ksr_picture *after, bool by_stack,
			  struct ksr_comparison *comparison)
{
	struct matching matching = {.by_stack = by_stack};
	int error;

	*comparison = (struct ksr_comparison){.pictures = {before, after}};
	error = ksr_pool_init(&matching.functions, 0);
	if (!error)
		error = ksr_pool_init(&matching.keys, 0);
	if (!error)
		error = match_origins(&matching, comparison);
	if (!error)
		error = match_groups(comparison);
	free(matching.numbers);
	ksr_pool_fini(&matching.functions);
	ksr_pool_fini(&matching.keys);
	return error;
}

void ksr_comparison_destroy(struct ksr_comparison *comparison)
{
	free(comparison->origins);
	free(comparison->groups);
	*comparison = (struct ksr_comparison){.origins = NULL};
}

int64_t ksr_change_of(const uint64_t values[2])
{
	if (values[1] >= values[0])
		return (int64_t)ksm_min(values[1] - values[0], INT64_MAX);
	return -(int64_t)ksm_min(values[0] - values[1], INT64_MAX);
}

int64_t ksr_change_of_value(const struct ksr_change *change, enum ksr_value value)
{
	return ksr_change_of((const uint64_t[]){change->values[0][value], change->values[1][value]});
}

uint64_t ksr_change_unshared(const struct ksr_change *change)
{
	uint64_t shared[2];
	uint64_t freed = 0;
	uint64_t lost;

	for (int side = 0; side < 2; side++)
		shared[side] = change->values[side][KSR_VALUE_MERGED] + change->values[side][KSR_VALUE_SHARED];
	if (change->values[0][KSR_VALUE_HELD] > change->values[1][KSR_VALUE_HELD])
		freed = change->values[0][KSR_VALUE_HELD] - change->values[1][KSR_VALUE_HELD];
	lost = shared[0] > shared[1] ? shared[0] - shared[1] : 0;
	return lost > freed ? lost - freed : 0;
}

static int compare_changes(const void *left, const void *right, void *user)
{
	const struct ksr_change *a = left;
	const struct ksr_change *b = right;
	enum ksr_value value = *(const enum ksr_value *)user;
	int64_t x = ksr_change_of_value(a, value);
	int64_t y = ksr_change_of_value(b, value);
	uint64_t size_x = x < 0 ? -(uint64_t)x : (uint64_t)x;
	uint64_t size_y = y < 0 ? -(uint64_t)y : (uint64_t)y;
	int order;

	if (size_x != size_y)
		return size_x > size_y ? -1 : 1;
	if (x != y)
		return x > y ? -1 : 1;
	order = strcmp(a->group, b->group);
	if (!order)
		order = strcmp(a->program ? a->program : "", b->program ? b->program : "");
	return order ? order : strcmp(a->name ? a->name : a->layout, b->name ? b->name : b->layout);
}

void ksr_comparison_sort(struct ksr_comparison *comparison, enum ksr_value value)
{
	if (comparison->origin_count)
		qsort_r(comparison->origins, comparison->origin_count, sizeof(*comparison->origins), compare_changes, &value);
	if (comparison->group_count)
		qsort_r(comparison->groups, comparison->group_count, sizeof(*comparison->groups), compare_changes, &value);
}
