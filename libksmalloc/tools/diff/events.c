/* SPDX-License-Identifier: BSD-2-Clause */
/* After which event processes went apart, and how far that spread. */
#define _GNU_SOURCE
#include "diff/events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "diff/places.h"
#include "pages/events.h"

static const struct ksr_column columns[] = {
	{"pages", "PAGES"},
	{"equal", NULL},
	{"equal_percent", "EQUAL %"},
	{"differ", "DIFFER"},
	{"spread", "SPREAD"},
	{"pulled", NULL},
	{"only_first", NULL},
	{"only_second", NULL},
	{"event", NULL},
	{"kind", NULL},
	{"depth", NULL},
	{"name", "AFTER"},
	{"healed", "HEALED AT"},
	{"address", NULL},
	{"page_kind", NULL},
	{"text", "FIRST DIFFERENCE"},
};

static const char *kind_of(const struct ksr_moment *moment)
{
	static const char *const kinds[] = {
		[KSR_MOMENT_START] = "start",
		[KSR_MOMENT_FORK] = "fork",
		[KSR_MOMENT_ANCHOR] = "anchor",
		[KSR_MOMENT_THREADS] = "threads",
	};

	return moment ? kinds[moment->kind] : "none";
}

static const char *class_text(enum ksr_page_class class)
{
	static const char *const texts[] = {
		[KSR_PAGE_EQUAL] = "",
		[KSR_PAGE_POINTERS] = "pointers",
		[KSR_PAGE_WORDS] = "few words",
		[KSR_PAGE_SHIFTED] = "shifted content",
		[KSR_PAGE_OTHER] = "content in another order",
	};

	return texts[class];
}

/* What differs first there: content that the other process has nowhere, else what its first page
 * is. */
static void put_first(const struct ksr_diff *diff, struct ksr_diff_names *names,
		      const struct ksr_event *event, char *text, size_t bytes)
{
	char what[256];
	char detail[KSR_VARIABLE_BYTES + 96];
	struct ksr_variable variable;

	text[0] = '\0';
	if (event->has_place) {
		ksr_place_text(&event->place, what, sizeof(what));
		ksr_diff_place_detail(names, &diff->rows[event->place_row], &event->place,
				      &variable, detail, sizeof(detail));
		snprintf(text, bytes, "0x%" PRIx64 ": %s%s%s", event->place.address, what,
			 detail[0] ? "; " : "", detail);
	} else if (event->first_page) {
		snprintf(text, bytes, "0x%" PRIx64 ": %s", event->first_page,
			 class_text(event->first_class));
	}
}

static void emit(const struct ksr_diff *diff, struct ksr_diff_names *names, uint32_t number,
		 struct ksr_emitter *emitter)
{
	const struct ksr_events *events = diff->events;
	const struct ksr_event *event = &events->list[number];
	const struct ksr_moment *moment = ksr_events_moment(events, number);
	uint64_t first = event->has_place ? event->place.address : event->first_page;
	bool has_healed = event->healed != UINT32_MAX;
	struct ksr_cell none = {.kind = KSR_CELL_NONE};
	char name[KSR_EVENT_NAME_BYTES];
	char healed[KSR_EVENT_NAME_BYTES];
	char address[32];
	char text[1024];

	ksr_events_name(moment, name, sizeof(name));
	if (has_healed)
		ksr_events_name(ksr_events_moment(events, event->healed), healed, sizeof(healed));
	snprintf(address, sizeof(address), "0x%" PRIx64, first);
	put_first(diff, names, event, text, sizeof(text));
	struct ksr_cell cells[] = {
		ksr_cell_count(event->both),
		ksr_cell_count(event->equal),
		ksr_cell_percent(event->equal, event->both),
		ksr_cell_count(event->own),
		ksr_cell_count(event->spread),
		ksr_cell_count(event->pulled),
		ksr_cell_count(event->only_first),
		ksr_cell_count(event->only_second),
		moment ? ksr_cell_count(number) : none,
		ksr_cell_text(kind_of(moment)),
		moment ? ksr_cell_count(moment->depth) : none,
		ksr_cell_text(name),
		ksr_cell_text(has_healed ? healed : NULL),
		ksr_cell_text(first ? address : NULL),
		ksr_cell_text(event->first_page ? class_text(event->first_class) : NULL),
		text[0] ? ksr_cell_sentence(text) : none,
	};

	ksr_emitter_row(emitter, cells);
}

/* All events that are not in the list, as one line. */
static void emit_others(const struct ksr_events *events, const uint32_t *shown, size_t count,
			struct ksr_emitter *emitter)
{
	struct ksr_cell none = {.kind = KSR_CELL_NONE};
	struct ksr_event sum = {0};
	uint64_t others = 0;
	char name[64];
	size_t next = 0;

	for (uint32_t i = 0; i + 1 < events->count; i++) {
		const struct ksr_event *event = &events->list[i];

		if (next < count && shown[next] == i) {
			next++;
			continue;
		}
		others++;
		sum.both += event->both;
		sum.equal += event->equal;
		sum.own += event->own;
		sum.spread += event->spread;
		sum.pulled += event->pulled;
		sum.only_first += event->only_first;
		sum.only_second += event->only_second;
	}
	if (others == 0)
		return;
	snprintf(name, sizeof(name), "(%" PRIu64 " other event%s)", others, others == 1 ? "" : "s");
	struct ksr_cell cells[] = {
		ksr_cell_count(sum.both),
		ksr_cell_count(sum.equal),
		ksr_cell_percent(sum.equal, sum.both),
		ksr_cell_count(sum.own),
		ksr_cell_count(sum.spread),
		ksr_cell_count(sum.pulled),
		ksr_cell_count(sum.only_first),
		ksr_cell_count(sum.only_second),
		none,
		ksr_cell_text("others"),
		none,
		ksr_cell_text(name),
		none,
		none,
		none,
		none,
	};

	ksr_emitter_row(emitter, cells);
}

/* What each of the processes passed where the other one passed something else. */
static void note_parted(const struct ksr_events *events, struct ksr_emitter *emitter)
{
	char names[2][KSR_EVENT_NAME_BYTES];

	if (ksr_events_parted(events, names))
		ksr_emitter_note(emitter,
				 "Both passed the same %u events; then the first passed %s, the "
				 "second %s.",
				 events->common - 1, names[0], names[1]);
	if (events->histories[0].lost || events->histories[1].lost)
		ksr_emitter_note(emitter,
				 "There were more events than a process keeps: memory that "
				 "was taken later counts for an earlier one, or for none.");
}

void ksr_diff_render_events(const struct ksr_diff *diff, struct ksr_diff_names *names, uint64_t top,
			    struct ksr_emitter *emitter)
{
	const struct ksr_events *events = diff->events;
	size_t count;
	uint32_t *worst = ksr_events_worst(events, (size_t)top, &count);

	ksr_emitter_table_begin(emitter, "events", columns, KSM_COUNT_OF(columns));
	for (size_t i = 0; i < count; i++)
		emit(diff, names, worst[i], emitter);
	if (worst) {
		emit_others(events, worst, count, emitter);
		emit(diff, names, events->count - 1, emitter);
	}
	ksr_emitter_table_end(emitter);
	if (events)
		note_parted(events, emitter);
	free(worst);
}
