/* SPDX-License-Identifier: BSD-2-Clause */
/* The rule for freed memory, on a pool with real pages and a clock that stands until it is moved. */
#include "slot/keep.h"
#include "system/option.h"
#include "os/os.h"
#include "site/site.h"
#include "layout/span.h"
#include "segment/stat.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ksm_pool pool = { .lock = &lock, .site_id = 99, .has_owners = true };
static struct ksm_slot *slot;

/* What is taken soon after it was given back depends on the time between, and a busy machine has its own. */
static uint64_t now_ms = 1000000;

uint64_t __wrap_ksm_os_now_ms(void);
uint64_t __wrap_ksm_os_now_ms(void)
{
	return now_ms;
}

static void setup(void)
{
	ksm_options.keep_bytes = 64 << 12;
	cr_assert_eq(ksm_stat_init(), 0);
	cr_assert_eq(ksm_site_init(), 0);
	ksm_span_init((void *)UINTPTR_MAX);
	ksm_keep_add_pool(&pool);
	cr_assert_eq(ksm_slot_create(&pool, &slot), 0);
	/* One page of what is mapped is no block's. */
	cr_assert_eq(ksm_slot_reserve(slot, 8191), 0);
	cr_assert_eq(slot->mapped_pages, 8192);
}

TestSuite(keep, .init = setup);

/* Pages of a longer block. */
static void take_part(uint32_t page, uint32_t pages, uint32_t block_pages)
{
	uint32_t kept;

	cr_assert_eq(ksm_runs_take(&slot->runs, page, pages, (uint64_t)pages << 12, 0, &kept), 0);
	ksm_keep_taken(slot, page, pages, kept, block_pages);
	memset(ksm_slot_address(slot, page), 1, (size_t)pages << 12);
}

/* As many pages as blocks of some length that is waited for. */
static void take(uint32_t page, uint32_t pages)
{
	take_part(page, pages, 16);
}

static void release(uint32_t page, uint32_t pages)
{
	pthread_mutex_lock(&lock);
	ksm_runs_release(&slot->runs, page);
	ksm_keep_freed(&pool, pages);
	pthread_mutex_unlock(&lock);
}

static uint32_t resident(void)
{
	static unsigned char present[8192];
	uint32_t count = 0;

	cr_assert_eq(mincore(ksm_slot_address(slot, 0), (size_t)slot->mapped_pages << 12, present), 0);
	for (uint32_t i = 0; i < slot->mapped_pages; i++)
		count += present[i] & 1;
	return count;
}

Test(keep, little_is_kept_as_it_is)
{
	take(0, 60);
	release(0, 60);
	cr_assert_eq(slot->runs.kept_pages, 60);
	cr_assert_eq(resident(), 60);
}

/* What was taken from the kernel is not young any more. */
static void grow_old(void)
{
	now_ms += 300; /* less than what halves an allowance */
}

Test(keep, more_than_the_rule_is_given_back)
{
	take(0, 1000);
	grow_old();
	release(0, 1000);
	cr_assert_leq(slot->runs.kept_pages, 64);
	cr_assert_eq(resident(), slot->runs.kept_pages);
	cr_assert_eq(ksm_stat->header.stats.kept_bytes, (uint64_t)slot->runs.kept_pages << 12);
	cr_assert(ksm_runs_check(&slot->runs));
}

Test(keep, what_was_taken_from_the_kernel_a_moment_ago_is_kept_for_a_moment)
{
	take(0, 6000);
	release(0, 6000);
	cr_assert_eq(slot->runs.kept_pages, 6000, "it may be wanted again at once");
	cr_assert(ksm_keep_waits());
	ksm_keep_settle();
	cr_assert_eq(slot->runs.kept_pages, 6000, "the moment is not over");
	grow_old();
	ksm_keep_settle();
	cr_assert_leq(slot->runs.kept_pages, 64);
	cr_assert_eq(resident(), slot->runs.kept_pages);
	cr_assert_not(ksm_keep_waits());
	cr_assert(ksm_runs_check(&slot->runs));
}

Test(keep, what_stays_of_old_and_young_pages_goes_when_the_moment_is_over)
{
	take(0, 3000);
	grow_old();
	take(3000, 5000);
	release(0, 3000);
	release(3000, 5000);
	cr_assert_leq(slot->runs.kept_pages, 64 + 5000);
	cr_assert_geq(slot->runs.kept_pages, 3000);
	cr_assert(ksm_keep_waits());
	grow_old();
	ksm_keep_settle();
	cr_assert_leq(slot->runs.kept_pages, 64);
	cr_assert_not(ksm_keep_waits());
}

Test(keep, little_is_not_waited_for)
{
	take(0, 3000);
	release(0, 3000);
	cr_assert_leq(slot->runs.kept_pages, 64);
}

/* It is rather one buffer with all of a program's input than one of a burst. */
Test(keep, a_long_block_is_not_waited_for)
{
	take_part(0, 6000, 6000);
	release(0, 6000);
	cr_assert_leq(slot->runs.kept_pages, 64);
}

Test(keep, a_block_of_a_mib_is_waited_for_and_no_longer_one)
{
	take_part(0, 6000, 256);
	release(0, 6000);
	cr_assert_eq(slot->runs.kept_pages, 6000);
	grow_old();
	ksm_keep_settle();
	grow_old();
	take_part(0, 6000, 257);
	release(0, 6000);
	cr_assert_leq(slot->runs.kept_pages, 64);
}

/* The window in which it was taken is over, and the next one is not. */
Test(keep, a_moment_is_two_windows)
{
	take(0, 6000);
	now_ms += 150;
	release(0, 6000);
	cr_assert_eq(slot->runs.kept_pages, 6000);
	now_ms += 100;
	ksm_keep_settle();
	cr_assert_leq(slot->runs.kept_pages, 64);
}

Test(keep, the_shared_layout_waits_for_nothing)
{
	extern bool ksm_layout_shared;

	ksm_layout_shared = true;
	take(0, 6000);
	release(0, 6000);
	cr_assert_leq(slot->runs.kept_pages, 64);
	cr_assert_not(ksm_keep_waits());
}

Test(keep, what_is_taken_again_within_a_moment_is_kept_from_then_on)
{
	take(0, 6000);
	release(0, 6000);
	take(0, 6000);
	cr_assert_geq(ksm_keep_earned(), 6000 - 64);
	grow_old();
	release(0, 6000);
	cr_assert_eq(slot->runs.kept_pages, 6000, "not because it is young, which it is not");
	ksm_keep_settle();
	cr_assert_not(ksm_keep_waits());
}

/* Nobody has called meanwhile, so that it is still there. */
Test(keep, what_is_taken_again_when_the_moment_is_over_earns_nothing)
{
	take(0, 6000);
	release(0, 6000);
	grow_old();
	take(0, 6000);
	cr_assert_eq(ksm_keep_earned(), 0);
	release(0, 6000);
	cr_assert_leq(slot->runs.kept_pages, 64);
}

Test(keep, a_small_part_that_is_used_again_and_again_earns_no_more_than_itself)
{
	take(0, 6000);
	release(0, 6000);
	for (int i = 0; i < 100; i++) {
		take(0, 200);
		release(0, 200);
	}
	cr_assert_eq(ksm_keep_earned(), 0);
	grow_old();
	ksm_keep_settle();
	cr_assert_leq(slot->runs.kept_pages, 64);
}

Test(keep, waiting_ends_when_the_program_takes_new_memory_instead)
{
	take(0, 6000);
	release(0, 6000);
	take(6000, 300);
	ksm_keep_settle();
	cr_assert_eq(slot->runs.kept_pages, 6000, "a little says nothing");
	take(6300, 500);
	ksm_keep_settle();
	cr_assert_leq(slot->runs.kept_pages, 64);
	cr_assert(ksm_runs_check(&slot->runs));
	release(6300, 500);
	cr_assert_leq(slot->runs.kept_pages, 64, "what was waited for in vain makes nothing else young");
}

Test(keep, waiting_has_the_limit_of_a_cycle)
{
	ksm_options.cycle_bytes = 5000 << 12;
	take(0, 6000);
	release(0, 6000);
	cr_assert_leq(slot->runs.kept_pages, 64 + 5000);
	cr_assert_gt(slot->runs.kept_pages, 64);
}

/* More may wait while a share of what is live may be kept besides. */
Test(keep, what_is_waited_for_earns_no_more_than_the_limit_of_a_cycle)
{
	ksm_options.keep_percent = 50;
	ksm_options.cycle_bytes = 4200 << 12;
	ksm_options.cycle_percent = 0;
	take(6000, 2000);
	take(0, 5000);
	release(0, 5000);
	cr_assert_eq(slot->runs.kept_pages, 5000);
	take(0, 5000);
	cr_assert_eq(ksm_keep_earned(), 4200);
}

/* What was earned and what is waited for are one cycle. */
Test(keep, waiting_and_what_was_earned_have_one_limit)
{
	ksm_options.cycle_bytes = 7000 << 12;
	ksm_options.cycle_percent = 0;
	for (int round = 0; round < 2; round++) {
		take(0, 2000);
		release(0, 2000);
	}
	cr_assert_gt(ksm_keep_earned(), 1900);
	take(2000, 6000);
	release(2000, 6000);
	cr_assert_leq(slot->runs.kept_pages, 64 + 7000);
}

Test(keep, a_share_of_what_is_live_may_be_kept)
{
	ksm_options.keep_bytes = 0;
	ksm_options.keep_percent = 10;
	take(0, 1000);
	take(1000, 90);
	release(1000, 90);
	cr_assert_eq(slot->runs.kept_pages, 90);
	take(1000, 200);
	grow_old();
	release(1000, 200);
	cr_assert_leq(slot->runs.kept_pages, 100);
}

Test(keep, a_pool_that_cycles_keeps_its_memory)
{
	for (int round = 0; round < 3; round++) {
		take(0, 1000);
		release(0, 1000);
	}
	take(0, 1000);
	release(0, 1000);
	cr_assert_eq(slot->runs.kept_pages, 1000, "freed and taken again at once");
}

Test(keep, a_cycle_has_a_limit)
{
	ksm_options.cycle_bytes = 500 << 12;
	for (int round = 0; round < 4; round++) {
		take(0, 1000);
		release(0, 1000);
	}
	cr_assert_leq(slot->runs.kept_pages, 64 + 500);
}

#define EPOCH (512u << 20 >> 12) /* pages, where little is live */

/* Takes and frees small runs until so many pages were taken. */
static void go_on_without(uint32_t page, uint32_t pages)
{
	for (uint32_t i = 0; i < pages / 10; i++) {
		take(page, 10);
		release(page, 10);
	}
}

Test(keep, what_lies_unused_while_the_program_goes_on_is_given_back)
{
	for (int round = 0; round < 4; round++) {
		take(0, 1000);
		release(0, 1000);
	}
	cr_assert_eq(slot->runs.kept_pages, 1000);
	grow_old();
	for (int i = 0; i < 4; i++)
		go_on_without(2000, 3 * EPOCH);
	cr_assert_leq(slot->runs.kept_pages, 64 + 1000 / 8);
}

/* In the first epoch all of it is used, and at the end of the second one too little is taken away to be seen. */
Test(keep, what_lies_unused_for_less_than_an_epoch_is_kept)
{
	for (int round = 0; round < 4; round++) {
		take(0, 1000);
		release(0, 1000);
	}
	grow_old();
	go_on_without(2000, 3 * EPOCH - 5000);
	cr_assert_geq(slot->runs.kept_pages, 1000);
	go_on_without(2000, 6000);
	cr_assert_lt(slot->runs.kept_pages, 1000);
}

/* Frees so much in a row that the program lets go of its data, twice; what is kept is [0, 1000) then, and a little more. */
static void let_go_twice(bool use_what_is_kept)
{
	take(1100, 5000);
	grow_old();
	for (int round = 0; round < 4; round++) {
		take(0, 1000);
		release(0, 1000);
	}
	grow_old();
	release(1100, 5000);
	cr_assert_geq(slot->runs.kept_pages, 750, "a quarter more than needed was given back");
	grow_old();
	take(1100, 5000);
	if (use_what_is_kept) {
		take(0, 1000);
		release(0, 1000);
	}
	grow_old();
	release(1100, 5000);
}

Test(keep, what_lay_unused_goes_with_all_else_that_the_program_lets_go_of)
{
	let_go_twice(false);
	cr_assert_leq(slot->runs.kept_pages, 64 + 1000 / 4);
}

Test(keep, what_was_used_stays_when_the_program_lets_go_of_its_data)
{
	let_go_twice(true);
	cr_assert_geq(slot->runs.kept_pages, 750);
}

/* Takes and frees [0, pages) as a request that takes a moment; returns how many of them were taken from the kernel. */
static int64_t serve(uint32_t pages)
{
	uint32_t kept = slot->runs.kept_pages;

	take(0, pages);
	kept -= slot->runs.kept_pages;
	now_ms += 5;
	release(0, pages);
	now_ms += 5;
	return (int64_t)pages - kept;
}

Test(keep, the_end_of_a_request_is_not_taken_for_the_end_of_all_data)
{
	int64_t faults = 0;

	for (int round = 0; round < 30; round++) {
		if (round == 6)
			faults = 0;
		faults += serve(8000);
		for (int i = 0; i < 3; i++)
			faults += serve(4200);
	}
	cr_assert_leq(faults, 4 * 3800, "%lld pages were taken from the kernel", (long long)faults);
}

Test(keep, an_epoch_is_longer_where_much_is_live)
{
	take(1000, 7000);
	grow_old();
	for (int round = 0; round < 4; round++) {
		take(0, 1000);
		release(0, 1000);
	}
	grow_old();
	go_on_without(8000, 3 * 32 * 7000 - 20000);
	cr_assert_geq(slot->runs.kept_pages, 1000);
	go_on_without(8000, 40000);
	cr_assert_lt(slot->runs.kept_pages, 1000);
}

Test(keep, an_allowance_does_not_last_without_evidence)
{
	for (int round = 0; round < 4; round++) {
		take(0, 1000);
		release(0, 1000);
	}
	cr_assert_eq(slot->runs.kept_pages, 1000);
	now_ms += 2100;
	take(1000, 1);
	release(1000, 1);
	cr_assert_leq(slot->runs.kept_pages, 64 + 1000 / 4);
}

Test(keep, what_is_taken_again_later_was_rightly_given_back)
{
	for (int round = 0; round < 4; round++) {
		take(0, 1000);
		release(0, 1000);
		now_ms += 500;
	}
	take(1000, 1);
	release(1000, 1);
	cr_assert_leq(slot->runs.kept_pages, 64);
}

Test(keep, trim_gives_all_back)
{
	take(0, 50);
	release(0, 50);
	cr_assert(ksm_keep_trim());
	cr_assert_eq(slot->runs.kept_pages, 0);
	cr_assert_eq(resident(), 0);
	cr_assert_not(ksm_keep_trim());
}

Test(keep, what_was_waited_for_and_trimmed_earns_nothing)
{
	take(0, 6000);
	release(0, 6000);
	cr_assert(ksm_keep_waits());
	cr_assert(ksm_keep_trim());
	cr_assert_not(ksm_keep_waits());
	take(0, 20);
	release(0, 20);
	take(0, 20);
	cr_assert_eq(ksm_keep_earned(), 0, "none of the 6000 pages was taken again");
	release(0, 20);
	take(0, 3000);
	grow_old();
	release(0, 3000);
	cr_assert_leq(slot->runs.kept_pages, 64);
}

Test(keep, locked_memory_is_given_back_or_stays)
{
	take(0, 1000);
	grow_old();
	if (syscall(SYS_mlock, ksm_slot_address(slot, 0), 1000 << 12) != 0)
		cr_skip("mlock is not allowed here");
	release(0, 1000);
	/* MADV_DONTNEED_LOCKED is of Linux 5.18. */
	if (madvise(ksm_slot_address(slot, 0), 1 << 12, 24) == 0)
		cr_assert_leq(slot->runs.kept_pages, 64);
	else
		cr_assert_eq(slot->runs.kept_pages, 1000);
	cr_assert(ksm_runs_check(&slot->runs));
}

Test(keep, what_lies_beside_a_refused_page_is_given_back)
{
	take(0, 1000);
	grow_old();
	cr_assert_eq(munmap(ksm_slot_address(slot, 500), 1 << 12), 0);
	release(0, 1000);
	/* The piece of 64 pages around the hole, besides what the rule allows. */
	cr_assert_leq(slot->runs.kept_pages, 64 + 64);
	cr_assert(ksm_runs_check(&slot->runs));
}
