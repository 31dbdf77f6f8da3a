// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of mm/ksm_index.c: what is in an index is found, and nothing else, whether
 * it is a tree or a hash table.
 */
#include <kunit/test.h>
#include <linux/mm.h>

#include "../ksm_index.h"

/* So many that a hash table grows several times. */
#define ITEMS 5000

/* What is looked for: of several contents that have a checksum in common. */
struct item {
	struct ksm_index_node node;
	unsigned long content;
	unsigned int checksum;
	bool inside;
};

struct world {
	struct ksm_index index;
	struct item *items;
};

static void world_free(void *data)
{
	struct world *world = data;

	ksm_index_reset(&world->index);
	ksm_index_set_hash(&world->index, false);
	kvfree(world->items);
}

/* Contents are all different, and three of them have the same checksum each. */
static struct world *world_new(struct kunit *test)
{
	bool hash = *(const bool *)test->param_value;
	struct world *world = kunit_kzalloc(test, sizeof(*world), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, world);
	ksm_index_init(&world->index,
		       KSM_INDEX_CHECKSUM(struct item, node, checksum));
	world->items = kvcalloc(ITEMS, sizeof(struct item), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, world->items);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, world_free, world), 0);
	KUNIT_ASSERT_EQ(test, ksm_index_set_hash(&world->index, hash), 0);
	for (i = 0; i < ITEMS; i++) {
		world->items[i].content = i;
		world->items[i].checksum = (i / 3) * 0x9e3779b1U;
	}
	return world;
}

/* The item of this content, or NULL, and then where it would be inserted. */
static struct item *search(struct world *world, const struct item *wanted,
			   struct ksm_index_pos *pos)
{
	struct ksm_index_node *node;
	struct item *item;

	node = ksm_index_find(&world->index, wanted->checksum, pos);
	while (node) {
		item = container_of(node, struct item, node);
		if (item->content == wanted->content)
			return item;
		node = ksm_index_next_equal(&world->index, wanted->checksum, pos,
					    wanted->content < item->content ? -1 : 1);
	}
	return NULL;
}

static void insert(struct kunit *test, struct world *world, struct item *item)
{
	struct ksm_index_pos pos;

	KUNIT_EXPECT_NULL(test, search(world, item, &pos));
	ksm_index_insert(&world->index, &item->node, &pos);
	item->inside = true;
}

static void erase(struct world *world, struct item *item)
{
	ksm_index_erase(&world->index, &item->node);
	item->inside = false;
}

/* Exactly those are found that are inside, each once if all are gone through. */
static void check(struct kunit *test, struct world *world)
{
	unsigned int i, inside = 0, wrong = 0, seen = 0;
	struct ksm_index_node *node;
	struct ksm_index_pos pos;
	struct item *item;

	for (i = 0; i < ITEMS; i++) {
		item = search(world, &world->items[i], &pos);
		if (item != (world->items[i].inside ? &world->items[i] : NULL))
			wrong++;
		inside += world->items[i].inside;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	for (node = ksm_index_first(&world->index); node;
	     node = ksm_index_next(&world->index, node)) {
		if (!container_of(node, struct item, node)->inside)
			wrong++;
		seen++;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, seen, inside);
}

static void test_find(struct kunit *test)
{
	struct world *world = world_new(test);
	unsigned int i;

	check(test, world);
	for (i = 0; i < ITEMS; i++)
		insert(test, world, &world->items[(i * 7UL) % ITEMS]);
	check(test, world);
	for (i = 0; i < ITEMS; i += 2)
		erase(world, &world->items[i]);
	check(test, world);
	for (i = 0; i < ITEMS; i += 2)
		insert(test, world, &world->items[i]);
	check(test, world);
}

/* What is put in place of another node is found in its place. */
static void test_replace(struct kunit *test)
{
	struct world *world = world_new(test);
	struct item other = {};
	struct ksm_index_pos pos;
	unsigned int i;

	for (i = 0; i < 100; i++)
		insert(test, world, &world->items[i]);
	other.content = world->items[7].content;
	other.checksum = world->items[7].checksum;
	ksm_index_replace(&world->index, &world->items[7].node, &other.node);
	KUNIT_EXPECT_PTR_EQ(test, search(world, &world->items[7], &pos), &other);
	ksm_index_replace(&world->index, &other.node, &world->items[7].node);
	check(test, world);
}

/* A search goes on behind a node that was replaced while it stood there. */
static void test_replace_in_search(struct kunit *test)
{
	struct world *world = world_new(test);
	struct ksm_index_node *node;
	struct ksm_index_pos pos;
	struct item *item, other = {};
	int found = 0;

	/* These three have the same checksum. */
	insert(test, world, &world->items[1]);
	insert(test, world, &world->items[0]);
	insert(test, world, &world->items[2]);
	node = ksm_index_find(&world->index, world->items[0].checksum, &pos);
	while (node && found < 3) {
		item = container_of(node, struct item, node);
		other = *item;
		ksm_index_replace(&world->index, &item->node, &other.node);
		ksm_index_replace(&world->index, &other.node, &item->node);
		found++;
		node = ksm_index_next_equal(&world->index,
					    world->items[0].checksum, &pos, 1);
	}
	/* A tree is gone through in one direction, a bucket to its end. */
	KUNIT_EXPECT_GE(test, found, 1);
	check(test, world);
}

/* After a reset, the nodes are anybody's, and the table shrinks step by step. */
static void test_reset(struct kunit *test)
{
	struct world *world = world_new(test);
	unsigned int i, bits, resets = 0;

	for (i = 0; i < ITEMS; i++)
		insert(test, world, &world->items[i]);
	ksm_index_reset(&world->index);
	for (i = 0; i < ITEMS; i++)
		world->items[i].inside = false;
	check(test, world);
	bits = world->index.bits;
	while (resets++ < 20)
		ksm_index_reset(&world->index);
	KUNIT_EXPECT_LE(test, world->index.bits, bits);
	for (i = 0; i < 50; i++)
		insert(test, world, &world->items[i]);
	check(test, world);
}

/* An empty index may be made the other one, as often as one likes. */
static void test_switch(struct kunit *test)
{
	struct world *world = world_new(test);
	unsigned int i, times;

	for (times = 0; times < 4; times++) {
		KUNIT_EXPECT_EQ(test, ksm_index_set_hash(&world->index, times % 2), 0);
		KUNIT_EXPECT_EQ(test, !!world->index.buckets, times % 2);
		for (i = 0; i < 30; i++)
			insert(test, world, &world->items[i]);
		check(test, world);
		for (i = 0; i < 30; i++)
			erase(world, &world->items[i]);
	}
}

static const bool kinds[] = { false, true };

static void kind_name(const bool *hash, char *name)
{
	strscpy(name, *hash ? "hash" : "rbtree", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(kind, kinds, kind_name);

static struct kunit_case ksm_index_cases[] = {
	KUNIT_CASE_PARAM(test_find, kind_gen_params),
	KUNIT_CASE_PARAM(test_replace, kind_gen_params),
	KUNIT_CASE_PARAM(test_replace_in_search, kind_gen_params),
	KUNIT_CASE_PARAM(test_reset, kind_gen_params),
	KUNIT_CASE_PARAM(test_switch, kind_gen_params),
	{}
};

static struct kunit_suite ksm_index_suite = {
	.name = "ksm_index",
	.test_cases = ksm_index_cases,
};

kunit_test_suite(ksm_index_suite);

MODULE_DESCRIPTION("KUnit tests of the index of KSM's contents");
MODULE_LICENSE("GPL");
