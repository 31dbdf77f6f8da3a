/* SPDX-License-Identifier: BSD-2-Clause */
/* Slices of this process against real memory files: what is shared, what stays as it is, and what fails. */
#include "store/share.h"

#include "draw.h"
#include "share_memory.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- failures, as the system has them ------------------------------------------------------- */

static enum failure { NOTHING, REFUSE, UNMAP_AND_REFUSE } injected;
static int maps_before_failure;

int __real_ksm_os_map_store(void *addr, size_t length, int descriptor, uint64_t offset);
int __wrap_ksm_os_map_store(void *addr, size_t length, int descriptor, uint64_t offset);
int __wrap_ksm_os_map_store(void *addr, size_t length, int descriptor, uint64_t offset)
{
	if (injected == NOTHING || maps_before_failure-- > 0)
		return __real_ksm_os_map_store(addr, length, descriptor, offset);
	if (injected == UNMAP_AND_REFUSE)
		cr_assert_eq(munmap(addr, length), 0);
	return -ENOMEM;
}

TestSuite(share, .init = setup, .timeout = KSM_CASE_SECONDS);

/* --- what is shared --------------------------------------------------------------------------- */

Test(share, equal_pages_are_shared)
{
	uint32_t of_file;

	touch(0, PAGES);
	store(0, PAGES);
	seal();
	cr_assert_eq(share(0), 0);
	cr_assert_eq(slices[0].gained, PAGES);
	cr_assert_eq(slices[0].carried, 0);
	cr_assert_eq(slices[0].mappings, 1);
	cr_assert_eq(count_kind('o', 0, PAGES), 0);
	expect_usual(0, PAGES);
	cr_assert_eq(count_kind('f', 0, PAGES), PAGES);
	for (uint32_t i = 0; i < PAGES; i++)
		cr_assert(ksm_share_has(&slices[0].mapped, i));
	cr_assert_eq(count_mappings(&of_file), 2);
	cr_assert_eq(of_file, 1);
}

Test(share, pages_that_differ_stay_the_process_s_own)
{
	touch(0, PAGES);
	store(0, PAGES);
	seal();
	for (uint32_t i = 3; i < PAGES; i += 7)
		page_at(i)[i] ^= 1;
	cr_assert_eq(share(0), 0);
	for (uint32_t i = 0; i < PAGES; i++) {
		bool differs = i >= 3 && (i - 3) % 7 == 0;

		cr_assert_eq(kind(i) == 'o', differs, "page %u", i);
		cr_assert_not(ksm_share_has(&slices[0].alone, i), "page %u lies between shared ones", i);
		page_at(i)[i] ^= differs;
	}
	cr_assert_eq(slices[0].carried, (PAGES - 4) / 7 + 1);
	cr_assert_eq(slices[0].gained, PAGES - slices[0].carried);
	expect_usual(0, PAGES);
}

Test(share, a_difference_in_the_last_byte_is_one)
{
	touch(0, PAGES);
	store(0, PAGES);
	seal();
	page_at(100)[KSM_PAGE - 1] ^= 1;
	cr_assert_eq(share(0), 0);
	cr_assert_eq(kind(100), 'o');
	page_at(100)[KSM_PAGE - 1] ^= 1;
	expect_usual(0, PAGES);
}

Test(share, what_is_written_afterwards_is_in_this_process_alone)
{
	unsigned char content[KSM_PAGE];

	touch(0, PAGES);
	store(0, PAGES);
	seal();
	cr_assert_eq(share(0), 0);
	memset(page_at(9), 0xab, KSM_PAGE);
	cr_assert_eq(pread(file.descriptor, content, KSM_PAGE, 9 * KSM_PAGE), (ssize_t)KSM_PAGE);
	touch(9, 1);
	cr_assert_eq(memcmp(content, page_at(9), KSM_PAGE), 0);
	cr_assert_eq(kind(9), 'o');
}

Test(share, a_copy_that_is_equal_again_is_given_back_without_a_mapping)
{
	touch(0, PAGES);
	store(0, PAGES);
	seal();
	cr_assert_eq(share(0), 0);
	page_at(9)[0] ^= 1;
	page_at(10)[0] ^= 1;
	page_at(200)[0] ^= 1;
	cr_assert_eq(share(0), 0);
	cr_assert_eq(slices[0].gained, 0);
	cr_assert_eq(count_kind('o', 0, PAGES), 3);
	page_at(9)[0] ^= 1;
	page_at(200)[0] ^= 1;
	cr_assert_eq(share(0), 0);
	cr_assert_eq(slices[0].gained, 2);
	cr_assert_eq(slices[0].shared, PAGES - 1);
	cr_assert_eq(slices[0].mappings, 0);
	cr_assert_eq(kind(10), 'o');
	page_at(10)[0] ^= 1;
	expect_usual(0, PAGES);
}

/* --- what the process, or the file, has not --------------------------------------------------- */

Test(share, untouched_pages_read_as_zeros_whatever_the_file_has)
{
	uint32_t of_file;

	touch(0, 100);
	touch(104, 96);
	touch(300, PAGES - 300);
	store(0, PAGES);
	seal();
	cr_assert_eq(share(0), 0);
	cr_assert_eq(count_kind('-', 200, 100), 100);
	expect_usual(0, 100);
	expect_zeros(100, 4);
	expect_usual(104, 96);
	expect_zeros(200, 100);
	expect_usual(300, PAGES - 300);
	cr_assert_eq(slices[0].gained, PAGES - 104);
	cr_assert_eq(slices[0].mappings, 2, "a few untouched pages are filled, many are left out");
	count_mappings(&of_file);
	cr_assert_eq(of_file, 2);
	cr_assert_not(ksm_share_has(&slices[0].mapped, 250));
	cr_assert(ksm_share_has(&slices[0].mapped, 102));
}

Test(share, holes_of_the_file_are_not_filled)
{
	struct stat before, after;

	touch(0, PAGES);
	store(0, 100);
	store(200, 100);
	seal();
	cr_assert_eq(fstat(file.descriptor, &before), 0);
	cr_assert_eq(share(0), 0);
	expect_usual(0, PAGES);
	cr_assert_eq(fstat(file.descriptor, &after), 0);
	cr_assert_eq(slices[0].gained, 200);
	cr_assert_eq(count_kind('f', 0, PAGES), 200);
	cr_assert_leq(after.st_blocks - before.st_blocks, 100 * 8, "pages between two others alone are written over holes");
	cr_assert_not(ksm_share_has(&slices[0].mapped, 300), "nor is what follows");
}

Test(share, a_file_without_pages_changes_nothing)
{
	touch(0, PAGES);
	seal();
	cr_assert_eq(share(0), 0);
	cr_assert_eq(slices[0].gained + slices[0].mappings, 0);
	for (uint32_t i = 0; i < PAGES; i++)
		cr_assert(ksm_share_has(&slices[0].alone, i));
	file.descriptor = -1;
	cr_assert_eq(share(0), 0);
	cr_assert(ksm_share_has(&slices[0].alone, 5));
	expect_usual(0, PAGES);
}

Test(share, few_pages_are_not_worth_a_mapping)
{
	touch(0, PAGES);
	store(0, KSM_SHARE_LEAST - 1);
	store(100, KSM_SHARE_LEAST);
	seal();
	for (uint32_t i = KSM_SHARE_LEAST; i < 100; i++)
		ksm_share_remove(&slices[0].wanted, i);
	cr_assert_eq(share(0), 0);
	cr_assert_eq(slices[0].mappings, 1);
	cr_assert_eq(slices[0].gained, KSM_SHARE_LEAST);
	expect_usual(0, PAGES);
}

Test(share, only_what_is_wanted_is_looked_at)
{
	touch(0, PAGES);
	store(0, PAGES);
	seal();
	for (uint32_t i = 100; i < 150; i++)
		ksm_share_remove(&slices[0].wanted, i);
	/* A page that cannot be read would end the program. */
	cr_assert_eq(mprotect(page_at(120), 10 * KSM_PAGE, PROT_NONE), 0);
	cr_assert_eq(share(0), 0);
	cr_assert_eq(mprotect(page_at(120), 10 * KSM_PAGE, PROT_READ | PROT_WRITE), 0);
	cr_assert_eq(count_kind('o', 100, 50), 50);
	cr_assert_eq(slices[0].gained, PAGES - 50);
	expect_usual(0, PAGES);
	for (uint32_t i = 100; i < 150; i++)
		cr_assert_not(ksm_share_has(&slices[0].mapped, i) || ksm_share_has(&slices[0].alone, i));
}

/* --- mappings --------------------------------------------------------------------------------- */

Test(share, slices_side_by_side_are_one_mapping)
{
	uint32_t of_file;

	touch(0, SLICES * PAGES);
	store(0, SLICES * PAGES);
	seal();
	/* With pages of the process's own in each. */
	for (uint32_t i = 3; i < SLICES * PAGES; i += 50)
		page_at(i)[0] ^= 1;
	for (uint32_t i = 0; i < SLICES; i++) {
		cr_assert_eq(share(i), 0);
		cr_assert_eq(slices[i].mappings, 1);
	}
	cr_assert_eq(introduced, SLICES);
	cr_assert_eq(count_mappings(&of_file), 1);
	cr_assert_eq(of_file, 1);
	for (uint32_t i = 3; i < SLICES * PAGES; i += 50)
		page_at(i)[0] ^= 1;
	expect_usual(0, SLICES * PAGES);
}

Test(share, a_child_has_what_its_parent_shares)
{
	touch(0, PAGES);
	store(0, PAGES);
	seal();
	page_at(7)[0] ^= 1;
	cr_assert_eq(share(0), 0);
	if (fork() == 0) {
		page_at(7)[0] ^= 1;
		page_at(8)[0] ^= 1;
		_exit(kind(6) == 'o' || kind(8) != 'o');
	}
	int status;

	cr_assert_gt(wait(&status), 0);
	cr_assert_eq(status, 0);
	page_at(7)[0] ^= 1;
	expect_usual(0, PAGES);
}

Test(share, a_slice_that_the_file_has_no_room_for_is_left_alone)
{
	touch(0, SLICES * PAGES);
	store(0, SLICES * PAGES);
	seal();
	slices[0].place = UINT64_C(0) - KSM_SHARE_SLICE;
	cr_assert_eq(share(0), 0);
	cr_assert_eq(slices[0].gained, 0);
	slices[SLICES - 1].place += KSM_SHARE_SLICE;
	cr_assert_eq(share(SLICES - 1), 0);
	cr_assert_eq(slices[SLICES - 1].gained, 0);
	expect_usual(0, SLICES * PAGES);
}

/* --- failures --------------------------------------------------------------------------------- */

/* Two stretches, with pages that differ and pages that were never touched. */
static void prepare_failure(void)
{
	touch(0, 100);
	touch(102, 98);
	touch(300, PAGES - 300);
	store(0, PAGES);
	seal();
	page_at(5)[5] ^= 1;
	page_at(400)[5] ^= 1;
}

static void expect_unharmed(void)
{
	page_at(5)[5] ^= 1;
	page_at(400)[5] ^= 1;
	expect_usual(0, 100);
	expect_zeros(100, 2);
	expect_usual(102, 98);
	expect_zeros(200, 100);
	expect_usual(300, PAGES - 300);
}

static void expect_nothing_mapped_by(enum failure failure)
{
	uint32_t of_file;

	prepare_failure();
	injected = failure;
	cr_assert_eq(share(0), -ENOMEM);
	count_mappings(&of_file);
	cr_assert_eq(of_file, 0);
	cr_assert_not(ksm_share_has(&slices[0].mapped, 50));
	expect_unharmed();
}

Test(share, a_mapping_that_is_refused_leaves_memory_as_it_was)
{
	expect_nothing_mapped_by(REFUSE);
}

Test(share, what_was_shared_before_a_failure_stays_shared)
{
	prepare_failure();
	injected = REFUSE;
	maps_before_failure = 1;
	cr_assert_eq(share(0), -ENOMEM);
	cr_assert(ksm_share_has(&slices[0].mapped, 50));
	cr_assert_not(ksm_share_has(&slices[0].mapped, 350));
	expect_unharmed();
	injected = NOTHING;
	cr_assert_eq(share(0), 0);
	expect_usual(300, PAGES - 300);
}

Test(share, a_kernel_that_unmaps_before_it_fails_loses_nothing)
{
	expect_nothing_mapped_by(UNMAP_AND_REFUSE);
	cr_assert_eq(introduced, 1);
}

/* As many mappings as the kernel allows: no mapping can be cut into two any more. */
Test(share, at_the_limit_of_mappings_memory_is_as_it_was)
{
	const size_t pages = 200000;
	char *many = mmap(NULL, pages * KSM_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t i = 0;

	prepare_failure();
	cr_assert_neq((void *)many, MAP_FAILED);
	while (i < pages && mprotect(many + i * KSM_PAGE, KSM_PAGE, PROT_NONE) == 0)
		i += 2;
	if (i >= pages)
		cr_skip("the kernel allows more than 200,000 mappings");
	cr_assert_eq(share(0), -ENOMEM);
	cr_assert_eq(munmap(many, pages * KSM_PAGE), 0);
	expect_unharmed();
}

Test(share, where_nothing_can_be_read_nothing_is_done)
{
	int saved = file.descriptor;

	prepare_failure();
	file.descriptor = 12345;
	cr_assert_eq(share(0), -EBADF);
	file.descriptor = saved;
	close(work.pagemap);
	work.pagemap = 12345;
	cr_assert_eq(share(0), -EBADF);
	expect_unharmed();
}

/* Addresses are used up: what replaces memory of the same length needs none. */
Test(share, a_limit_of_addresses_is_none)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	unsigned long pages;
	FILE *sizes;

	touch(0, PAGES);
	store(0, PAGES);
	seal();
	sizes = fopen("/proc/self/statm", "re");
	cr_assert_eq(fscanf(sizes, "%lu", &pages), 1);
	fclose(sizes);
	limit.rlim_cur = pages * KSM_PAGE;
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
	cr_assert_eq(share(0), 0);
	cr_assert_eq(slices[0].gained, PAGES);
}

/* --- all together ----------------------------------------------------------------------------- */

/* Runs of pages that are touched, stored, written to and shared at random, and each byte is what was written. */
Test(share, random_slices_keep_every_byte)
{
	static unsigned char model[PAGES * 4096];
	struct ksm_share_extent known = { 0, 0, 0 };
	uint32_t gained = 0;

	for (uint32_t i = 0; i < 40; i++) {
		uint32_t begin = draw(PAGES), pages = 1 + draw(PAGES - begin < 80 ? PAGES - begin : 80);

		store(begin, pages);
	}
	seal();
	file.known = &known;
	for (uint32_t round = 0; round < 300; round++) {
		uint32_t begin = draw(PAGES), pages = 1 + draw(PAGES - begin < 60 ? PAGES - begin : 60);

		for (uint32_t i = begin; i < begin + pages; i++) {
			fill(page_at(i), i);
			if (draw(10) == 0)
				page_at(i)[draw(4096)] ^= 1;
			memcpy(model + i * KSM_PAGE, page_at(i), KSM_PAGE);
		}
		ksm_share_add(&slices[0].wanted, draw(PAGES));
		injected = draw(4) ? NOTHING : draw(2) ? REFUSE : UNMAP_AND_REFUSE;
		maps_before_failure = (int)draw(2);
		share(0);
		gained += slices[0].gained;
		cr_assert_eq(memcmp(memory, model, sizeof(model)), 0, "round %u", round);
	}
	cr_assert_gt(gained, PAGES / 4);
}
