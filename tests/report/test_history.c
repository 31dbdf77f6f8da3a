/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process tells of its history: which moment an address belongs to, and bytes that lie. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "read/history.h"

static struct ksmalloc_history *data;
static struct ksr_history history;

static void add(struct ksmalloc_event event)
{
	data->events[data->count++] = event;
}

static void take(enum ksmalloc_event_kind kind, uint16_t thread, uint64_t begin, uint64_t end)
{
	add((struct ksmalloc_event){
		.kind = (uint16_t)kind, .thread = thread, .begin = begin, .end = end});
}

static void start(void)
{
	data = calloc(1, sizeof(*data));
	cr_assert_not_null(data);
	memcpy(data->magic, KSMALLOC_HISTORY_MAGIC, sizeof(data->magic));
	data->stride = sizeof(data->events[0]);
	data->capacity = KSMALLOC_HISTORY_EVENTS;
	take(KSMALLOC_EVENT_BLOCKS, 0, 0x10000, 0x20000);
	add((struct ksmalloc_event){.kind = KSMALLOC_EVENT_ANCHOR, .hash = 1, .name = "one"});
	take(KSMALLOC_EVENT_OBJECTS, 0, 0x80000, 0x90000);
	take(KSMALLOC_EVENT_BLOCKS, 2, 0x30000, 0x40000);
	add((struct ksmalloc_event){.kind = KSMALLOC_EVENT_FORK, .depth = 1});
	take(KSMALLOC_EVENT_BLOCKS, 0, 0x20000, 0x30000);
}

static void end(void)
{
	ksr_history_free(&history);
	free(data);
}

static int parse(size_t size)
{
	return ksr_history_parse(data, size, &history);
}

static uint32_t moment_at(uint64_t address)
{
	const struct ksr_taken *taken = ksr_history_find(&history, address);

	return taken ? taken->moment : UINT32_MAX;
}

Test(history, test_find_the_moment_of_an_address, .init = start, .fini = end)
{
	cr_assert_eq(parse(sizeof(*data)), 0);
	cr_assert_eq(history.moment_count, 4);
	cr_assert_eq(history.moments[0].kind, KSR_MOMENT_START);
	cr_assert_eq(history.moments[1].kind, KSR_MOMENT_ANCHOR);
	cr_assert_str_eq(history.moments[1].name, "one");
	cr_assert_eq(history.moments[2].kind, KSR_MOMENT_FORK);
	cr_assert_eq(history.moments[3].kind, KSR_MOMENT_THREADS);
	cr_assert_eq(moment_at(0xffff), UINT32_MAX);
	cr_assert_eq(moment_at(0x10000), 0);
	cr_assert_eq(moment_at(0x1ffff), 0);
	cr_assert_eq(moment_at(0x20000), 2);
	/* A thread took it between the anchor and the fork, but not because of either. */
	cr_assert_eq(moment_at(0x30000), 3);
	cr_assert_eq(moment_at(0x40000), UINT32_MAX);
	cr_assert_eq(moment_at(0x80000), 1);
	cr_assert(ksr_history_find(&history, 0x80000)->is_objects);
	cr_assert_eq(moment_at(UINT64_MAX), UINT32_MAX);
}

Test(history, test_match_by_hash_and_depth, .init = start, .fini = end)
{
	struct ksr_moment moment = {.kind = KSR_MOMENT_ANCHOR, .hash = 1};

	cr_assert_eq(parse(sizeof(*data)), 0);
	cr_assert_eq(ksr_history_match(&history, &moment), 1);
	moment.depth = 1;
	cr_assert_eq(ksr_history_match(&history, &moment), UINT32_MAX);
}

Test(history, test_parse_each_truncation, .init = start, .fini = end)
{
	size_t size = offsetof(struct ksmalloc_history, events) + 7 * sizeof(data->events[0]);

	for (size_t i = 0; i < size; i++) {
		/* A copy of the exact size lets a sanitizer see each read past its end. */
		void *copy = malloc(i ? i : 1);
		int error;

		memcpy(copy, data, i);
		error = ksr_history_parse(copy, i, &history);
		cr_assert_eq(error, i < offsetof(struct ksmalloc_history, events) ? -EINVAL : 0);
		ksr_history_free(&history);
		free(copy);
	}
}

Test(history, test_parse_refuses_what_is_none, .init = start, .fini = end)
{
	data->stride = sizeof(data->events[0]) - 1;
	cr_assert_eq(parse(sizeof(*data)), -EINVAL);
	data->stride = UINT32_MAX;
	cr_assert_eq(parse(sizeof(*data)), -EINVAL);
	data->stride = sizeof(data->events[0]);
	data->magic[0] = 'X';
	cr_assert_eq(parse(sizeof(*data)), -EINVAL);
}

Test(history, test_parse_events_that_lie, .init = start, .fini = end)
{
	/* More than there are, unknown kinds, memory that ends before it begins or overlaps. */
	take(KSMALLOC_EVENT_BLOCKS, 0, 0x50000, 0x50000);
	take(KSMALLOC_EVENT_BLOCKS, 0, UINT64_MAX, 0);
	take(KSMALLOC_EVENT_BLOCKS, UINT16_MAX, 0x10000, UINT64_MAX);
	add((struct ksmalloc_event){.kind = 77, .begin = 1, .end = UINT64_MAX});
	add((struct ksmalloc_event){.kind = KSMALLOC_EVENT_BLOCKS, .thread = 1, .depth = UINT16_MAX,
				    .begin = 1, .end = 2});
	memset(data->events[1].name, 'x', sizeof(data->events[1].name));
	data->count = UINT32_MAX;
	cr_assert_eq(parse(sizeof(*data)), 0);
	cr_assert_eq(history.lost, UINT32_MAX - KSMALLOC_HISTORY_EVENTS);
	cr_assert_eq(strlen(history.moments[1].name), KSMALLOC_HISTORY_NAME - 1);
	for (uint64_t address = 0; address < 0x100000; address += 0x1000)
		cr_assert(moment_at(address) < history.moment_count ||
			  moment_at(address) == UINT32_MAX);
}
