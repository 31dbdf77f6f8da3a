/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The runs that came back last: of a row the newest first, of short ones and of what others have used since none; and
 * in a program that has earned that memory is kept, blocks in the order opposite to that in which they were freed.
 */
#include "block/newest.h"

#include "block/block.h"
#include "draw.h"
#include "slot/keep.h"
#include "layout/layout.h"
#include "block/magazine.h"
#include "site/site.h"
#include "site/thread.h"

#include <criterion/criterion.h>
#include <ksmalloc/ksmalloc.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES(count) ((size_t)(count) << 12)
#define ROW	     KSM_NEWEST_ROW
#define LENGTH	     4u /* pages of a run */

/* layout's own; nothing else says so of a process that was not started in one. */
extern bool ksm_layout_shared;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ksm_pool pool = { .lock = &lock };
static struct ksm_slot slot = { .pool = &pool };

/* Less than none: what the program has earned. */
static int64_t earned = -1;

int64_t __real_ksm_keep_earned(void);
int64_t __wrap_ksm_keep_earned(void);
int64_t __wrap_ksm_keep_earned(void)
{
	return earned < 0 ? __real_ksm_keep_earned() : earned;
}

/* The process is one of a group. */
static bool has_group;

bool __wrap_ksm_layout_has_seed(void);
bool __wrap_ksm_layout_has_seed(void)
{
	return has_group;
}

/* What is earned lasts for a while only, and a busy machine takes its time. */
uint64_t __wrap_ksm_os_now_ms(void);
uint64_t __wrap_ksm_os_now_ms(void)
{
	return 1000000;
}

static void setup(void)
{
	ksm_runs_init(&slot.runs, KSM_RUN_MAX_PAGES, false);
	earned = 4096;
}

TestSuite(newest, .init = setup);

static void use(uint32_t page, uint32_t pages)
{
	uint32_t kept;

	cr_assert_eq(ksm_runs_take(&slot.runs, page, pages, PAGES(pages), 0, &kept), 0);
}

/* Runs of one length come back together. */
static void come(uint32_t page, uint32_t runs, uint32_t length, bool falls)
{
	use(page, runs * length);
	ksm_runs_release(&slot.runs, page);
	ksm_newest_note_locked(&slot, page, runs * length, length, falls);
}

/* The first page of the newest runs, of which there are at least count. */
static int64_t take(uint32_t length, uint32_t count)
{
	struct ksm_newest_runs runs;

	if (!ksm_newest_take_locked(&pool, length, count, &runs))
		return -1;
	cr_assert_eq(runs.slot, &slot);
	cr_assert_eq(runs.count, count);
	cr_assert_eq(ksm_runs_kept_from(&slot.runs, runs.page, count * length), count * length);
	use(runs.page, count * length);
	return runs.page;
}

Test(newest, takes_from_the_upper_end_of_a_row_that_rose)
{
	come(100, 2 * ROW, LENGTH, false);
	cr_assert_eq(take(LENGTH, 1), 100 + (2 * ROW - 1) * LENGTH);
	cr_assert_eq(take(LENGTH, 5), 100 + (2 * ROW - 6) * LENGTH);
	cr_assert_eq(take(LENGTH, 1), 100 + (2 * ROW - 7) * LENGTH);
}

Test(newest, takes_from_the_lower_end_of_a_row_that_fell)
{
	come(100, 2 * ROW, LENGTH, true);
	cr_assert_eq(take(LENGTH, 1), 100);
	cr_assert_eq(take(LENGTH, 5), 100 + LENGTH);
	cr_assert_eq(take(LENGTH, 1), 100 + 6 * LENGTH);
}

Test(newest, what_lies_beside_a_row_continues_it)
{
	come(200, ROW / 2, LENGTH, true);
	come(200 + ROW / 2 * LENGTH, ROW / 2, LENGTH, true);
	cr_assert_eq(take(LENGTH, 1), 200 + (ROW - 1) * LENGTH, "above the row: so it rises");
	come(200 + (ROW - 1) * LENGTH, 1, LENGTH, false);
	come(200 - LENGTH, 1, LENGTH, false);
	cr_assert_eq(take(LENGTH, 2), 200 - LENGTH, "below it: so it falls");
}

Test(newest, what_lies_apart_is_a_row_of_its_own)
{
	come(100, 2 * ROW, LENGTH, false);
	come(1000, ROW, LENGTH, true);
	cr_assert_eq(take(LENGTH, 1), 1000);
	cr_assert_eq(take(LENGTH, 1), -1, "it is too short now, and the other one is forgotten");
	/* And so is what lies in another slot, or has another length. */
	come(1000, ROW, LENGTH, true);
	come(1000 + ROW * LENGTH, 1, LENGTH + 1, false);
	cr_assert_eq(take(LENGTH, 1), -1);
}

Test(newest, short_rows_stay_as_they_are)
{
	come(0, ROW - 1, LENGTH, false);
	cr_assert_eq(take(LENGTH, 1), -1);
	come((ROW - 1) * LENGTH, 1, LENGTH, false);
	cr_assert_eq(take(LENGTH, 1), (ROW - 1) * LENGTH);
}

Test(newest, other_lengths_and_runs_of_several_lengths_are_none)
{
	come(0, ROW, LENGTH, false);
	cr_assert_eq(take(LENGTH - 1, 1), -1);
	cr_assert_eq(take(2 * LENGTH, 1), -1);
	cr_assert_eq(take(LENGTH, 1), (ROW - 1) * LENGTH, "to ask does not end a row");
	use(1000, ROW * LENGTH);
	ksm_runs_release(&slot.runs, 1000);
	ksm_newest_note_locked(&slot, 1000, ROW * LENGTH, 0, false);
	for (uint32_t length = 1; length <= ROW * LENGTH; length++)
		cr_assert_eq(take(length, 1), -1);
}

Test(newest, nothing_is_taken_where_nothing_is_earned)
{
	come(0, ROW, LENGTH, false);
	earned = 0;
	cr_assert_eq(take(LENGTH, 1), -1);
	earned = 1;
	cr_assert_eq(take(LENGTH, 1), (ROW - 1) * LENGTH);
}

/* True if a row with this done to it gives something. */
static bool gives_after(void (*change)(uint32_t newest))
{
	pool.newest = (struct ksm_row){ 0 };
	ksm_runs_init(&slot.runs, KSM_RUN_MAX_PAGES, false);
	come(0, ROW, LENGTH, false);
	change((ROW - 1) * LENGTH);
	return take(LENGTH, 1) >= 0;
}

static void leave(uint32_t newest)
{
	(void)newest;
}

static void use_some(uint32_t newest)
{
	use(newest + 1, 1);
}

static void give_back_some(uint32_t newest)
{
	ksm_runs_clean(&slot.runs, newest + LENGTH - 1, 1);
}

static void set_aside(uint32_t newest)
{
	ksm_runs_set_aside(&slot.runs, newest, LENGTH);
}

Test(newest, what_others_have_used_or_given_back_is_none)
{
	cr_assert(gives_after(leave));
	cr_assert(!gives_after(use_some));
	cr_assert(!gives_after(give_back_some));
	cr_assert(!gives_after(set_aside));
	/* Also when those that lie behind it are free. */
	cr_assert_eq(take(LENGTH, 1), -1);
}

Test(newest, not_in_nurseries_nor_in_processes_of_a_group)
{
	pool.has_owners = true;
	come(0, ROW, LENGTH, false);
	pool.has_owners = false;
	cr_assert_eq(take(LENGTH, 1), -1);
	ksm_layout_shared = true;
	come(0, ROW, LENGTH, false);
	ksm_layout_shared = false;
	cr_assert_eq(take(LENGTH, 1), -1);
	has_group = true;
	come(0, ROW, LENGTH, false);
	has_group = false;
	cr_assert_eq(take(LENGTH, 1), -1);
}

/* Whatever others do meanwhile: what is taken is free and kept, and comes from an end of what came back last. */
Test(newest, random_use)
{
	static uint32_t blocks[KSM_CHUNK_PAGES], lengths[KSM_CHUNK_PAGES];
	uint32_t taken = 0;

	for (uint32_t turn = 0; turn < 200000; turn++) {
		uint32_t i = draw(KSM_CHUNK_PAGES);
		uint32_t length = 1 + draw(3);
		int64_t page;

		if (lengths[i] > 0) {
			ksm_runs_release(&slot.runs, blocks[i]);
			/* Each that lies apart ends a row. */
			if (draw(64) == 0)
				ksm_newest_note_locked(&slot, blocks[i], lengths[i],
						       draw(16) ? lengths[i] : 0, draw(2));
			if (draw(64) == 0)
				ksm_runs_clean(&slot.runs, blocks[i], lengths[i]);
			lengths[i] = 0;
			continue;
		}
		page = take(length, 1);
		taken += page >= 0;
		if (page < 0) {
			page = ksm_runs_find(&slot.runs, length, 1);
			use((uint32_t)page, length);
		}
		blocks[i] = (uint32_t)page;
		lengths[i] = length;
		if (draw(64))
			continue;
		/* A row from time to time. */
		page = ksm_runs_find(&slot.runs, 2 * ROW * length, 1);
		come((uint32_t)page, 2 * ROW, length, draw(2));
	}
	cr_assert_gt(taken, 10000, "%u were taken: the test shows nothing", taken);
	cr_assert(ksm_runs_check(&slot.runs));
}

/* --- programs --------------------------------------------------------------------------------- */

#define BLOCKS 600u
#define BLOCK  16u /* pages */
#define FEW    (2 * ROW) /* of the oldest, which come as they lie */

static char *blocks[BLOCKS], *before[BLOCKS];
static struct ksm_site *site;

static void begin(void)
{
	earned = -1;
	cr_assert_eq(ksmalloc_label_begin("newest"), 0);
	site = ksm_site_current(0, 0);
}

TestSuite(order, .init = begin, .timeout = KSM_CASE_SECONDS);

static void take_blocks(uint32_t round)
{
	for (uint32_t i = 0; i < BLOCKS; i++) {
		blocks[i] = ksmalloc_malloc(PAGES(BLOCK) - 100);
		for (uint32_t k = 1; k <= 100; k++)
			cr_assert_eq(blocks[i][PAGES(BLOCK) - k], 0, "its last page ends in zeros");
		memset(blocks[i], 1 + (int)round, PAGES(BLOCK) - 100);
	}
}

/* Which part of the blocks lies where the one lay that was freed as many before the last. */
static uint32_t in_opposite_order(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < BLOCKS; i++)
		count += blocks[i] == before[BLOCKS - 1 - i];
	return count;
}

/* All that is counted is what there is. */
static void check_counts(uint32_t live)
{
	const struct ksmalloc_site_stats *stats = &site->record->stats;
	const struct ksm_magazine *magazine = site->magazines;
	uint64_t at_hand = ksm_stock_pages(&magazine->held, magazine->held.count);
	uint64_t used = 0, kept = 0;

	for (const struct ksm_slot *each = magazine->pool->first; each; each = each->next) {
		used += each->runs.used_pages;
		kept += each->runs.kept_pages;
	}
	cr_assert_eq(stats->live_bytes + (uint64_t)ksm_magazine_live(magazine), live * (PAGES(BLOCK) - 100));
	cr_assert_eq(stats->placed_bytes, PAGES(used));
	cr_assert_eq(stats->kept_bytes, PAGES(kept));
	cr_assert_eq(ksm_thread_self->cached_pages, at_hand);
	cr_assert_eq(magazine->tally->cached_bytes, PAGES(at_hand));
}

static void use_rounds(uint32_t rounds, bool falls)
{
	for (uint32_t round = 0; round < rounds; round++) {
		memcpy(before, blocks, sizeof(blocks));
		take_blocks(round);
		check_counts(BLOCKS);
		for (uint32_t i = 0; i < BLOCKS; i++) {
			uint32_t at = falls ? BLOCKS - 1 - i : i;

			cr_assert_eq(blocks[at][0], 1 + (int)round);
			cr_assert_eq(blocks[at][PAGES(BLOCK) - 101], 1 + (int)round);
			ksmalloc_free(blocks[at]);
		}
		check_counts(0);
	}
}

/* What was freed last is taken first, in each round once the program has shown that it wants it again. */
Test(order, blocks_come_in_the_order_opposite_to_that_in_which_they_were_freed)
{
	use_rounds(4, false);
	for (uint32_t round = 0; round < 4; round++) {
		use_rounds(1, false);
		cr_assert_gt(ksm_keep_earned(), 0);
		cr_assert_geq(in_opposite_order(), BLOCKS - FEW, "%u blocks of round %u", in_opposite_order(), round);
	}
}

/* Where they are freed in the opposite order, that is the one in which they were allocated. */
Test(order, blocks_that_are_freed_from_the_last_one_on_come_as_before)
{
	uint32_t same = 0;

	use_rounds(4, true);
	use_rounds(1, true);
	for (uint32_t i = 0; i < BLOCKS; i++)
		same += blocks[i] == before[i];
	cr_assert_geq(same, BLOCKS - FEW, "%u blocks", same);
}

/* The memory is given back, and what comes next lies as low as it can. */
Test(order, what_was_given_back_is_not_looked_for)
{
	use_rounds(5, false);
	cr_assert(ksmalloc_trim());
	use_rounds(1, false);
	for (uint32_t i = 1; i < BLOCKS; i++)
		cr_assert(blocks[i] > blocks[i - 1], "block %u", i);
}

/* The program frees from the lowest on, so that the highest came last. */
Test(order, a_block_that_has_to_be_aligned_or_grows_lies_as_low_as_it_can)
{
	char *usual, *aligned, *grown;
	bool falls;

	use_rounds(5, false);
	grown = ksmalloc_malloc(PAGES(BLOCK / 2));
	take_blocks(0);
	falls = blocks[BLOCKS / 2] < blocks[0];
	for (uint32_t i = 0; i < BLOCKS; i++)
		ksmalloc_free(blocks[falls ? BLOCKS - 1 - i : i]);
	ksm_magazine_flush(ksm_thread_self, site->magazines, 0);
	usual = ksmalloc_malloc(PAGES(BLOCK));
	aligned = ksmalloc_aligned_alloc(PAGES(2), PAGES(BLOCK));
	grown = ksmalloc_realloc(grown, PAGES(BLOCK));
	cr_assert(aligned < usual && grown < usual);
	for (uint32_t i = FEW; i < BLOCKS - FEW; i++)
		cr_assert(aligned < blocks[i] && grown < blocks[i] && blocks[i] < usual, "block %u", i);
}

Test(order, a_child_goes_on_with_what_it_found)
{
	int status = 1;
	pid_t pid;

	use_rounds(5, false);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0)
		alarm(60); /* what fails in a child does not end it */
	use_rounds(3, false);
	if (pid == 0)
		_exit(in_opposite_order() < BLOCKS - FEW);
	cr_assert_geq(in_opposite_order(), BLOCKS - FEW, "%u blocks", in_opposite_order());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}

#define THREADS 3
#define ROUNDS	20

/* Fills and frees rows at one site, beside others that do; each block is nobody else's meanwhile. */
static void *use_rows(void *argument)
{
	char *rows[4 * ROW], mark = *(const char *)argument;

	cr_assert_eq(ksmalloc_label_begin("newest"), 0);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t count = (2 + round % 3) * ROW;

		for (uint32_t i = 0; i < count; i++) {
			rows[i] = ksmalloc_malloc(PAGES(BLOCK));
			memset(rows[i], mark, PAGES(BLOCK));
		}
		for (uint32_t i = 0; i < count; i++) {
			uint32_t at = round % 2 ? i : count - 1 - i;

			for (size_t page = 0; page < PAGES(BLOCK); page += PAGES(1))
				cr_assert_eq(rows[at][page], mark);
			ksmalloc_free(rows[at]);
		}
	}
	ksmalloc_label_end();
	return argument;
}

Test(order, rows_of_several_threads_have_no_block_in_common)
{
	static char marks[THREADS] = { 1, 2, 3 };
	pthread_t threads[THREADS];
	struct ksm_pool *own;

	use_rounds(5, false);
	cr_assert_gt(ksm_keep_earned(), 0);
	for (uint32_t i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, use_rows, &marks[i]), 0);
	for (uint32_t i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	own = site->magazines->pool;
	ksm_magazine_flush_all(ksm_thread_self);
	for (const struct ksm_slot *each = own->first; each; each = each->next) {
		cr_assert_eq(each->runs.used_pages, 0);
		cr_assert(ksm_runs_check(&each->runs));
	}
	check_counts(0);
}
