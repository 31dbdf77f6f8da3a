/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Since which event the two that are compared differ, and the likely cause: of all the events the
 * one that most pages go back to. Names are cleaned by the emitter.
 */
#define _GNU_SOURCE
#include "doctor/since.h"

#include <inttypes.h>
#include <stdlib.h>

#include "pages/events.h"
#include "pages/folders.h"
#include "pages/rows.h"

/* What goes back to an event that has fewer of the pages, in percent, is not worth a line. */
#define WORTH_PERCENT 1

struct cause {
	char what[256];
	const char *advice;
};

#define CAUSE(text, to_do) ((struct cause){.what = text, .advice = to_do})

/* What the two passed instead of the same event; false where they have passed the same so far. */
static bool find_other_events(const struct ksr_events *events, uint32_t number, struct cause *cause)
{
	char names[2][KSR_EVENT_NAME_BYTES];

	if (number < events->common || !ksr_events_parted(events, names))
		return false;
	snprintf(cause->what, sizeof(cause->what),
		 "after %u equal events the first passed %s, the second %s", events->common - 1,
		 names[0], names[1]);
	cause->advice = "open the same files in the same order in all workers, what differs last";
	return true;
}

static struct cause cause_of_place(const struct ksr_diff_place *place)
{
	struct cause cause = {.advice = ""};

	if (place->is_time)
		return CAUSE("a time, such as that of a changed file or folder",
			     "keep times out of what is loaded, or load what has them last");
	ksr_place_text(place, cause.what, sizeof(cause.what));
	if (place->is_text)
		cause.advice = "names, paths and ids that differ between workers: make them "
			       "equally long, or after all else was loaded";
	else
		cause.advice = "hashes or random numbers: see the finding about hash seeds, and "
			       "draw none before all else was loaded";
	return cause;
}

/* The event that healed this one; behind all of them if none has. */
static uint32_t end_of(const struct ksr_events *events, uint32_t number)
{
	return (uint32_t)ksm_min(events->list[number].healed, events->count - 1);
}

/* The name of an entry may lie in memory that was taken a little later. */
static bool has_entry(const struct ksr_events *events, uint32_t number)
{
	for (uint32_t i = number; i < end_of(events, number); i++) {
		if (events->list[i].has_place && events->list[i].place.is_entry)
			return true;
	}
	return false;
}

static bool has_other_environment(const struct ksr_workers *members)
{
	const struct ksr_worker *first = &members->list[0];
	const struct ksr_worker *second = &members->list[1];

	return first->environment.size != second->environment.size ||
	       first->arguments.size != second->arguments.size;
}

static struct cause cause_of(const struct ksr_workers *members, const struct ksr_events *events,
			     uint32_t number)
{
	const struct ksr_moment *moment = ksr_events_moment(events, number);
	const struct ksr_event *event = &events->list[number];
	struct cause cause;

	if (has_entry(events, number))
		return CAUSE("the list of a folder's entries", ksr_folder_advice);
	if (moment->kind == KSR_MOMENT_THREADS)
		return CAUSE("threads that take turns in another order",
			     "let one thread load what is to be shared, before the others start");
	if (has_other_environment(members) &&
	    (moment->kind == KSR_MOMENT_START || events->list[0].own * 20 > events->list[0].both))
		return CAUSE("an environment or arguments of another length",
			     "give workers variables and arguments of equal lengths, such as "
			     "PORT=08001, or keep what differs in a file");
	if (find_other_events(events, number, &cause))
		return cause;
	if (event->has_place)
		return cause_of_place(&event->place);
	return CAUSE("something was allocated in another order or size",
		     "run 'ksmalloc diff' on both for what it is");
}

static uint32_t worst_of(const struct ksr_events *events)
{
	size_t count;
	uint32_t *list = ksr_events_worst(events, 1, &count);
	uint32_t worst = count ? list[0] : UINT32_MAX;

	free(list);
	return worst;
}

/* Where the difference of the worst event began: no event between them was equal. */
static uint32_t beginning_of(const struct ksr_events *events, uint32_t worst)
{
	uint32_t number = 0;

	while (number < worst &&
	       (events->list[number].own == 0 || events->list[number].healed <= worst))
		number++;
	return number;
}

/* The pages that go back to this event, up to the one where it was healed. */
static struct ksr_event sum_from(const struct ksr_events *events, uint32_t number)
{
	struct ksr_event sum = events->list[number];

	for (uint32_t i = number + 1; i < end_of(events, number); i++) {
		sum.own += events->list[i].own;
		sum.spread += events->list[i].spread;
	}
	return sum;
}

void ksr_find_since(const struct ksr_diff *diff, const struct ksr_workers *members, uint64_t both,
		    struct ksr_findings *findings)
{
	const struct ksr_events *events = diff->events;
	uint32_t number = events ? worst_of(events) : UINT32_MAX;
	char name[KSR_EVENT_NAME_BYTES];
	char healed[KSMALLOC_HISTORY_NAME + 64] = "";
	char next[KSR_EVENT_NAME_BYTES];
	struct ksr_event event;
	struct cause cause;
	uint64_t pages;

	if (number == UINT32_MAX)
		return;
	number = beginning_of(events, number);
	event = sum_from(events, number);
	pages = ksr_events_weight(&event);
	if (pages * 100 < both * WORTH_PERCENT)
		return;
	cause = cause_of(members, events, number);
	ksr_events_name(ksr_events_moment(events, number), name, sizeof(name));
	if (event.healed != UINT32_MAX) {
		ksr_events_name(ksr_events_moment(events, event.healed), next, sizeof(next));
		snprintf(healed, sizeof(healed), ", until %s", next);
	}
	ksr_find(findings, KSR_LEVEL_WARN, "since", cause.advice,
		 "processes %d and %d differ since %s%s: %.1f %% of their pages, %" PRIu64
		 " there and %" PRIu64 " by pointers to it; the likely cause: %s",
		 (int)members->list[0].pid, (int)members->list[1].pid, name, healed,
		 100.0 * (double)pages / (double)both, event.own, event.spread, cause.what);
}
