/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Since which event the two that are compared differ, and the likely cause: of all the events the
 * one that most pages go back to. Names are cleaned by the emitter.
 */
#define _GNU_SOURCE
#include "doctor_group.h"

#include <inttypes.h>
#include <stdlib.h>

#include "diff_events.h"
#include "diff_first.h"
#include "folders.h"

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
	char names[2][KSMALLOC_HISTORY_NAME + 32] = {"nothing more", "nothing more"};

	if (number < events->common)
		return false;
	for (int i = 0; i < 2; i++) {
		if (events->common < events->histories[i].moment_count)
			ksr_events_name(&events->histories[i].moments[events->common], names[i],
					sizeof(names[i]));
	}
	snprintf(cause->what, sizeof(cause->what),
		 "after %u equal events the first passed %s, the second %s", events->common - 1,
		 names[0], names[1]);
	cause->advice = "open the same files in the same order in all workers, what differs last";
	return true;
}

static struct cause cause_of_place(const struct ksr_diff_place *place)
{
	struct cause cause = {.advice = ""};

	if (place->is_entry)
		return CAUSE("the list of a folder's entries", ksr_folder_advice);
	if (place->is_time)
		return CAUSE("a time, such as that of a changed file or folder",
			     "keep times out of what is loaded, or load what has them last");
	ksr_first_text(place, cause.what, sizeof(cause.what));
	if (place->is_text)
		cause.advice = "names, paths and ids that differ between workers: make them "
			       "equally long, or after all else was loaded";
	else
		cause.advice = "hashes or random numbers: see the finding about hash seeds, and "
			       "draw none before all else was loaded";
	return cause;
}

static struct cause cause_of(const struct ksr_members *members, const struct ksr_events *events,
			     uint32_t number)
{
	const struct ksr_moment *moment = ksr_events_moment(events, number);
	const struct ksr_event *event = &events->list[number];
	const struct ksr_member *first = &members->list[0];
	const struct ksr_member *second = &members->list[1];
	struct cause cause;

	if (event->has_place && event->place.is_entry)
		return cause_of_place(&event->place);
	if (moment->kind == KSR_MOMENT_THREADS)
		return CAUSE("threads that take turns in another order",
			     "let one thread load what is to be shared, before the others start");
	if (moment->kind == KSR_MOMENT_START &&
	    (first->environment.size != second->environment.size ||
	     first->arguments.size != second->arguments.size))
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

/* The earliest one of those that nearly as many pages go back to as to the worst. */
static uint32_t worst_of(const struct ksr_events *events)
{
	size_t count;
	uint32_t *list = ksr_events_worst(events, SIZE_MAX, &count);
	uint32_t worst = UINT32_MAX;
	uint64_t most = 0;

	for (size_t i = 0; i < count; i++)
		most = ksm_max(most, ksr_events_weight(&events->list[list[i]]));
	for (size_t i = count; i-- > 0;) {
		if (ksr_events_weight(&events->list[list[i]]) * 2 >= most)
			worst = list[i];
	}
	free(list);
	return worst;
}

void ksr_find_since(const struct ksr_diff *diff, const struct ksr_members *members, uint64_t both,
		    struct ksr_findings *findings)
{
	const struct ksr_events *events = diff->events;
	uint32_t number = events ? worst_of(events) : UINT32_MAX;
	char name[KSMALLOC_HISTORY_NAME + 32];
	char healed[KSMALLOC_HISTORY_NAME + 64] = "";
	char next[KSMALLOC_HISTORY_NAME + 32];
	const struct ksr_event *event;
	struct cause cause;
	uint64_t pages;

	if (number == UINT32_MAX)
		return;
	event = &events->list[number];
	pages = event->own + event->spread;
	if (pages * 100 < both * WORTH_PERCENT)
		return;
	cause = cause_of(members, events, number);
	ksr_events_name(ksr_events_moment(events, number), name, sizeof(name));
	if (event->healed != UINT32_MAX) {
		ksr_events_name(ksr_events_moment(events, event->healed), next, sizeof(next));
		snprintf(healed, sizeof(healed), ", until %s", next);
	}
	ksr_find(findings, KSR_LEVEL_WARN, "since", cause.advice,
		 "processes %d and %d differ since %s%s: %.1f %% of their pages, %" PRIu64
		 " there and %" PRIu64 " by pointers to it; the likely cause: %s",
		 (int)members->list[0].pid, (int)members->list[1].pid, name, healed,
		 100.0 * (double)pages / (double)both, event->own, event->spread, cause.what);
}
