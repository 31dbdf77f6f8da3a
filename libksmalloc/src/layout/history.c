/* SPDX-License-Identifier: BSD-2-Clause */
#include "layout/history.h"

#include "segment/hint.h"
#include "layout/layout.h"
#include "os/os.h"
#include "layout/stream.h"

#include <string.h>

static_assert(sizeof(struct ksmalloc_event) == 64, "an event is a line of the cache");
static_assert(KSM_STREAMS <= UINT16_MAX, "a number fits its field");

/* Synchronization: written once, before there is a second thread. */
static struct ksmalloc_history *history;

void ksm_history_init(void)
{
	void *memory;

	if (!ksm_layout_is_shared() || ksm_os_map(&memory, sizeof(*history), true) != 0)
		return;
	if (ksm_hint_covers_process())
		ksm_hint_exempt(memory, sizeof(*history));
	history = memory;
	memcpy(history->magic, KSMALLOC_HISTORY_MAGIC, sizeof(history->magic));
	history->stride = sizeof(history->events[0]);
	history->capacity = KSMALLOC_HISTORY_EVENTS;
}

const struct ksmalloc_history *ksm_history(void)
{
	return history;
}

static uint32_t count_events(void)
{
	return (uint32_t)ksm_min(__atomic_load_n(&history->count, __ATOMIC_RELAXED),
				 KSMALLOC_HISTORY_EVENTS);
}

/* A place for an event, filled in but for its kind and what is the kind's own. NULL: there is none. */
static struct ksmalloc_event *begin_event(uint32_t number, uint32_t depth)
{
	struct ksmalloc_event *event;
	uint32_t index;

	/* The count stays near the capacity, however many come after, but goes beyond it. */
	if (!history || __atomic_load_n(&history->count, __ATOMIC_RELAXED) > KSMALLOC_HISTORY_EVENTS)
		return NULL;
	index = __atomic_fetch_add(&history->count, 1, __ATOMIC_RELAXED);
	if (index >= KSMALLOC_HISTORY_EVENTS)
		return NULL;
	event = &history->events[index];
	event->number = (uint16_t)number;
	event->thread = (uint16_t)ksm_min(ksm_stream_ordinal(), UINT16_MAX);
	event->depth = (uint16_t)depth;
	return event;
}

static void end_event(struct ksmalloc_event *event, enum ksmalloc_event_kind kind)
{
	__atomic_store_n(&event->kind, (uint16_t)kind, __ATOMIC_RELEASE);
}

static bool is_text(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)name[i] < ' ' || name[i] == 127)
			return false;
	}
	return true;
}

/* The end of the name, from the beginning of a component on if one fits. */
static void put_name(char to[KSMALLOC_HISTORY_NAME], const char *name, size_t length)
{
	const size_t most = KSMALLOC_HISTORY_NAME - 1;

	if (!is_text(name, length))
		return;
	if (length > most) {
		const char *end = name + length;
		const char *slash = memchr(end - most - 1, '/', most);

		name = slash ? slash + 1 : end - most;
		length = (size_t)(end - name);
	}
	memcpy(to, name, length);
}

void ksm_history_add_anchor(uint64_t hash, uint32_t stream, const char *name, size_t length)
{
	struct ksmalloc_event *event = begin_event(stream, ksm_stream_depth());

	if (!event)
		return;
	event->hash = hash;
	put_name(event->name, name, length);
	end_event(event, KSMALLOC_EVENT_ANCHOR);
}

void ksm_history_add_fork(void)
{
	struct ksmalloc_event *event = begin_event(0, ksm_stream_depth_of_child());

	if (!event)
		return;
	/* Its thread is the first one of the child's depth. */
	event->thread = 0;
	end_event(event, KSMALLOC_EVENT_FORK);
}

/*
 * Memory right behind what the same arena or stream has taken since the last anchor belongs to the
 * same event: a large heap would else be thousands of them.
 */
static bool extend(enum ksmalloc_event_kind kind, uint32_t number, uint64_t begin, size_t length)
{
	for (uint32_t i = count_events(); i-- > 0;) {
		struct ksmalloc_event *event = &history->events[i];
		uint16_t found = __atomic_load_n(&event->kind, __ATOMIC_ACQUIRE);
		uint64_t end = begin;

		if (found != KSMALLOC_EVENT_BLOCKS && found != KSMALLOC_EVENT_OBJECTS)
			return false;
		if (found == kind && event->number == number)
			return __atomic_compare_exchange_n(&event->end, &end, begin + length, false,
							   __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
	return false;
}

void ksm_history_add_memory(enum ksmalloc_event_kind kind, uint32_t number, uintptr_t begin,
			    size_t length)
{
	struct ksmalloc_event *event;

	if (!history || extend(kind, number, begin, length))
		return;
	event = begin_event(number, ksm_stream_depth());
	if (!event)
		return;
	event->begin = begin;
	event->end = begin + length;
	end_event(event, kind);
}
