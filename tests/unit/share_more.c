/* SPDX-License-Identifier: BSD-2-Clause */
/* More of share: what is mapped over without being shared, and pages of other files. */
#include "share_memory.h"

#include <sys/resource.h>

TestSuite(share_more, .init = setup, .timeout = KSM_CASE_SECONDS);

Test(share_more, untouched_pages_are_mapped_over_where_the_file_has_none)
{
	uint32_t of_file;

	for (uint32_t first = 0; first <= 200; first += first ? 140 : 60) {
		touch(first, 10);
		store(first, 10);
	}
	seal();
	for (uint32_t turn = 0; turn < 2; turn++) {
		cr_assert_eq(share(0), 0);
		cr_assert_eq(slices[0].gained, turn ? 0 : 30);
		cr_assert_eq(slices[0].shared, 30, "what neither has is not shared");
		cr_assert_eq(slices[0].carried, 0);
	}
	count_mappings(&of_file);
	cr_assert_eq(of_file, 2, "some are mapped over, many are left out");
	cr_assert(ksm_share_has(&slices[0].mapped, 30));
	cr_assert_not(ksm_share_has(&slices[0].mapped, 100));
	cr_assert_eq(count_kind('-', 10, 50), 50);
	touch(30, 1);
	expect_zeros(10, 20);
	expect_usual(30, 1);
	expect_zeros(31, 29);
	expect_usual(60, 10);
}

/* Pages of which nothing else is wanted. */
static void want_only(uint32_t first, uint32_t pages)
{
	store(first, pages);
	for (uint32_t i = first; i < first + pages; i++)
		ksm_share_add(&slices[0].wanted, i);
}

Test(share_more, fewer_pages_are_enough_where_other_mappings_begin_and_end)
{
	touch(0, PAGES);
	memset(&slices[0].wanted, 0, sizeof(slices[0].wanted));
	want_only(10, 1);
	ksm_share_add(&slices[0].begins, 10);
	ksm_share_add(&slices[0].ends, 10);
	want_only(20, 2);
	ksm_share_add(&slices[0].begins, 20);
	want_only(30, 2);
	ksm_share_add(&slices[0].ends, 31);
	want_only(40, 1);
	ksm_share_add(&slices[0].begins, 40);
	want_only(50, KSM_SHARE_LEAST - 1);
	/* In the midst of a stretch it is neither. */
	ksm_share_add(&slices[0].begins, 51);
	ksm_share_add(&slices[0].ends, 51);
	seal();
	cr_assert_eq(share(0), 0);
	cr_assert_eq(slices[0].mappings, 3);
	cr_assert_eq(slices[0].gained, 5);
	cr_assert(ksm_share_has(&slices[0].mapped, 10) && ksm_share_has(&slices[0].mapped, 21) &&
		  ksm_share_has(&slices[0].mapped, 30));
	expect_usual(0, PAGES);
}

/* It would be each process's own, for nothing. */
Test(share_more, the_work_keeps_no_memory_when_it_is_closed)
{
	const size_t bytes = (size_t)(work.saved - (unsigned char *)work.entries) + KSM_SHARE_SLICE;
	static unsigned char there[2 * KSM_SHARE_PAGES];

	touch(0, PAGES);
	store(0, PAGES);
	seal();
	page_at(9)[0] ^= 1;
	cr_assert_eq(share(0), 0);
	cr_assert_eq(slices[0].gained, PAGES - 1);
	ksm_share_close(&work);
	cr_assert_eq(mincore(work.entries, bytes, there), 0);
	for (size_t i = 0; i < bytes >> KSM_PAGE_SHIFT; i++)
		cr_assert_eq(there[i] & 1, 0, "page %zu", i);
}

static uint64_t pages_of_file(void)
{
	struct ksm_os_file facts;

	cr_assert_eq(ksm_os_describe_file(file.descriptor, &facts), 0);
	return facts.memory >> KSM_PAGE_SHIFT;
}

/* Eight pages of which the file has the first ones, again and again. */
static void alternate(uint32_t stored)
{
	touch(0, PAGES);
	for (uint32_t first = 0; first < PAGES; first += 8)
		store(first, stored);
	seal();
	cr_assert_eq(share(0), 0);
	expect_usual(0, PAGES);
}

Test(share_more, what_is_carried_over_where_the_file_has_holes_gives_the_file_no_pages)
{
	uint32_t of_file;
	int filler = ksm_os_open_filler();

	if (filler < 0)
		cr_skip_test("there is no userfaultfd here");
	close(filler);
	alternate(1);
	cr_assert_eq(slices[0].gained, PAGES / 8);
	cr_assert_eq(slices[0].carried, PAGES - PAGES / 8 - 7);
	cr_assert_eq(pages_of_file(), PAGES / 8);
	cr_assert_eq(count_mappings(&of_file), 2, "the file's, and that of all slices behind it");
	cr_assert_eq(of_file, 1);
	cr_assert_eq(count_kind('o', 0, PAGES), PAGES - PAGES / 8);
	/* Nobody is told of what is touched later. */
	memset(page_at(1), 7, KSM_PAGE);
	cr_assert_eq(madvise(page_at(2), KSM_PAGE, MADV_DONTNEED), 0);
	expect_zeros(2, 1);
	ksm_share_close(&work);
	cr_assert_lt(work.filler, 0);
}

Test(share_more, without_that_the_file_grows_by_less_than_is_shared)
{
	ksm_os_stop_filling();
	cr_assert_lt(ksm_os_open_filler(), 0);
	alternate(6);
	cr_assert_eq(slices[0].gained, 6 * PAGES / 8);
	cr_assert_leq(pages_of_file(), PAGES - 2);
}

Test(share_more, without_that_what_has_too_many_holes_is_not_shared)
{
	ksm_os_stop_filling();
	alternate(4);
	cr_assert_eq(slices[0].gained, 0);
	cr_assert_eq(pages_of_file(), PAGES / 2);
}

Test(share_more, without_that_long_rows_of_holes_are_left_out)
{
	uint32_t of_file;

	ksm_os_stop_filling();
	touch(0, PAGES);
	store(0, 100);
	store(110, 100);
	store(214, 100);
	seal();
	cr_assert_eq(share(0), 0);
	expect_usual(0, PAGES);
	cr_assert_eq(slices[0].gained, 300);
	cr_assert_eq(pages_of_file(), 304, "but not of four");
	count_mappings(&of_file);
	cr_assert_eq(of_file, 2);
}

/* All descriptors that the process may have are in use, for a while. */
Test(share_more, without_a_descriptor_for_that_neither)
{
	struct rlimit limit, before;
	int next = ksm_os_open_filler();

	if (next < 0)
		cr_skip_test("there is no userfaultfd here");
	close(next);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)next;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(ksm_os_open_filler(), -EMFILE);
	alternate(4);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	cr_assert_eq(slices[0].gained, 0);
	cr_assert_eq(pages_of_file(), PAGES / 2);
	/* It is asked again in the next step, and then there is one. */
	ksm_share_close(&work);
	cr_assert_eq(ksm_share_open(&work), 0);
	cr_assert_eq(share(0), 0);
	cr_assert_eq(slices[0].gained, PAGES / 2);
	cr_assert_eq(pages_of_file(), PAGES / 2);
	expect_usual(0, PAGES);
}

/* As the loader leaves a data segment: some pages were written to, and some of these are protected afterwards. */
Test(share_more, of_other_files_only_what_was_written_to_is_shared)
{
	int other = ksm_os_create_store("other");
	uint32_t of_file;

	cr_assert_eq(ksm_os_set_length(other, KSM_SHARE_SLICE), 0);
	cr_assert_eq(mmap(memory, KSM_SHARE_SLICE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, other, 0), memory);
	touch(160, 10);
	cr_assert_eq(pwrite(other, page_at(160), 10 * KSM_PAGE, 160 * KSM_PAGE), 10 * KSM_PAGE);
	cr_assert_eq(madvise(page_at(160), 10 * KSM_PAGE, MADV_DONTNEED), 0);
	expect_usual(160, 10);
	touch(0, 50);
	touch(100, 50);
	store(0, PAGES);
	seal();
	page_at(20)[5] ^= 1;
	cr_assert_eq(mprotect(memory, 40 * KSM_PAGE, PROT_READ), 0);
	ksm_share_add_range(&slices[0].of_file, slices[0].address, slices[0].address, slices[0].address + KSM_SHARE_SLICE);
	ksm_share_add_range(&slices[0].read_only, slices[0].address, slices[0].address,
			    slices[0].address + 40 * KSM_PAGE);
	cr_assert_eq(share(0), 0);
	cr_assert_eq(slices[0].gained, 99);
	cr_assert_eq(slices[0].carried, 0, "what may be read only is not written to");
	cr_assert_eq(slices[0].mappings, 4);
	count_mappings(&of_file);
	cr_assert_eq(of_file, 4);
	for (uint32_t i = 0; i < PAGES; i++)
		cr_assert_eq(ksm_share_has(&slices[0].mapped, i), (i < 50 && i != 20) || (i >= 100 && i < 150), "page %u", i);
	expect_usual(0, 20);
	expect_zeros(50, 50);
	expect_usual(100, 50);
	expect_zeros(150, 10);
	expect_usual(160, 10);
	/* The kernel says so by an error where a program would end. */
	cr_assert_eq(pread(file.descriptor, page_at(3), 1, 0), -1);
	cr_assert_eq(pread(file.descriptor, page_at(45), 1, 45 * KSM_PAGE), 1);
	expect_usual(45, 1);
}

Test(share_more, pages_that_a_file_has_with_the_same_content)
{
	struct ksm_share_set pages = { 0 }, equal;
	uint32_t expected = 0;

	touch(0, 100);
	store(10, 60);
	page_at(20)[5] ^= 1;
	page_at(69)[KSM_PAGE - 1] ^= 1;
	ksm_share_add_range(&pages, (uintptr_t)memory, (uintptr_t)page_at(5), (uintptr_t)page_at(90));
	ksm_share_remove(&pages, 40);
	cr_assert_eq(ksm_share_find_equal(&file, &work, (uintptr_t)memory, 0, &pages, &equal), 0);
	for (uint32_t page = 0; page < PAGES; page++) {
		bool is_equal = page >= 10 && page < 70 && page != 20 && page != 69 && page != 40;

		cr_assert_eq(ksm_share_has(&equal, page), is_equal, "page %u", page);
		expected += is_equal;
	}
	cr_assert_eq(ksm_share_count(&equal), expected);
}
