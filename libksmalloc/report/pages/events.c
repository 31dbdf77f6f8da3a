/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "pages/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An event with fewer of its own pages differing, in percent, counts as healed. */
#define HEALED_PERCENT 1
/* And one with fewer pages shows nothing. */
#define HEALED_LEAST 16

static uint32_t count_common(const struct ksr_history *first, const struct ksr_history *second)
{
	uint32_t count = 0;

	while (count < first->moment_count && count < second->moment_count &&
	       first->moments[count].kind != KSR_MOMENT_THREADS &&
	       ksr_moment_is_same(&first->moments[count], &second->moments[count]))
		count++;
	return count;
}

static int fill(struct ksr_events *events)
{
	const struct ksr_history *second = &events->histories[1];

	events->count = events->histories[0].moment_count + 1;
	events->list = calloc(events->count, sizeof(*events->list));
	events->match = calloc((size_t)second->moment_count + 1, sizeof(*events->match));
	if (!events->list || !events->match)
		return -ENOMEM;
	events->common = count_common(&events->histories[0], second);
	for (uint32_t i = 0; i < second->moment_count; i++)
		events->match[i] = i < events->common ? i
						      : ksr_history_match(&events->histories[0],
									  &second->moments[i]);
	return 0;
}

int ksr_events_create(const struct ksr_fs *fs, const struct ksr_space *const *spaces,
		      struct ksr_events **result)
{
	struct ksr_events *events = calloc(1, sizeof(*events));
	int error = events ? 0 : -ENOMEM;

	for (int i = 0; i < 2 && !error; i++)
		error = spaces[i]->has_segment ? ksr_history_read(fs, &spaces[i]->snapshot,
								  &events->histories[i])
				: -ENOENT;
	*result = events;
	if (!error)
		error = fill(events);
	if (error) {
		ksr_events_destroy(events);
		*result = NULL;
	}
	return error == -ENOMEM ? error : 0;
}

void ksr_events_destroy(struct ksr_events *events)
{
	if (!events)
		return;
	ksr_history_free(&events->histories[0]);
	ksr_history_free(&events->histories[1]);
	free(events->list);
	free(events->match);
	free(events);
}

/* --- counting -------------------------------------------------------------------------------- */

static uint32_t none_of(const struct ksr_events *events)
{
	return events->count - 1;
}

/* The number of the event that took the address in the first process. */
static uint32_t number_of(const struct ksr_events *events, uint64_t address)
{
	const struct ksr_taken *taken = ksr_history_find(&events->histories[0], address);

	return taken ? taken->moment : none_of(events);
}

void ksr_events_add_pair(struct ksr_events *events, uint64_t address, bool would_merge)
{
	struct ksr_event *event;

	if (!events)
		return;
	event = &events->list[number_of(events, address)];
	event->both++;
	event->equal += would_merge;
	event->differing += !would_merge;
	events->differing += !would_merge;
}

void ksr_events_add_single(struct ksr_events *events, int which, uint64_t address)
{
	const struct ksr_taken *taken;
	uint32_t number;

	if (!events)
		return;
	number = number_of(events, address);
	taken = which ? ksr_history_find(&events->histories[1], address) : NULL;
	if (taken && events->match[taken->moment] != UINT32_MAX)
		number = events->match[taken->moment];
	if (which)
		events->list[number].only_second++;
	else
		events->list[number].only_first++;
}

static bool is_pointer(enum ksr_cause cause)
{
	return cause == KSR_CAUSE_POINTER_SHIFTED || cause == KSR_CAUSE_POINTER_MOVED ||
	       cause == KSR_CAUSE_POINTER_OTHER;
}

/* The earliest event that pointers of the page, those that differ, lead to. */
static uint32_t earliest_target(const struct ksr_events *events, const unsigned char *page,
				const struct ksr_page_diff *result)
{
	uint32_t earliest = none_of(events);

	for (size_t i = 0; i < result->count; i++) {
		uint64_t value;

		if (!is_pointer(result->words[i].cause))
			continue;
		memcpy(&value, page + result->words[i].offset, sizeof(value));
		earliest = (uint32_t)ksm_min(earliest, number_of(events, value));
	}
	return earliest;
}

void ksr_events_look(struct ksr_events *events, uint64_t address, const unsigned char *page,
		     const struct ksr_page_diff *result)
{
	uint32_t number;
	uint32_t target;
	struct ksr_event *event;

	if (!events)
		return;
	number = number_of(events, address);
	event = &events->list[number];
	events->looked++;
	if (result->class == KSR_PAGE_POINTERS) {
		target = earliest_target(events, page, result);
		if (target != number && target != none_of(events)) {
			event->pulled++;
			events->list[target].spread++;
			return;
		}
	}
	if (result->class == KSR_PAGE_EQUAL || (event->first_page && event->first_page <= address))
		return;
	event->first_page = address;
	event->first_class = result->class;
}

/*
 * Slabs of libksmalloc-python.so: what is free in each is said by bitmaps in front of its objects,
 * which look like hashes and are a consequence of what differs, not its beginning.
 */
#define SLAB_BYTES 16384
#define SLAB_HEADER_BYTES 528

bool ksr_events_is_header(const struct ksr_events *events, uint64_t address)
{
	const struct ksr_taken *taken;

	if (!events || address % SLAB_BYTES >= SLAB_HEADER_BYTES)
		return false;
	taken = ksr_history_find(&events->histories[0], address);
	return taken && taken->is_objects;
}

bool ksr_events_want(const struct ksr_events *events, uint64_t address,
		     const struct ksr_diff_place *place)
{
	const struct ksr_event *event;

	if (!events)
		return false;
	event = &events->list[number_of(events, address)];
	if (!event->has_place)
		return true;
	/* Kinds of objects lie apart, so that an address says little of a time. */
	if (ksr_place_telling(place) != ksr_place_telling(&event->place))
		return ksr_place_telling(place) > ksr_place_telling(&event->place);
	return address < event->place.address;
}

void ksr_events_take(struct ksr_events *events, uint32_t row, const struct ksr_diff_place *place)
{
	struct ksr_event *event = &events->list[number_of(events, place->address)];

	event->has_place = true;
	event->place = *place;
	event->place_row = row;
}

/* --- what follows from the counts ------------------------------------------------------------ */

static bool is_healed(const struct ksr_event *event)
{
	return event->both >= HEALED_LEAST && event->own * 100 <= event->both * HEALED_PERCENT;
}

static uint32_t next_healed(const struct ksr_events *events, uint32_t number)
{
	for (uint32_t i = number + 1; i < none_of(events); i++) {
		if (events->histories[0].moments[i].kind == KSR_MOMENT_THREADS)
			break;
		if (is_healed(&events->list[i]))
			return i;
	}
	return UINT32_MAX;
}

void ksr_events_finish(struct ksr_events *events)
{
	double scale;

	if (!events)
		return;
	scale = events->looked ? (double)events->differing / (double)events->looked : 1;
	for (uint32_t i = 0; i < events->count; i++) {
		struct ksr_event *event = &events->list[i];

		event->spread = (uint64_t)((double)event->spread * scale + 0.5);
		event->pulled = (uint64_t)ksm_min((uint64_t)((double)event->pulled * scale + 0.5),
						  event->differing);
		event->own = event->differing - event->pulled;
	}
	for (uint32_t i = 0; i < events->count; i++)
		events->list[i].healed = events->list[i].own && i < none_of(events)
						 ? next_healed(events, i)
						 : UINT32_MAX;
}

uint64_t ksr_events_weight(const struct ksr_event *event)
{
	return event->own + event->spread;
}

static int compare_weights(const void *left, const void *right, void *user)
{
	const struct ksr_events *events = user;
	uint32_t a = *(const uint32_t *)left;
	uint32_t b = *(const uint32_t *)right;
	uint64_t x = ksr_events_weight(&events->list[a]);
	uint64_t y = ksr_events_weight(&events->list[b]);

	if (x != y)
		return x > y ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int compare_numbers(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left;
	uint32_t b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

uint32_t *ksr_events_worst(const struct ksr_events *events, size_t most, size_t *count)
{
	uint32_t *list = events ? calloc(events->count, sizeof(*list)) : NULL;

	*count = 0;
	for (uint32_t i = 0; list && i < none_of(events); i++) {
		if (ksr_events_weight(&events->list[i]))
			list[(*count)++] = i;
	}
	if (*count)
		qsort_r(list, *count, sizeof(*list), compare_weights, (void *)(uintptr_t)events);
	*count = ksm_min(*count, most);
	if (*count)
		qsort(list, *count, sizeof(*list), compare_numbers);
	return list;
}

/* --- words ----------------------------------------------------------------------------------- */

const struct ksr_moment *ksr_events_moment(const struct ksr_events *events, uint32_t event)
{
	return event < none_of(events) ? &events->histories[0].moments[event] : NULL;
}

void ksr_events_name(const struct ksr_moment *moment, char *text, size_t bytes)
{
	if (!moment)
		snprintf(text, bytes, "(memory of no event)");
	else if (moment->kind == KSR_MOMENT_START)
		snprintf(text, bytes, "(start)");
	else if (moment->kind == KSR_MOMENT_FORK)
		snprintf(text, bytes, "(fork)");
	else if (moment->kind == KSR_MOMENT_THREADS)
		snprintf(text, bytes, "(threads)");
	else
		snprintf(text, bytes, "%s",
			 moment->name[0] ? moment->name : "(a name that is no text)");
}

static const struct ksr_moment *next_of(const struct ksr_history *history, uint32_t common)
{
	bool has = common < history->moment_count &&
		   history->moments[common].kind != KSR_MOMENT_THREADS;

	return has ? &history->moments[common] : NULL;
}

bool ksr_events_parted(const struct ksr_events *events, char names[2][KSR_EVENT_NAME_BYTES])
{
	const struct ksr_moment *next[2];

	for (int i = 0; i < 2; i++) {
		next[i] = next_of(&events->histories[i], events->common);
		snprintf(names[i], KSR_EVENT_NAME_BYTES, "nothing more");
		if (next[i])
			ksr_events_name(next[i], names[i], KSR_EVENT_NAME_BYTES);
	}
	if (!next[0] || !next[1])
		return next[0] || next[1];
	return events->common > 1 || strcmp(names[0], names[1]) != 0;
}
