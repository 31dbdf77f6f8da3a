/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A B+tree. A leaf has ranges; a node above has, for each node below it, the span from its first
 * range to its last one, and the longest gap inside of that, unless nobody ever searched for one.
 * Nodes are split when they are full, and joined with a neighbour when both together fill three
 * quarters of one.
 */
#include "mapping/ranges.h"

#include "os/os.h"

#include <string.h>

/* In user space no address has the highest bit set. */
struct span {
	uint64_t begin : 63;
	uint64_t reserved : 1; /* of ranges */
	uint64_t end;
};

/* The longest pieces between the spans of a node and of those below it. */
struct gaps {
	uint64_t any;
	uint64_t aligned; /* what is left of it from a multiple of the alignment on */
};

struct below {
	struct ksm_ranges_node *node;
	struct gaps gaps;
};

#define LEAF_SPANS 63
#define INNER_SPANS 25
/* With nine nodes below each on average these are enough for all pages of an address space. */
#define LEVELS 12

struct ksm_ranges_node {
	uint16_t count;
	uint16_t level; /* 0 for a leaf */
	union {
		struct span spans[LEAF_SPANS];
		struct {
			struct span inner_spans[INNER_SPANS];
			struct below below[INNER_SPANS];
		};
	};
};

static_assert(sizeof(struct ksm_ranges_node) <= KSM_RANGES_NODE_BYTES, "nodes fit into the pool's");

/* What a node holds at one index. */
struct entry {
	struct span span;
	struct below below; /* not in leaves */
};

/* The way from a leaf to the root, by level: a node and an index in it. */
struct step {
	struct ksm_ranges_node *node;
	uint32_t at;
};

/* --- one node ---------------------------------------------------------------------------- */

static uint32_t capacity_of(const struct ksm_ranges_node *node)
{
	return node->level ? INNER_SPANS : LEAF_SPANS;
}

static struct ksm_ranges_node *make_node(struct ksm_ranges *set, uint32_t level)
{
	struct ksm_ranges_node *node = ksm_ranges_pool_take(&set->pool);

	node->count = 0;
	node->level = (uint16_t)level;
	return node;
}

/* The index of the first span that ends after address; the number of spans if none does. */
static uint32_t index_of(const struct ksm_ranges_node *node, uintptr_t address)
{
	const struct span *first = node->spans;
	uint32_t left = node->count;

	/* Halves without a branch, which would be guessed wrong every second time. */
	while (left > 1) {
		uint32_t half = left / 2;

		first += first[half - 1].end <= address ? half : 0;
		left -= half;
	}
	return (uint32_t)(first - node->spans) + (left && first->end <= address);
}

static void set_entry(struct ksm_ranges_node *node, uint32_t at, const struct entry *entry)
{
	node->spans[at] = entry->span;
	if (node->level)
		node->below[at] = entry->below;
}

/* Moves the entries from index on so that they begin at index to. */
static void shift(struct ksm_ranges_node *node, uint32_t from, uint32_t to)
{
	uint32_t count = node->count - from;

	memmove(&node->spans[to], &node->spans[from], count * sizeof(node->spans[0]));
	if (node->level)
		memmove(&node->below[to], &node->below[from], count * sizeof(node->below[0]));
	node->count = (uint16_t)(to + count);
}

static void open_entry(struct ksm_ranges_node *node, uint32_t at, const struct entry *entry)
{
	shift(node, at, at + 1);
	set_entry(node, at, entry);
}

static void close_entry(struct ksm_ranges_node *node, uint32_t at)
{
	shift(node, at + 1, at);
}

/* Moves the entries from index at on to the end of another node of the same level. */
static void append_tail(struct ksm_ranges_node *to, struct ksm_ranges_node *from, uint32_t at)
{
	uint32_t count = from->count - at;

	memcpy(&to->spans[to->count], &from->spans[at], count * sizeof(to->spans[0]));
	if (to->level)
		memcpy(&to->below[to->count], &from->below[at], count * sizeof(to->below[0]));
	to->count = (uint16_t)(to->count + count);
	from->count = (uint16_t)at;
}

static uint64_t aligned_gap(uintptr_t begin, uintptr_t end)
{
	uintptr_t aligned = ksm_align_up(begin, KSM_RANGES_ALIGNMENT);

	return aligned < end ? end - aligned : 0;
}

static struct gaps gaps_of(const struct ksm_ranges_node *node)
{
	struct gaps gaps = {0, 0};

	for (uint32_t i = 0; i + 1 < node->count; i++) {
		uintptr_t begin = node->spans[i].end;
		uintptr_t end = node->spans[i + 1].begin;

		/* Most gaps are short: only those that are the longest so far matter. */
		if (end - begin > gaps.any)
			gaps.any = end - begin;
		if (end - begin > gaps.aligned)
			gaps.aligned = ksm_max(gaps.aligned, aligned_gap(begin, end));
	}
	for (uint32_t i = 0; node->level && i < node->count; i++) {
		gaps.any = ksm_max(gaps.any, node->below[i].gaps.any);
		gaps.aligned = ksm_max(gaps.aligned, node->below[i].gaps.aligned);
	}
	return gaps;
}

/* What the node above has to say of this one. */
static struct entry describe(const struct ksm_ranges *set, struct ksm_ranges_node *node)
{
	struct entry entry = {
		.span = {.begin = node->spans[0].begin, .end = node->spans[node->count - 1].end},
		.below = {.node = node},
	};

	if (set->keeps_gaps)
		entry.below.gaps = gaps_of(node);
	return entry;
}

/* --- the tree ---------------------------------------------------------------------------- */

/*
 * Finds the first range that ends after address, and the way to it. If there is none, the way
 * leads to the place behind the last one.
 */
static struct span *descend(const struct ksm_ranges *set, uintptr_t address, struct step *path)
{
	struct ksm_ranges_node *node = set->root;
	uint32_t at;

	if (!node)
		return NULL;
	for (;; node = node->below[at].node) {
		at = index_of(node, address);
		if (node->level && at == node->count)
			at--;
		path[node->level] = (struct step){node, at};
		if (node->level == 0)
			return at < node->count ? &node->spans[at] : NULL;
	}
}

/* The node on the way at this level changed: says so above, as far as that makes a difference. */
static void refresh(struct ksm_ranges *set, struct step *path, uint32_t level)
{
	for (; path[level].node != set->root; level++) {
		struct step *above = &path[level + 1];
		struct entry entry = describe(set, path[level].node);
		const struct span *span = &above->node->spans[above->at];

		if (span->begin == entry.span.begin && span->end == entry.span.end &&
		    memcmp(&above->node->below[above->at], &entry.below, sizeof(entry.below)) == 0)
			return;
		set_entry(above->node, above->at, &entry);
	}
}

/*
 * Puts the entry into a full node, whose upper part goes to a new one. At either end nothing
 * moves: ranges mostly come in order, and nodes stay full then.
 */
static struct ksm_ranges_node *split(struct ksm_ranges *set, struct ksm_ranges_node *node,
				     uint32_t at, const struct entry *entry)
{
	struct ksm_ranges_node *right = make_node(set, node->level);
	uint32_t keep = at == 0 || at == node->count ? at : node->count / 2u;

	append_tail(right, node, keep);
	if (at < keep || keep == 0)
		open_entry(node, at, entry);
	else
		open_entry(right, at - keep, entry);
	return right;
}

/* The root was split: a new one has both halves. */
static void grow(struct ksm_ranges *set, struct ksm_ranges_node *left,
		 struct ksm_ranges_node *right)
{
	struct ksm_ranges_node *root = make_node(set, left->level + 1u);
	struct entry halves[2] = {describe(set, left), describe(set, right)};

	set_entry(root, 0, &halves[0]);
	set_entry(root, 1, &halves[1]);
	root->count = 2;
	set->root = root;
}

/* Inserts a range at the place that the way leads to. */
static bool insert(struct ksm_ranges *set, struct step *path, struct span span)
{
	struct entry entry = {.span = span};
	uint32_t level = 0;

	/* A new node at each level and a new root, at worst. */
	if (!ksm_ranges_pool_reserve(&set->pool, set->root ? set->root->level + 2u : 1))
		return false;
	if (!set->root) {
		set->root = make_node(set, 0);
		path[0] = (struct step){set->root, 0};
	}
	set->count++;
	set->bytes[span.reserved] += span.end - span.begin;
	for (; path[level].node->count == capacity_of(path[level].node); level++) {
		struct ksm_ranges_node *node = path[level].node;
		struct ksm_ranges_node *right = split(set, node, path[level].at, &entry);

		if (node == set->root) {
			grow(set, node, right);
			return true;
		}
		entry = describe(set, node);
		set_entry(path[level + 1].node, path[level + 1].at++, &entry);
		entry = describe(set, right);
	}
	open_entry(path[level].node, path[level].at, &entry);
	refresh(set, path, level);
	return true;
}

/* Joins the nodes below at index left and the next, if they are small; true if so. */
static bool join(struct ksm_ranges *set, struct ksm_ranges_node *above, uint32_t left)
{
	struct ksm_ranges_node *a = above->below[left].node;
	struct ksm_ranges_node *b = above->below[left + 1].node;
	struct entry entry;

	if (a->count + b->count > capacity_of(a) * 3 / 4)
		return false;
	append_tail(a, b, 0);
	ksm_ranges_pool_give(&set->pool, b);
	close_entry(above, left + 1);
	entry = describe(set, a);
	set_entry(above, left, &entry);
	return true;
}

/* The node on the way lost an entry. True if the one above it lost one, too. */
static bool shrink(struct ksm_ranges *set, struct step *path, uint32_t level)
{
	struct ksm_ranges_node *node = path[level].node;
	struct ksm_ranges_node *above = path[level + 1].node;
	uint32_t at = path[level + 1].at;

	if (node->count == 0) {
		ksm_ranges_pool_give(&set->pool, node);
		close_entry(above, at);
		return true;
	}
	if ((at > 0 && join(set, above, at - 1)) || (at + 1 < above->count && join(set, above, at)))
		return true;
	refresh(set, path, level);
	return false;
}

/* Takes out the range that the way leads to. */
static void erase(struct ksm_ranges *set, struct step *path)
{
	struct span span = path[0].node->spans[path[0].at];
	uint32_t level = 0;

	set->count--;
	set->bytes[span.reserved] -= span.end - span.begin;
	close_entry(path[0].node, path[0].at);
	while (path[level].node != set->root && shrink(set, path, level))
		level++;
	while (set->root && set->root->count <= 1 && (set->root->level || !set->root->count)) {
		struct ksm_ranges_node *root = set->root;

		set->root = root->count ? root->below[0].node : NULL;
		ksm_ranges_pool_give(&set->pool, root);
	}
}

/* Gives the range that the way leads to other ends; no other one lies there. */
static void stretch(struct ksm_ranges *set, struct step *path, uintptr_t begin, uintptr_t end)
{
	struct span *span = &path[0].node->spans[path[0].at];

	set->bytes[span->reserved] += (end - begin) - (span->end - span->begin);
	span->begin = begin & INT64_MAX;
	span->end = end;
	refresh(set, path, 0);
}

/* Takes [begin, end) out. The way leads to the first range that ends after begin then. */
static bool cut(struct ksm_ranges *set, uintptr_t begin, uintptr_t end, struct step *path)
{
	struct span *span;
	bool whole = true;

	while ((span = descend(set, begin, path)) && span->begin < end) {
		struct span rest = *span;

		if (rest.begin >= begin && rest.end <= end) {
			erase(set, path);
		} else if (rest.begin >= begin) {
			stretch(set, path, end, rest.end);
		} else {
			stretch(set, path, rest.begin, begin);
			if (rest.end <= end)
				continue;
			rest.begin = end & INT64_MAX;
			descend(set, end, path);
			whole = insert(set, path, rest);
		}
	}
	return whole;
}

bool ksm_ranges_remove(struct ksm_ranges *set, uintptr_t begin, uintptr_t end)
{
	struct step path[LEVELS];

	return cut(set, begin, end, path);
}

/* The range that ends at address, and the way to it; path leads to the first that ends behind it.
 */
static struct span *ending_at(const struct ksm_ranges *set, uintptr_t address,
			      const struct step *path, struct step *before)
{
	struct span *span;

	if (set->root && path[0].at > 0) {
		memcpy(before, path, (set->root->level + 1u) * sizeof(*before));
		span = &before[0].node->spans[--before[0].at];
	} else {
		span = descend(set, address - 1, before);
	}
	return span && span->end == address ? span : NULL;
}

/* The range that the way leads to, if it begins at address. */
static struct span *beginning_at(const struct ksm_ranges *set, uintptr_t address,
				 const struct step *path)
{
	if (!set->root || path[0].at == path[0].node->count ||
	    path[0].node->spans[path[0].at].begin != address)
		return NULL;
	return &path[0].node->spans[path[0].at];
}

bool ksm_ranges_add(struct ksm_ranges *set, struct ksm_range range)
{
	struct step before[LEVELS], behind[LEVELS];
	bool whole = cut(set, range.begin, range.end, behind);
	struct span *left = ending_at(set, range.begin, behind, before);
	struct span *right = beginning_at(set, range.end, behind);

	if (left && left->reserved != range.reserved)
		left = NULL;
	if (right && right->reserved != range.reserved)
		right = NULL;
	if (left && right) {
		range.begin = left->begin;
		range.end = right->end;
		erase(set, behind);
		descend(set, range.begin, before);
		stretch(set, before, range.begin, range.end);
	} else if (left) {
		stretch(set, before, left->begin, range.end);
	} else if (right) {
		stretch(set, behind, range.begin, right->end);
	} else {
		struct span span = {range.begin & INT64_MAX, range.reserved, range.end};

		whole = insert(set, behind, span) && whole;
	}
	return whole;
}

bool ksm_ranges_find(const struct ksm_ranges *set, uintptr_t address, struct ksm_range *range)
{
	struct step path[LEVELS];
	const struct span *span = descend(set, address, path);

	if (span)
		*range = (struct ksm_range){span->begin, span->end, span->reserved};
	return span != NULL;
}

/* --- places ------------------------------------------------------------------------------ */

/* Is the gap behind the span at this index long enough? There is a span behind it. */
static bool has_room(const struct ksm_ranges_node *node, uint32_t at, size_t length, bool aligned)
{
	uintptr_t begin = node->spans[at].end;
	uintptr_t end = node->spans[at + 1].begin;

	return (aligned ? aligned_gap(begin, end) : end - begin) >= length;
}

static bool has_room_below(const struct ksm_ranges_node *node, uint32_t at, size_t length,
			   bool aligned)
{
	const struct gaps *gaps = &node->below[at].gaps;

	return (aligned ? gaps->aligned : gaps->any) >= length;
}

/* Where the first such gap in or below a node begins. There is one. */
static uintptr_t first_room(const struct ksm_ranges_node *node, size_t length, bool aligned)
{
	uint32_t at = 0;

	for (;;) {
		if (node->level && has_room_below(node, at, length, aligned)) {
			node = node->below[at].node;
			at = 0;
		} else if (has_room(node, at, length, aligned)) {
			return node->spans[at].end;
		} else {
			at++;
		}
	}
}

/* The end of the first range, from the one that the way leads to on, that has such a gap behind it.
 */
static uintptr_t next_room(const struct ksm_ranges *set, const struct step *path, size_t length,
			   bool aligned)
{
	for (uint32_t level = 0; level <= set->root->level; level++) {
		const struct ksm_ranges_node *node = path[level].node;

		for (uint32_t at = path[level].at; at + 1 < node->count; at++) {
			if (has_room(node, at, length, aligned))
				return node->spans[at].end;
			if (level && has_room_below(node, at + 1, length, aligned))
				return first_room(node->below[at + 1].node, length, aligned);
		}
	}
	return set->root->spans[set->root->count - 1].end;
}

/* The first search: from now on nodes know their gaps. */
KSM_COLD static void find_gaps(struct ksm_ranges *set, struct ksm_ranges_node *node)
{
	for (uint32_t i = 0; node->level && i < node->count; i++) {
		find_gaps(set, node->below[i].node);
		node->below[i].gaps = gaps_of(node->below[i].node);
	}
}

uintptr_t ksm_ranges_place(struct ksm_ranges *set, uintptr_t at, uintptr_t end, size_t length,
			   size_t alignment)
{
	struct step path[LEVELS];
	const struct span *span;

	if (ksm_unlikely(!set->keeps_gaps) && set->root)
		find_gaps(set, set->root);
	set->keeps_gaps = true;
	at = ksm_align_up(at, alignment);
	span = descend(set, at, path);
	if (span && span->begin < at + length)
		at = ksm_align_up(next_room(set, path, length, alignment > KSM_PAGE), alignment);
	return at + length <= end ? at : 0;
}

/* --- for tests --------------------------------------------------------------------------- */

struct tally {
	struct span last; /* of the ranges seen so far */
	size_t count;
	uint64_t bytes[2];
	uint32_t nodes;
};

static bool check_leaf(const struct ksm_ranges_node *node, struct tally *tally)
{
	for (uint32_t i = 0; i < node->count; i++) {
		struct span span = node->spans[i];

		if (span.begin >= span.end || span.begin < tally->last.end ||
		    (tally->count && span.begin == tally->last.end &&
		     span.reserved == tally->last.reserved))
			return false;
		tally->last = span;
		tally->count++;
		tally->bytes[span.reserved] += span.end - span.begin;
	}
	return true;
}

static bool check_node(const struct ksm_ranges *set, struct ksm_ranges_node *node,
		       struct tally *tally)
{
	tally->nodes++;
	if (node->count == 0 || node->count > capacity_of(node))
		return false;
	if (node->level == 0)
		return check_leaf(node, tally);
	for (uint32_t i = 0; i < node->count; i++) {
		struct ksm_ranges_node *below = node->below[i].node;
		struct entry entry = describe(set, below);

		if (below->level + 1 != node->level || node->spans[i].begin != entry.span.begin ||
		    node->spans[i].end != entry.span.end ||
		    memcmp(&node->below[i], &entry.below, sizeof(entry.below)) != 0 ||
		    !check_node(set, below, tally))
			return false;
	}
	return true;
}

bool ksm_ranges_check(const struct ksm_ranges *set)
{
	struct tally tally = {.count = 0};

	if (set->root && (set->root->level >= LEVELS || !check_node(set, set->root, &tally)))
		return false;
	return tally.count == set->count && tally.bytes[0] == set->bytes[0] &&
	       tally.bytes[1] == set->bytes[1] && tally.nodes == set->pool.used;
}
