/* SPDX-License-Identifier: BSD-2-Clause */
#include "slot/run_tree.h"

static bool is_same(struct ksm_run_free one, struct ksm_run_free other)
{
	return one.first == other.first && one.last == other.last && one.longest == other.longest;
}

/* Of two nodes side by side, of half pages each. */
static struct ksm_run_free join(struct ksm_run_free low, struct ksm_run_free high, uint32_t half)
{
	return (struct ksm_run_free){
		.first = low.first == half ? half + high.first : low.first,
		.last = high.last == half ? half + low.last : high.last,
		.longest = (uint32_t)ksm_max(ksm_max(low.longest, high.longest),
					     low.last + high.first),
	};
}

/* The pages of a node: those of one level have the same highest bit. */
static uint32_t pages_of(uint32_t leaves, uint32_t node)
{
	return leaves * KSM_CHUNK_PAGES >> (31 - __builtin_clz(node));
}

void ksm_run_tree_clear(struct ksm_run_free *tree, uint32_t leaves)
{
	for (uint32_t node = 1; node < 2 * leaves; node++) {
		uint32_t pages = pages_of(leaves, node);

		tree[node] = (struct ksm_run_free){ pages, pages, pages };
	}
}

void ksm_run_tree_set(struct ksm_run_free *tree, uint32_t leaves, uint32_t leaf, struct ksm_run_free value)
{
	uint32_t half = KSM_CHUNK_PAGES;

	/* Where a node is what it was, all that lies above it is, too. */
	for (uint32_t node = leaves + leaf; !is_same(value, tree[node]); half *= 2) {
		tree[node] = value;
		node /= 2;
		if (node == 0)
			return;
		value = join(tree[2 * node], tree[2 * node + 1], half);
	}
}

bool ksm_run_tree_check(const struct ksm_run_free *tree, uint32_t leaves)
{
	for (uint32_t node = 1; node < leaves; node++) {
		if (!is_same(join(tree[2 * node], tree[2 * node + 1], pages_of(leaves, node) / 2), tree[node]))
			return false;
	}
	return true;
}
