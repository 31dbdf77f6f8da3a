/* SPDX-License-Identifier: BSD-2-Clause */
/* Members that mark one slice at the same moment lose none of their marks. */
#include "store/mark.h"
#include "store_members.h"

#include <errno.h>

#define ROWS 50u

TestSuite(store_marks, .init = setup, .fini = teardown, .timeout = KSM_CASE_SECONDS);

/* Marks each page of one half of each slice by itself; what was found to be another member's. */
static uint32_t mark_pages(uint32_t first, uint32_t pages)
{
	uint32_t found = 0;

	for (uint32_t row = 0; row < ROWS; row++) {
		const struct ksm_share_slice slice = { .address = (uintptr_t)memory, .place = row * KSM_SHARE_SLICE };

		for (uint32_t page = first; page < first + pages; page++) {
			struct ksm_share_set set = { 0 }, common;

			ksm_share_add(&set, page);
			if (ksm_store_mark(&store, &slice, &set, &common) != 0)
				return UINT32_MAX;
			found += ksm_share_count(&common);
		}
	}
	return found;
}

static uint32_t mark_in_child(uint32_t first, int ready)
{
	char byte;

	if (ksm_store_enter(&store) != 0 || read(ready, &byte, 1) != 0 ||
	    mark_pages(first, KSM_SHARE_PAGES / 2) != 0)
		_exit(1);
	_exit(0);
}

Test(store_marks, marks_that_several_write_at_a_time_are_there)
{
	int ready[2], status;
	pid_t pids[2];

	cr_assert_eq(ksm_store_enter(&store), 0);
	ksm_store_leave(&store);
	cr_assert_eq(pipe(ready), 0);
	for (uint32_t i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			close(ready[1]);
			mark_in_child(i * KSM_SHARE_PAGES / 2, ready[0]);
		}
	}
	close(ready[1]);
	for (uint32_t i = 0; i < 2; i++) {
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_assert_eq(status, 0);
	}
	cr_assert_eq(ksm_store_enter(&store), 0);
	/* Who is kept from running while it has a row locked is not waited for: then a row's marks are lost, not those of most. */
	cr_assert_geq(mark_pages(0, KSM_SHARE_PAGES), ROWS * KSM_SHARE_PAGES * 8 / 10);
}

Test(store_marks, a_row_that_somebody_keeps_locked_is_written_all_the_same)
{
	struct ksm_share_set pages = { 0 }, common;
	const struct ksm_share_slice slice = { .address = (uintptr_t)memory };
	int other;

	cr_assert_eq(ksm_store_enter(&store), 0);
	other = ksm_os_open_table(store.path);
	cr_assert_eq(ksm_os_try_lock_part(other, 0, INT64_MAX), 0);
	cr_assert_eq(ksm_os_try_lock_part(store.table, 0, 1), -EAGAIN);
	ksm_share_add(&pages, 7);
	cr_assert_eq(ksm_store_mark(&store, &slice, &pages, &common), 0);
	cr_assert_eq(ksm_share_count(&common), 0);
	store.tag ^= 1;
	cr_assert_eq(ksm_store_mark(&store, &slice, &pages, &common), 0);
	cr_assert(ksm_share_has(&common, 7));
	close(other);
	cr_assert_eq(ksm_os_try_lock_part(store.table, 0, 1), 0, "what was locked by nobody but the other one is free");
}
