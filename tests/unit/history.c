/* SPDX-License-Identifier: BSD-2-Clause */
#include "layout/history.h"

#include "layout/layout.h"
#include "layout/stream.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct ksmalloc_history *history;

static void start(void)
{
	extern bool ksm_layout_shared;

	ksm_layout_shared = true;
	ksm_history_init();
	history = ksm_history();
	cr_assert_not_null(history);
}

static const char *name_of(const char *name)
{
	ksm_history_add_anchor(1, 0, name, strlen(name));
	return history->events[history->count - 1].name;
}

Test(history, test_init_private_layout_has_none)
{
	ksm_history_init();
	cr_assert_null(ksm_history());
	/* And what is told then is nobody's. */
	ksm_history_add_anchor(1, 0, "a", 1);
	ksm_history_add_fork();
	ksm_history_add_memory(KSMALLOC_EVENT_BLOCKS, 0, 4096, 4096);
}

Test(history, test_add_anchor_keeps_last_components, .init = start)
{
	char last[200] = "/folder/";
	const char *found;

	cr_assert_str_eq(name_of("/etc/file"), "/etc/file");
	cr_assert_str_eq(name_of("1234567890123456789012345678901234567890123456/"),
			 "1234567890123456789012345678901234567890123456/");
	cr_assert_str_eq(name_of("/a/first/folder/with/name/a/name/json/__pycache__/decoder.cpython-311.pyc"),
			 "a/name/json/__pycache__/decoder.cpython-311.pyc");
	/* A component that begins right where the room does is whole. */
	memset(last + 8, 'x', KSMALLOC_HISTORY_NAME - 1);
	cr_assert_str_eq(name_of(last), last + 8);
	/* Of one that is longer the end is kept. */
	memset(last + 8, 'y', 100);
	found = name_of(last);
	cr_assert_eq(strlen(found), KSMALLOC_HISTORY_NAME - 1);
	cr_assert_str_eq(found, last + 108 - (KSMALLOC_HISTORY_NAME - 1));
}

Test(history, test_add_anchor_keeps_no_name_that_is_no_text, .init = start)
{
	ksm_history_add_anchor(7, 3, "a\0b", 3);
	cr_assert_eq(history->events[0].kind, KSMALLOC_EVENT_ANCHOR);
	cr_assert_eq(history->events[0].hash, 7);
	cr_assert_eq(history->events[0].number, 3);
	cr_assert_str_empty(history->events[0].name);
	cr_assert_str_empty(name_of("\033[31m"));
	cr_assert_str_empty(name_of("a\177"));
	cr_assert_str_eq(name_of("/h\303\244user"), "/h\303\244user", "letters of any language are text");
}

Test(history, test_add_memory_joins_neighbours_until_the_next_anchor, .init = start)
{
	ksm_history_add_memory(KSMALLOC_EVENT_BLOCKS, 5, 0x10000, 0x1000);
	ksm_history_add_memory(KSMALLOC_EVENT_OBJECTS, 5, 0x80000, 0x1000);
	ksm_history_add_memory(KSMALLOC_EVENT_BLOCKS, 5, 0x11000, 0x1000);
	cr_assert_eq(history->count, 2);
	cr_assert_eq(history->events[0].end, 0x12000);
	cr_assert_eq(history->events[1].end, 0x81000);
	/* Behind a gap, or of another arena. */
	ksm_history_add_memory(KSMALLOC_EVENT_BLOCKS, 5, 0x20000, 0x1000);
	ksm_history_add_memory(KSMALLOC_EVENT_BLOCKS, 6, 0x21000, 0x1000);
	cr_assert_eq(history->count, 4);
	ksm_history_add_anchor(1, 0, "file", 4);
	ksm_history_add_memory(KSMALLOC_EVENT_BLOCKS, 6, 0x22000, 0x1000);
	cr_assert_eq(history->count, 6);
	cr_assert_eq(history->events[3].end, 0x22000);
	cr_assert_eq(history->events[5].begin, 0x22000);
}

/* A fork is told before there is a child, as the first event of it. */
Test(history, test_add_tells_thread_and_depth, .init = start)
{
	ksm_stream_start_thread(3);
	ksm_history_add_anchor(1, 0, "a", 1);
	ksm_history_add_fork();
	ksm_history_add_memory(KSMALLOC_EVENT_BLOCKS, 0, 4096, 4096);
	cr_assert_eq(history->events[0].thread, 3);
	cr_assert_eq(history->events[0].depth, 0);
	cr_assert_eq(history->events[1].kind, KSMALLOC_EVENT_FORK);
	cr_assert_eq(history->events[1].thread, 0);
	cr_assert_eq(history->events[1].depth, 1);
	cr_assert_eq(history->events[2].thread, 3);
	ksm_stream_enter_child();
	ksm_history_add_anchor(1, 0, "b", 1);
	cr_assert_eq(history->events[3].thread, 0);
	cr_assert_eq(history->events[3].depth, 1);
}

Test(history, test_add_beyond_capacity_keeps_the_first, .init = start)
{
	for (uint64_t i = 0; i < KSMALLOC_HISTORY_EVENTS + 10; i++)
		ksm_history_add_anchor(i, 0, "x", 1);
	/* The reader has to know that there were more. */
	cr_assert_eq(history->count, KSMALLOC_HISTORY_EVENTS + 1);
	cr_assert_eq(history->events[KSMALLOC_HISTORY_EVENTS - 1].hash, KSMALLOC_HISTORY_EVENTS - 1);
}
