/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as calls of the index of contents (mm/ksm_index.c), as a tree and as a hash table, with memory
 * that is there or not when the table is to grow. Beside it runs a model, an array: what is in it is found
 * by its checksum and content, and nothing else, and all of it is gone through once.
 */
#include "ksm_index.h"

#define TARGET "ksm_index"
#include "input.h"

#define ITEMS 2048
/* So many contents have a checksum in common. */
#define ALIKE 3

struct item {
	struct ksm_index_node node;
	unsigned int content;
	unsigned int checksum;
	bool inside, seen;
};

bool logic_no_memory;
static struct ksm_index index_;
/* Two of each content, so that one can be put in the other's place. */
static struct item items[2][ITEMS];
static unsigned int inside;

static struct item *item_of(struct ksm_index_node *node)
{
	return (struct item *)((char *)node - offsetof(struct item, node));
}

static struct item *search(unsigned int content, unsigned int checksum, struct ksm_index_pos *pos)
{
	struct ksm_index_node *node = ksm_index_find(&index_, checksum, pos);

	while (node) {
		struct item *item = item_of(node);

		need(item->inside, "what was found is not in it");
		need(item->checksum == checksum, "what was found has another checksum");
		if (item->content == content)
			return item;
		node = ksm_index_next_equal(&index_, checksum, pos, content < item->content ? -1 : 1);
	}
	return NULL;
}

/* Whoever of the two is inside, or NULL. */
static struct item *model(unsigned int content)
{
	return items[0][content].inside ? &items[0][content] : items[1][content].inside ? &items[1][content] : NULL;
}

static void change_one(unsigned int content, unsigned int what)
{
	struct item *have = model(content), *found, *other;
	struct ksm_index_pos pos;

	found = search(content, items[0][content].checksum, &pos);
	need(found == have, "what is in it is not found, or what is not is");
	if (!have) {
		ksm_index_insert(&index_, &items[what % 2][content].node, &pos);
		items[what % 2][content].inside = true;
		inside++;
	} else if (what % 3) {
		ksm_index_erase(&index_, &have->node);
		have->inside = false;
		inside--;
	} else {
		other = have == &items[0][content] ? &items[1][content] : &items[0][content];
		ksm_index_replace(&index_, &have->node, &other->node);
		have->inside = false;
		other->inside = true;
	}
}

static void go_through(void)
{
	struct ksm_index_node *node;
	unsigned int count = 0, content;

	for (node = ksm_index_first(&index_); node; node = ksm_index_next(&index_, node)) {
		need(item_of(node)->inside && !item_of(node)->seen, "one is met twice, or is not in it");
		item_of(node)->seen = true;
		count++;
	}
	need(count == inside, "not all are met");
	for (content = 0; content < ITEMS; content++)
		items[0][content].seen = items[1][content].seen = false;
}

static void reset(void)
{
	unsigned int content;

	ksm_index_reset(&index_);
	for (content = 0; content < ITEMS; content++)
		items[0][content].inside = items[1][content].inside = false;
	inside = 0;
	need(!ksm_index_first(&index_), "it is not empty");
}

static void step(void)
{
	unsigned int what = next_byte(), from = next_byte() << 3 | (what & 7), count, i;

	switch (what >> 4) {
	case 0:
		go_through();
		break;
	case 1:
		reset();
		break;
	case 2:
		/* Only what is empty becomes something else. */
		reset();
		need(ksm_index_set_hash(&index_, what & 1) == 0 || ((what & 1) && logic_no_memory), "it stays what it was");
		break;
	case 3:
		logic_no_memory = what & 1;
		break;
	default:
		/* Many at once, so that the table grows. */
		count = what & 8 ? 1 + next_byte() : 1;
		for (i = 0; i < count; i++)
			change_one((from + i) % ITEMS, what >> 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int content, copy;

	input = data;
	input_end = data + size;
	logic_no_memory = false;
	inside = 0;
	ksm_index_init(&index_, KSM_INDEX_CHECKSUM(struct item, node, checksum));
	for (copy = 0; copy < 2; copy++)
		for (content = 0; content < ITEMS; content++)
			items[copy][content] = (struct item){ .content = content, .checksum = content / ALIKE * 0x9e3779b1u };
	while (input < input_end)
		step();
	go_through();
	reset();
	logic_no_memory = false;
	ksm_index_set_hash(&index_, false);
	return 0;
}
