/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is given back reads as zeros, whatever of it is mapped from a file. */
#include "store/apart.h"
#include "store/shared.h"

#include "layout/span.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/single_threaded.h>
#include <unistd.h>

#define PAGES KSM_SHARE_PAGES

static unsigned char *memory;
static uint32_t introduced;

static void introduce(void *addr, size_t length)
{
	(void)addr;
	(void)length;
	introduced++;
}

/* A slice of the span; the pages from 100 to 300, and each eighth one behind them, are mapped from a file of ones. */
static void setup(void)
{
	struct ksm_share_set mapped = { 0 };
	static unsigned char ones[KSM_PAGE];
	int file = ksm_os_create_store("test");
	size_t length;

	ksm_span_init((void *)UINTPTR_MAX);
	memory = (unsigned char *)ksm_align_up(ksm_span_upper_half(&length), KSM_SHARE_SLICE);
	/* As jemalloc does. */
	cr_assert_eq(ksm_os_map_place(memory, 2 * KSM_SHARE_SLICE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE), 0);
	memset(memory, 2, 2 * KSM_SHARE_SLICE);
	memset(ones, 1, sizeof(ones));
	for (uint32_t i = 0; i < PAGES; i++)
		cr_assert_eq(pwrite(file, ones, KSM_PAGE, (off_t)(i * KSM_PAGE)), (ssize_t)KSM_PAGE);
	for (uint32_t i = 100; i < PAGES; i++) {
		if (i >= 300 && i % 8)
			continue;
		cr_assert_eq(ksm_os_map_store(memory + i * KSM_PAGE, KSM_PAGE, file, i * KSM_PAGE), 0);
		ksm_share_add(&mapped, i);
	}
	ksm_shared_init(introduce, NULL);
	cr_assert_not(ksm_shared_is_any());
	ksm_shared_add(ksm_shared_find((uintptr_t)memory, true), 1, &mapped);
	cr_assert(ksm_shared_is_any());
}

TestSuite(shared, .init = setup, .timeout = KSM_CASE_SECONDS);

static void expect(uint32_t page, uint32_t pages, unsigned char value)
{
	for (size_t i = page * KSM_PAGE; i < (page + pages) * KSM_PAGE; i++)
		cr_assert_eq(memory[i], value, "page %zu has %u", i / KSM_PAGE, memory[i]);
}

static int give_back(uint32_t page, uint32_t pages)
{
	int error;

	errno = 99;
	error = ksm_shared_give_back(memory + page * KSM_PAGE, pages * KSM_PAGE, MADV_DONTNEED);
	cr_assert_eq(errno, 99);
	return error;
}

Test(shared, all_kinds_of_pages_read_as_zeros)
{
	cr_assert_eq(give_back(50, 400), 0);
	expect(0, 50, 2);
	expect(50, 400, 0);
	expect(449, 1, 0);
	expect(456, 1, 1);
	cr_assert_eq(introduced, 1, "single pages are overwritten, and cut no mapping");
}

Test(shared, a_part_of_a_run_leaves_the_rest)
{
	cr_assert_eq(give_back(150, 20), 0);
	expect(100, 50, 1);
	expect(150, 20, 0);
	expect(170, 130, 1);
	/* What was replaced is memory like any other. */
	memset(memory + 150 * KSM_PAGE, 3, 20 * KSM_PAGE);
	introduced = 0;
	cr_assert_eq(give_back(150, 20), 0);
	expect(150, 20, 0);
	cr_assert_eq(introduced, 0);
}

Test(shared, what_was_written_is_given_back_too)
{
	memset(memory + 100 * KSM_PAGE, 3, 100 * KSM_PAGE);
	cr_assert_eq(give_back(100, 5), 0);
	cr_assert_eq(give_back(110, 50), 0);
	expect(100, 5, 0);
	expect(105, 5, 3);
	expect(110, 50, 0);
	expect(160, 40, 3);
}

Test(shared, a_range_over_many_slices)
{
	cr_assert_eq(give_back(0, 2 * PAGES), 0);
	expect(0, 2 * PAGES, 0);
}

Test(shared, what_is_left_or_kept_out_keeps_its_content)
{
	const struct ksm_share_set none = { { 0 } };

	/* The framework had threads in this process's parent. */
	__libc_single_threaded = 1;
	memset(memory + 110 * KSM_PAGE, 3, KSM_PAGE);
	ksm_apart_keep_out(memory + 105 * KSM_PAGE, 10 * KSM_PAGE);
	ksm_shared_leave(memory + 105 * KSM_PAGE, 10 * KSM_PAGE);
	cr_assert(ksm_apart_is_kept_out(memory, KSM_SHARE_SLICE));
	cr_assert_not(ksm_apart_is_kept_out(memory + KSM_SHARE_SLICE, KSM_SHARE_SLICE));
	cr_assert_eq(madvise(memory + 105 * KSM_PAGE, 10 * KSM_PAGE, MADV_WIPEONFORK), 0, "it is anonymous now");
	cr_assert_neq(madvise(memory + 115 * KSM_PAGE, KSM_PAGE, MADV_WIPEONFORK), 0);
	ksm_shared_leave_layer((uintptr_t)memory, ksm_shared_find((uintptr_t)memory, false), 1, &none);
	cr_assert_eq(madvise(memory + 100 * KSM_PAGE, 200 * KSM_PAGE, MADV_WIPEONFORK), 0);
	expect(100, 10, 1);
	expect(110, 1, 3);
	expect(111, 189, 1);
	expect(304, 1, 1);
	introduced = 0;
	cr_assert_eq(give_back(100, 200), 0);
	expect(100, 200, 0);
	cr_assert_eq(introduced, 0);
}

/* The file has ones behind those pages, too. */
Test(shared, what_is_moved_is_anonymous_and_what_is_behind_it_zeros)
{
	unsigned char *moved;

	__libc_single_threaded = 1;
	memset(memory + 150 * KSM_PAGE, 3, KSM_PAGE);
	moved = ksm_shared_mremap_raw(memory + 90 * KSM_PAGE, 100 * KSM_PAGE, 150 * KSM_PAGE, MREMAP_MAYMOVE, NULL);
	cr_assert_neq((void *)moved, MAP_FAILED, "it was one mapping for the program");
	for (size_t i = 0; i < 150 * KSM_PAGE; i++) {
		size_t page = i / KSM_PAGE;

		cr_assert_eq(moved[i], page == 60 ? 3 : page < 10 ? 2 : page < 100 ? 1 : 0, "page %zu has %u", page,
			     moved[i]);
	}
	expect(190, 110, 1);
	cr_assert_not(ksm_apart_is_kept_out(memory, KSM_SHARE_SLICE));
	cr_assert_eq(give_back(90, 100), -ENOMEM, "nothing may be mapped where memory was moved from");
}

/* Others may write to it meanwhile, also where it may be moved. */
Test(shared, what_becomes_shorter_is_not_copied)
{
	unsigned char *left;

	__libc_single_threaded = 1;
	left = ksm_shared_mremap_raw(memory + 90 * KSM_PAGE, 100 * KSM_PAGE, 60 * KSM_PAGE, MREMAP_MAYMOVE, NULL);
	cr_assert_eq(left, memory + 90 * KSM_PAGE);
	expect(90, 10, 2);
	expect(100, 50, 1);
	cr_assert_eq(introduced, 0, "it was put into memory of its own");
	cr_assert_eq(give_back(90, 60), 0);
	expect(90, 60, 0);
	cr_assert_eq(give_back(150, 40), -ENOMEM, "nothing may be mapped where nothing is any more");
}

/* True if all of these pages have these rights. */
static bool have_rights(uint32_t page, uint32_t pages, const char *rights)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	size_t at = (size_t)memory + page * KSM_PAGE, end = at + pages * KSM_PAGE, from, to;
	char line[512], said[5];
	bool same = true;

	while (same && at < end && fgets(line, sizeof(line), maps)) {
		cr_assert_eq(sscanf(line, "%zx-%zx %4s", &from, &to, said), 3);
		if (from > at || to <= at)
			continue;
		same = strcmp(said, rights) == 0;
		at = to;
	}
	fclose(maps);
	return same && at >= end;
}

Test(shared, what_has_other_rights_is_left_with_them)
{
	__libc_single_threaded = 1;
	cr_assert_eq(mprotect(memory + 110 * KSM_PAGE, KSM_PAGE, PROT_NONE), 0);
	cr_assert_eq(mprotect(memory + 112 * KSM_PAGE, 4 * KSM_PAGE, PROT_READ), 0);
	ksm_shared_leave(memory + 100 * KSM_PAGE, 20 * KSM_PAGE);
	cr_assert(have_rights(110, 1, "---p"));
	cr_assert(have_rights(112, 4, "r--p"));
	cr_assert(have_rights(100, 10, "rw-p"));
	cr_assert_eq(mprotect(memory + 110 * KSM_PAGE, KSM_PAGE, PROT_READ), 0);
	expect(100, 200, 1);
	cr_assert_eq(madvise(memory + 100 * KSM_PAGE, 20 * KSM_PAGE, MADV_WIPEONFORK), 0);
}

Test(shared, what_is_moved_with_other_rights_is_anonymous_too)
{
	static const int rights[] = { PROT_READ, PROT_NONE };

	for (uint32_t i = 0; i < KSM_COUNT_OF(rights); i++) {
		unsigned char *moved, *begin = memory + (100 + i * 50) * KSM_PAGE;

		cr_assert_eq(mprotect(begin, 20 * KSM_PAGE, rights[i]), 0);
		moved = ksm_shared_mremap_raw(begin, 20 * KSM_PAGE, 40 * KSM_PAGE, MREMAP_MAYMOVE, NULL);
		cr_assert_neq((void *)moved, MAP_FAILED);
		cr_assert_eq(mprotect(moved, 40 * KSM_PAGE, PROT_READ | PROT_WRITE), 0);
		for (size_t k = 0; k < 40 * KSM_PAGE; k++)
			cr_assert_eq(moved[k], k < 20 * KSM_PAGE ? 1 : 0, "page %zu has %u", k / KSM_PAGE, moved[k]);
		cr_assert_eq(ksm_shared_give_back(moved, 40 * KSM_PAGE, MADV_DONTNEED), 0);
		cr_assert_eq(moved[0], 0, "it was a file's still");
	}
}

Test(shared, what_becomes_longer_in_its_place_among_threads_has_the_rights_of_the_rest)
{
	unsigned char *begin = memory + 290 * KSM_PAGE;

	__libc_single_threaded = 0;
	cr_assert_eq(munmap(memory + 300 * KSM_PAGE, 2 * KSM_PAGE), 0);
	ksm_shared_note_rights(begin, 10 * KSM_PAGE);
	cr_assert_eq(mprotect(begin, 10 * KSM_PAGE, PROT_READ), 0);
	cr_assert_eq(ksm_shared_mremap_raw(begin, 10 * KSM_PAGE, 12 * KSM_PAGE, 0, NULL), begin);
	cr_assert(have_rights(290, 12, "r--p"));
	expect(290, 10, 1);
	expect(300, 2, 0);
}

/* Else it would be the file's where nobody knows of it. */
Test(shared, what_cannot_be_left_for_want_of_memory_is_not_moved)
{
	struct rlimit limit;

	getrlimit(RLIMIT_AS, &limit);
	cr_assert_eq(setrlimit(RLIMIT_AS, &(struct rlimit){ KSM_PAGE, limit.rlim_max }), 0);
	errno = 0;
	cr_assert_eq(ksm_shared_mremap_raw(memory + 100 * KSM_PAGE, 100 * KSM_PAGE, 50 * KSM_PAGE,
					   MREMAP_MAYMOVE | MREMAP_FIXED, memory + 2 * PAGES * KSM_PAGE), MAP_FAILED);
	cr_assert_eq(errno, ENOMEM);
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
	expect(100, 200, 1);
	cr_assert_eq(give_back(100, 200), 0);
	expect(100, 200, 0);
}

Test(shared, other_memory_is_the_kernel_s_affair)
{
	char *elsewhere = mmap(NULL, 4 * KSM_MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	elsewhere[0] = 1;
	cr_assert_eq(ksm_shared_give_back(elsewhere, 4 * KSM_MIB, MADV_DONTNEED), 0);
	cr_assert_eq(elsewhere[0], 0);
	cr_assert_eq(munmap(elsewhere, 4 * KSM_MIB), 0);
	cr_assert_eq(ksm_shared_give_back(elsewhere, 4 * KSM_MIB, MADV_DONTNEED), -ENOMEM);
}

Test(shared, what_is_forgotten_is_not_replaced)
{
	cr_assert_eq(munmap(memory + 100 * KSM_PAGE, 200 * KSM_PAGE), 0);
	ksm_shared_forget(memory + 100 * KSM_PAGE, 200 * KSM_PAGE);
	cr_assert_eq(give_back(100, 200), -ENOMEM, "nothing may be mapped where the program has unmapped");
	cr_assert_eq(introduced, 0);
}

Test(shared, rights_of_the_program_s_stay)
{
	cr_assert_eq(mprotect(memory + 120 * KSM_PAGE, 4 * KSM_PAGE, PROT_READ), 0);
	ksm_shared_note_rights(memory + 120 * KSM_PAGE, 4 * KSM_PAGE);
	cr_assert_eq(give_back(121, 2), 0);
	expect(120, 1, 1);
	expect(121, 2, 0);
	expect(123, 10, 1);
	/* It cannot be written to: a system call says so, and no signal. */
	cr_assert_eq(getcwd((char *)memory + 121 * KSM_PAGE, KSM_PAGE), NULL);
	cr_assert_eq(errno, EFAULT);
	cr_assert_eq(mprotect(memory + 120 * KSM_PAGE, 4 * KSM_PAGE, PROT_READ | PROT_WRITE), 0);
	expect(121, 2, 0);
}

/* As V8's chunks lie, in ever other places: what has no page any more makes room. */
Test(shared, slices_outside_of_the_span_are_told_apart)
{
	enum { KEPT = 300, ALL = 100000 };
	struct ksm_share_set one = { .words = { 1 } };

	for (uint64_t i = 0; i < ALL; i++) {
		uintptr_t at = (uintptr_t)((i * UINT64_C(0x9e3779b97f4a7c15) >> 17) & ~(uint64_t)(KSM_SHARE_SLICE - 1));
		struct ksm_shared_slice *slice;

		if (at - ksm_span_map.base < UINT64_C(1) << 44)
			continue;
		slice = ksm_shared_find(at, true);
		cr_assert_not_null(slice, "slice %lu", (unsigned long)i);
		ksm_shared_add(slice, 0, &one);
		cr_assert_eq(ksm_shared_find(at, false)->layers[0].mapped.words[0], 1);
		if (i >= KEPT)
			ksm_shared_forget((void *)at, KSM_PAGE);
	}
	for (uint64_t i = 0; i < KEPT; i++) {
		uintptr_t at = (uintptr_t)((i * UINT64_C(0x9e3779b97f4a7c15) >> 17) & ~(uint64_t)(KSM_SHARE_SLICE - 1));

		if (at - ksm_span_map.base >= UINT64_C(1) << 44)
			cr_assert_eq(ksm_shared_find(at, false)->layers[0].mapped.words[0], 1);
	}
	cr_assert_null(ksm_shared_find(UINT64_C(1) << KSM_ADDRESS_BITS, true));
}
