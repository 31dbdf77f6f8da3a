/* SPDX-License-Identifier: BSD-2-Clause */
/* Which region of which process belongs to which row: a site or a file has one, however many slots
 * or mappings it has. */
#define _GNU_SOURCE
#include "pages/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pages/events.h"

static const struct ksr_region *region_of(const struct ksr_diff *diff,
					  const struct ksr_diff_row *row)
{
	int which = row->regions[0] == KSR_REGION_NONE;

	return &diff->spaces[which]->regions[row->regions[which]];
}

static uint32_t get_row(struct ksr_diff *diff, int which, uint32_t index)
{
	const struct ksr_region *region = &diff->spaces[which]->regions[index];
	struct ksr_diff_row *row;

	for (size_t i = 0; i < diff->row_count; i++) {
		row = &diff->rows[i];
		if (row->kind != region->kind || row->id != region->id ||
		    strcmp(region_of(diff, row)->name, region->name) != 0)
			continue;
		if (row->regions[which] == KSR_REGION_NONE)
			row->regions[which] = index;
		return (uint32_t)i;
	}
	row = &diff->rows[diff->row_count];
	*row = (struct ksr_diff_row){.kind = region->kind,
				     .id = region->id,
				     .wanted = true,
				     .regions = {KSR_REGION_NONE, KSR_REGION_NONE}};
	row->regions[which] = index;
	return (uint32_t)diff->row_count++;
}

/* The stack ends elsewhere with another environment, whatever the layout is. */
static void count_moved(struct ksr_diff *diff)
{
	for (uint32_t i = 0; i < diff->spaces[0]->region_count; i++) {
		const struct ksr_region *region = &diff->spaces[0]->regions[i];
		uint32_t other = diff->match[0][i];

		if (other == KSR_REGION_NONE || region->base == 0 ||
		    region->kind == KSR_REGION_STACK)
			continue;
		diff->compared_regions++;
		diff->moved_regions += diff->spaces[1]->regions[other].base != region->base;
	}
}

/* From the regions of the second process to those of the first. */
static uint32_t *invert(const struct ksr_diff *diff)
{
	uint32_t count = diff->spaces[1]->region_count;
	uint32_t *match = malloc((count + 1) * sizeof(*match));

	for (uint32_t i = 0; match && i < count; i++)
		match[i] = KSR_REGION_NONE;
	for (uint32_t i = 0; match && i < diff->spaces[0]->region_count; i++) {
		if (diff->match[0][i] != KSR_REGION_NONE)
			match[diff->match[0][i]] = i;
	}
	return match;
}

int ksr_diff_create(const struct ksr_space *first, const struct ksr_space *second,
		    struct ksr_diff *diff)
{
	const struct ksr_space *spaces[2] = {first, second};

	memset(diff, 0, sizeof(*diff));
	diff->few = KSR_FEW_WORDS;
	diff->every = 1;
	diff->rows =
		calloc((size_t)first->region_count + second->region_count + 1, sizeof(*diff->rows));
	diff->spaces[0] = first;
	diff->spaces[1] = second;
	for (int i = 0; i < 2; i++) {
		diff->match[i] = i ? invert(diff) : ksr_space_match(first, second);
		diff->row_of[i] = calloc(spaces[i]->region_count + 1, sizeof(*diff->row_of[i]));
		if (!diff->rows || !diff->match[i] || !diff->row_of[i]) {
			ksr_diff_destroy(diff);
			return -ENOMEM;
		}
	}
	for (int i = 0; i < 2; i++) {
		for (uint32_t k = 0; k < spaces[i]->region_count; k++)
			diff->row_of[i][k] = get_row(diff, i, k);
	}
	count_moved(diff);
	return 0;
}

void ksr_diff_destroy(struct ksr_diff *diff)
{
	ksr_events_destroy(diff->events);
	for (size_t i = 0; i < diff->row_count; i++) {
		for (size_t k = 0; k < diff->rows[i].cause_count; k++)
			free(diff->rows[i].causes[k].positions);
		free(diff->rows[i].causes);
		free(diff->rows[i].named);
		free(diff->rows[i].places);
	}
	free(diff->rows);
	for (int i = 0; i < 2; i++) {
		free(diff->match[i]);
		free(diff->row_of[i]);
	}
	memset(diff, 0, sizeof(*diff));
}
