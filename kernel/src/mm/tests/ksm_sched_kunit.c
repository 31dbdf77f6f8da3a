// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of mm/ksm_sched.c: which hinted memory is visited next.
 */
#include <kunit/test.h>

#include "../ksm_sched.h"

#define LANES 4

/* What a process does in a test: pages of one priority, of which some merge. */
struct memory {
	struct ksm_lane lane;
	unsigned int pages[KSM_SCHED_PRIORITIES + 1];
	bool merges;
	unsigned long visits[KSM_SCHED_PRIORITIES + 1];
	unsigned long passes[KSM_SCHED_PRIORITIES + 1];
	unsigned long total;
};

struct world {
	struct ksm_sched sched;
	struct memory memory[LANES];
};

static struct world *world_new(struct kunit *test, int lanes)
{
	struct world *world = kunit_kzalloc(test, sizeof(*world), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, world);
	INIT_LIST_HEAD(&world->sched.queue);
	for (i = 0; i < lanes; i++) {
		ksm_lane_init(&world->memory[i].lane, &world->memory[i]);
		ksm_lane_join(&world->sched, &world->memory[i].lane);
	}
	return world;
}

static void memory_add(struct memory *memory, unsigned int priority,
		       unsigned int pages)
{
	memory->pages[priority] = pages;
	ksm_lane_add(&memory->lane, priority, false);
}

/* Visit one page, or end passes until there is one. False if there is none. */
static bool visit(struct world *world)
{
	struct ksm_sched_class *class;
	struct memory *memory;
	struct ksm_lane *lane;
	unsigned int priority;

	while ((lane = ksm_sched_pick(&world->sched, &priority))) {
		memory = lane->owner;
		class = &lane->class[priority - 1];
		if (class->address < memory->pages[priority]) {
			ksm_sched_visited(lane, priority, class->address + 1,
					  memory->merges);
			memory->visits[priority]++;
			memory->total++;
			return true;
		}
		ksm_sched_pass_end(&world->sched, lane, priority);
		memory->passes[priority]++;
	}
	return false;
}

/* A batch of so many pages: returns how many were visited. */
static unsigned int batch(struct world *world, unsigned int pages)
{
	unsigned int i;

	ksm_sched_batch(&world->sched, pages, 100);
	for (i = 0; i < pages && visit(world); i++)
		;
	return i;
}

static void batches(struct world *world, int count, unsigned int pages)
{
	while (count--)
		batch(world, pages);
}

/* The same while the process says before each that there may be more. */
static void batches_woken(struct world *world, struct memory *memory, int count)
{
	while (count--) {
		ksm_lane_wake(&memory->lane);
		batch(world, 100);
	}
}

static void test_batch_share(struct kunit *test)
{
	struct world *world = world_new(test, 0);
	unsigned int sum = 0;
	int i;

	KUNIT_EXPECT_EQ(test, ksm_sched_batch(&world->sched, 100, 80), 80);
	KUNIT_EXPECT_EQ(test, ksm_sched_batch(&world->sched, 100, 0), 0);
	KUNIT_EXPECT_EQ(test, ksm_sched_batch(&world->sched, 100, 100), 100);
	KUNIT_EXPECT_EQ(test, ksm_sched_batch(&world->sched, UINT_MAX, 100),
			UINT_MAX);
	/* What is less than a page is kept for the next batch. */
	for (i = 0; i < 100; i++)
		sum += ksm_sched_batch(&world->sched, 1, 80);
	KUNIT_EXPECT_EQ(test, sum, 80);
}

static void test_batch_never_zero(struct kunit *test)
{
	struct world *world = world_new(test, 0);

	world->sched.batch = U32_MAX;
	ksm_sched_batch(&world->sched, 1, 100);
	KUNIT_EXPECT_EQ(test, world->sched.batch, 1);
}

static void test_pick_empty(struct kunit *test)
{
	struct world *world = world_new(test, 0);
	unsigned int priority;

	KUNIT_EXPECT_NULL(test, ksm_sched_pick(&world->sched, &priority));
	world = world_new(test, 3);
	KUNIT_EXPECT_NULL(test, ksm_sched_pick(&world->sched, &priority));
}

static void test_pass_once_per_batch(struct kunit *test)
{
	struct world *world = world_new(test, 1);
	struct memory *memory = &world->memory[0];

	memory->merges = true;
	memory_add(memory, 5, 10);
	KUNIT_EXPECT_EQ(test, batch(world, 100), 10);
	KUNIT_EXPECT_EQ(test, batch(world, 100), 10);
	/* A pass that ends in a batch is the last of that batch. */
	KUNIT_EXPECT_EQ(test, batch(world, 6), 6);
	KUNIT_EXPECT_EQ(test, batch(world, 100), 4);
}

static void test_lanes_equal(struct kunit *test)
{
	struct world *world = world_new(test, LANES);
	unsigned int priority;
	int i;

	/* One that claims all priorities gets no more than one with the least. */
	for (priority = 1; priority <= KSM_SCHED_PRIORITIES; priority++)
		memory_add(&world->memory[0], priority, 100000);
	for (i = 1; i < LANES; i++)
		memory_add(&world->memory[i], i, 100000);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, batch(world, 1000), 1000);
	for (i = 0; i < LANES; i++) {
		KUNIT_EXPECT_GE(test, world->memory[i].total,
				10000 / LANES - KSM_SCHED_QUANTUM);
		KUNIT_EXPECT_LE(test, world->memory[i].total,
				10000 / LANES + KSM_SCHED_QUANTUM);
	}
}

static void test_lane_keeps_no_credit(struct kunit *test)
{
	struct world *world = world_new(test, 2);

	memory_add(&world->memory[0], 1, 100000);
	batch(world, 10000);
	memory_add(&world->memory[1], 1, 100000);
	batch(world, 1000);
	KUNIT_EXPECT_LE(test, world->memory[1].total, 500 + KSM_SCHED_QUANTUM);
}

static void test_priority_weights(struct kunit *test)
{
	struct world *world = world_new(test, 1);
	struct memory *memory = &world->memory[0];

	memory_add(memory, 1, 100000);
	memory_add(memory, 4, 100000);
	memory_add(memory, 15, 100000);
	batch(world, 20000);
	KUNIT_EXPECT_GE(test, memory->visits[1], 990);
	KUNIT_EXPECT_LE(test, memory->visits[1], 1010);
	KUNIT_EXPECT_GE(test, memory->visits[4], 3960);
	KUNIT_EXPECT_LE(test, memory->visits[4], 4040);
}

static void test_priority_new_class(struct kunit *test)
{
	struct world *world = world_new(test, 1);
	struct memory *memory = &world->memory[0];

	memory_add(memory, 1, 100000);
	batch(world, 5000);
	/* It does not get what it would have got if it had come earlier. */
	memory_add(memory, 2, 100000);
	batch(world, 300);
	KUNIT_EXPECT_GE(test, memory->visits[1], 5095);
}

static void test_rest_after_idle_passes(struct kunit *test)
{
	struct world *world = world_new(test, 1);
	struct memory *memory = &world->memory[0];

	memory_add(memory, 1, 10);
	batches(world, 10, 100);
	KUNIT_EXPECT_EQ(test, memory->passes[1], KSM_SCHED_IDLE_PASSES);

	KUNIT_EXPECT_TRUE(test, ksm_lane_wake(&memory->lane));
	memory->merges = true;
	batches(world, 10, 100);
	KUNIT_EXPECT_EQ(test, memory->passes[1], KSM_SCHED_IDLE_PASSES + 10);
}

static void test_wake_in_vain(struct kunit *test)
{
	struct world *world = world_new(test, 1);
	struct memory *memory = &world->memory[0];

	memory_add(memory, 15, 10);
	batches_woken(world, memory, 100);
	/* Woken as often as may be, it still stops. */
	KUNIT_EXPECT_LE(test, memory->passes[15],
			KSM_SCHED_FRUITLESS + KSM_SCHED_IDLE_PASSES);
	KUNIT_EXPECT_FALSE(test, ksm_lane_wake(&memory->lane));

	/* And in each epoch after that it gets no more than this. */
	memory->passes[15] = 0;
	ksm_sched_epoch_begin(&world->sched);
	batches_woken(world, memory, 100);
	KUNIT_EXPECT_LE(test, memory->passes[15], KSM_SCHED_IDLE_PASSES);
}

static void test_wake_empty_is_free(struct kunit *test)
{
	struct world *world = world_new(test, 1);
	struct memory *memory = &world->memory[0];

	/* Hinted while it was empty: nothing was lost by looking. */
	memory_add(memory, 1, 0);
	batches_woken(world, memory, 100);
	KUNIT_EXPECT_TRUE(test, ksm_lane_wake(&memory->lane));
}

static void test_wake_others(struct kunit *test)
{
	struct world *world = world_new(test, 2);

	memory_add(&world->memory[0], 1, 10);
	memory_add(&world->memory[1], 1, 10);
	batches(world, 5, 100);
	ksm_sched_wake_others(&world->sched, &world->memory[1].lane);
	batches(world, 5, 100);
	KUNIT_EXPECT_EQ(test, world->memory[0].passes[1],
			KSM_SCHED_IDLE_PASSES + 1);
	KUNIT_EXPECT_EQ(test, world->memory[1].passes[1], KSM_SCHED_IDLE_PASSES);
}

static void test_size(struct kunit *test)
{
	struct world *world = world_new(test, 1);
	struct memory *memory = &world->memory[0];

	memory_add(memory, 1, 800);
	ksm_lane_size(&memory->lane, 1000);
	batches(world, 5, 1000);
	KUNIT_EXPECT_FALSE(test, ksm_lane_size(&memory->lane, 1099));
	KUNIT_EXPECT_TRUE(test, ksm_lane_size(&memory->lane, 1100));
	/* What shrinks and grows again has grown. */
	KUNIT_EXPECT_FALSE(test, ksm_lane_size(&memory->lane, 500));
	KUNIT_EXPECT_FALSE(test, ksm_lane_size(&memory->lane, 599));
	KUNIT_EXPECT_TRUE(test, ksm_lane_size(&memory->lane, 600));
}

static void test_epoch_waits_for_all(struct kunit *test)
{
	struct world *world = world_new(test, 2);
	int i;

	KUNIT_EXPECT_TRUE(test, ksm_sched_epoch_done(&world->sched));
	memory_add(&world->memory[0], 1, 10);
	memory_add(&world->memory[1], 7, 1000);
	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_FALSE(test, ksm_sched_epoch_done(&world->sched));
		batch(world, 100);
	}
	batch(world, 100);
	KUNIT_EXPECT_TRUE(test, ksm_sched_epoch_done(&world->sched));
}

static void test_epoch_pass_begins_anew(struct kunit *test)
{
	struct world *world = world_new(test, 1);
	struct memory *memory = &world->memory[0];

	memory_add(memory, 1, 100);
	batch(world, 60);
	ksm_sched_epoch_begin(&world->sched);
	batch(world, 60);
	/* 40 more pages would complete a pass that began before the epoch. */
	KUNIT_EXPECT_FALSE(test, ksm_sched_epoch_done(&world->sched));
	batch(world, 60);
	KUNIT_EXPECT_TRUE(test, ksm_sched_epoch_done(&world->sched));
}

static void test_epoch_late(struct kunit *test)
{
	struct world *world = world_new(test, 1);
	struct memory *memory = &world->memory[0];

	memory->pages[3] = 10;
	ksm_lane_add(&memory->lane, 3, true);
	KUNIT_EXPECT_TRUE(test, ksm_sched_epoch_done(&world->sched));
	KUNIT_EXPECT_FALSE(test, ksm_lane_covers(&memory->lane, 3));
	batch(world, 100);
	KUNIT_EXPECT_TRUE(test, ksm_lane_covers(&memory->lane, 3));
	ksm_sched_epoch_begin(&world->sched);
	KUNIT_EXPECT_FALSE(test, ksm_sched_epoch_done(&world->sched));
}

static void test_epoch_covers_all(struct kunit *test)
{
	struct world *world = world_new(test, 1);
	struct memory *memory = &world->memory[0];
	int i, epoch;

	/* Whatever rests: in each epoch, either lane visits the memory. */
	memory_add(memory, 2, 10);
	for (epoch = 0; epoch < 10; epoch++) {
		KUNIT_EXPECT_TRUE(test, ksm_lane_covers(&memory->lane, 2));
		for (i = 0; i < 5; i++)
			batch(world, 100);
		KUNIT_EXPECT_TRUE(test, ksm_lane_covers(&memory->lane, 2));
		KUNIT_EXPECT_TRUE(test, ksm_sched_epoch_done(&world->sched));
		ksm_sched_epoch_begin(&world->sched);
		KUNIT_EXPECT_GT(test, memory->passes[2], epoch);
	}
}

static void test_drop(struct kunit *test)
{
	struct world *world = world_new(test, 1);
	struct memory *memory = &world->memory[0];

	memory_add(memory, 2, 10);
	ksm_lane_drop(&memory->lane, 2);
	KUNIT_EXPECT_EQ(test, batch(world, 100), 0);
	KUNIT_EXPECT_TRUE(test, ksm_sched_epoch_done(&world->sched));
	KUNIT_EXPECT_FALSE(test, ksm_lane_covers(&memory->lane, 2));
}

static void test_all_late(struct kunit *test)
{
	struct world *world = world_new(test, 1);
	struct memory *memory = &world->memory[0];

	memory_add(memory, 2, 10);
	batch(world, 100);
	ksm_sched_all_late(&world->sched);
	KUNIT_EXPECT_TRUE(test, ksm_sched_epoch_done(&world->sched));
	KUNIT_EXPECT_FALSE(test, ksm_lane_covers(&memory->lane, 2));
}

static void test_reset(struct kunit *test)
{
	struct world *world = world_new(test, 1);
	struct memory *memory = &world->memory[0];

	memory_add(memory, 2, 10);
	batches(world, 10, 100);
	ksm_sched_reset(&world->sched);
	KUNIT_EXPECT_FALSE(test, ksm_sched_epoch_done(&world->sched));
	KUNIT_EXPECT_EQ(test, batch(world, 100), 10);
}

static struct kunit_case ksm_sched_cases[] = {
	KUNIT_CASE(test_batch_share),
	KUNIT_CASE(test_batch_never_zero),
	KUNIT_CASE(test_pick_empty),
	KUNIT_CASE(test_pass_once_per_batch),
	KUNIT_CASE(test_lanes_equal),
	KUNIT_CASE(test_lane_keeps_no_credit),
	KUNIT_CASE(test_priority_weights),
	KUNIT_CASE(test_priority_new_class),
	KUNIT_CASE(test_rest_after_idle_passes),
	KUNIT_CASE(test_wake_in_vain),
	KUNIT_CASE(test_wake_empty_is_free),
	KUNIT_CASE(test_wake_others),
	KUNIT_CASE(test_size),
	KUNIT_CASE(test_epoch_waits_for_all),
	KUNIT_CASE(test_epoch_pass_begins_anew),
	KUNIT_CASE(test_epoch_late),
	KUNIT_CASE(test_epoch_covers_all),
	KUNIT_CASE(test_drop),
	KUNIT_CASE(test_all_late),
	KUNIT_CASE(test_reset),
	{}
};

static struct kunit_suite ksm_sched_suite = {
	.name = "ksm_sched",
	.test_cases = ksm_sched_cases,
};

kunit_test_suite(ksm_sched_suite);

MODULE_DESCRIPTION("KUnit tests of the scheduler of hinted memory");
MODULE_LICENSE("GPL");
