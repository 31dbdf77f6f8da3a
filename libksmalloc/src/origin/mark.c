/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A treap for each kind over the entries of the segment's table: a node's number is its entry's, and its priority
 * follows from that. What only the library needs of a mark lies beside the table, in memory that most processes
 * hardly touch.
 */
#include "origin/mark.h"

#include "system/lock.h"
#include "os/os.h"
#include "segment/stat.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define NOBODY ((uintptr_t)0)
#define SPINS  100
#define PAUSES 200 /* of some 50 microseconds each */

static_assert(KSMALLOC_MAX_MARKS <= UINT16_MAX, "a node's number has 16 bits, and 0 is none");

/* Of entry n - 1; 0 is no node. */
struct node {
	uint16_t left;
	uint16_t right;
	bool is_reserved;
};

#define CHUNK_NODES 2048u
#define CHUNKS	    (KSMALLOC_MAX_MARKS / CHUNK_NODES + 1)

/* Mapped when the first of them is needed, without a lock: most processes have few marks. */
static struct node *chunks[CHUNKS];

/* Synchronization: holder names the thread that may use the others; roots and used are read by others, too, as atomics. */
static struct {
	atomic_uintptr_t holder;
	uint16_t roots[KSMALLOC_MARK_KIND_COUNT];
	uint16_t free; /* linked by left */
	uint32_t used;
} marks;

static void count_dropped(void)
{
	ksm_stat_add(&ksm_stat->header.marks_dropped_total, 1);
}

/* --- the lock ---------------------------------------------------------------------------- */

static bool enter(void)
{
	uintptr_t me = (uintptr_t)pthread_self();

	if (ksm_unlikely(!ksm_stat))
		return false;
	for (int tries = 0; tries < SPINS + PAUSES; tries++) {
		uintptr_t holder = atomic_load_explicit(&marks.holder, memory_order_relaxed);

		if (holder == NOBODY &&
		    atomic_compare_exchange_strong_explicit(&marks.holder, &holder, me, memory_order_acquire,
							    memory_order_relaxed))
			return true;
		if (holder == me)
			break;
		if (tries >= SPINS)
			ksm_os_pause();
		else
			ksm_lock_relax();
	}
	count_dropped();
	return false;
}

static void leave(void)
{
	atomic_store_explicit(&marks.holder, NOBODY, memory_order_release);
}

static struct node *node_at(uint32_t node)
{
	return &chunks[node / CHUNK_NODES][node % CHUNK_NODES];
}

static bool has_chunk(uint32_t node)
{
	struct node **chunk = &chunks[node / CHUNK_NODES];
	void *memory;

	if (!*chunk && ksm_os_map(&memory, ksm_align_up(CHUNK_NODES * sizeof(struct node), KSM_PAGE), false) == 0)
		*chunk = memory;
	return *chunk;
}

/* --- entries; the lock is held ----------------------------------------------------------- */

static struct ksmalloc_segment_mark *entry_of(uint32_t node)
{
	return &ksm_stat->marks[node - 1];
}

static uintptr_t begin_of(uint32_t node)
{
	return entry_of(node)->address;
}

static uintptr_t end_of(uint32_t node)
{
	return entry_of(node)->address + entry_of(node)->bytes;
}

static void store(uint64_t *field, uint64_t value)
{
	__atomic_store_n(field, value, __ATOMIC_RELAXED);
}

/* Readers may look at any moment: the address comes last. */
static void fill(uint32_t node, uintptr_t address, size_t bytes, const struct ksm_mark_of *of)
{
	struct ksmalloc_segment_mark *entry = entry_of(node);

	store(&entry->turn, entry->turn + 1);
	store(&entry->bytes, bytes);
	store(&entry->weight, of->weight);
	__atomic_store_n(&entry->origin, of->origin, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->kind, (uint32_t)of->kind, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->address, address, __ATOMIC_RELEASE);
	node_at(node)->is_reserved = of->is_reserved;
}

static void describe(uint32_t node, struct ksm_mark_of *of)
{
	const struct ksmalloc_segment_mark *entry = entry_of(node);

	*of = (struct ksm_mark_of){ entry->weight, entry->origin, (enum ksmalloc_mark_kind)entry->kind,
				    node_at(node)->is_reserved };
}

static uint16_t take_node(void)
{
	uint16_t node = marks.free;
	struct ksmalloc_segment_mark *fresh;

	if (node) {
		marks.free = node_at(node)->left;
	} else {
		fresh = ksm_stat_add_mark();
		node = fresh ? (uint16_t)(fresh - ksm_stat->marks + 1) : 0;
	}
	if (!node || !has_chunk(node)) {
		count_dropped();
		return 0;
	}
	*node_at(node) = (struct node){ 0 };
	__atomic_store_n(&marks.used, marks.used + 1, __ATOMIC_RELAXED);
	return node;
}

static void free_node(uint16_t node)
{
	__atomic_store_n(&entry_of(node)->address, 0, __ATOMIC_RELEASE);
	node_at(node)->left = marks.free;
	marks.free = node;
	__atomic_store_n(&marks.used, marks.used - 1, __ATOMIC_RELAXED);
}

/* --- the order; the lock is held ---------------------------------------------------------- */

static uint32_t priority(uint32_t node)
{
	return node * UINT32_C(2654435761);
}

/* Divides a tree into what begins before the address and the rest. */
static void split(uint16_t tree, uintptr_t address, uint16_t *before, uint16_t *rest)
{
	if (!tree) {
		*before = *rest = 0;
	} else if (begin_of(tree) < address) {
		split(node_at(tree)->right, address, &node_at(tree)->right, rest);
		*before = tree;
	} else {
		split(node_at(tree)->left, address, before, &node_at(tree)->left);
		*rest = tree;
	}
}

/* Joins two trees, the first of which lies before the second. */
static uint16_t join(uint16_t first, uint16_t second)
{
	if (!first || !second)
		return first ? first : second;
	if (priority(first) > priority(second)) {
		node_at(first)->right = join(node_at(first)->right, second);
		return first;
	}
	node_at(second)->left = join(first, node_at(second)->left);
	return second;
}

/* Whether there is a tree, others ask without the lock. */
static void set_tree(uint16_t *link, uint16_t tree)
{
	__atomic_store_n(link, tree, __ATOMIC_RELAXED);
}

static void insert(uint16_t node, enum ksmalloc_mark_kind kind)
{
	uint16_t before, rest;

	split(marks.roots[kind], begin_of(node), &before, &rest);
	set_tree(&marks.roots[kind], join(join(before, node), rest));
}

/* Takes a node out of the order. */
static void take_out(uint16_t node, enum ksmalloc_mark_kind kind)
{
	uint16_t *link = &marks.roots[kind];

	while (*link && *link != node)
		link = begin_of(node) < begin_of(*link) ? &node_at(*link)->left : &node_at(*link)->right;
	if (*link)
		set_tree(link, join(node_at(node)->left, node_at(node)->right));
	*node_at(node) = (struct node){ 0 };
}

/* The first mark that ends behind the address; 0 if there is none. Marks do not overlap, so ends are ordered, too. */
static uint16_t first_behind(uintptr_t address, enum ksmalloc_mark_kind kind)
{
	uint16_t found = 0;

	for (uint16_t node = marks.roots[kind]; node;) {
		if (end_of(node) > address) {
			found = node;
			node = node_at(node)->left;
		} else {
			node = node_at(node)->right;
		}
	}
	return found;
}

/* --- ranges; the lock is held ------------------------------------------------------------- */

static uint64_t scale(uint64_t weight, uint64_t part, uint64_t whole)
{
	return part == whole || !whole ? weight : (uint64_t)((__uint128_t)weight * part / whole);
}

static void add(uintptr_t begin, uintptr_t end, const struct ksm_mark_of *of)
{
	uint16_t node = take_node();

	if (!node)
		return;
	fill(node, begin, end - begin, of);
	insert(node, of->kind);
}

/* A mark keeps [begin, end), a part of it that is not empty. */
static void shorten(uint32_t node, uintptr_t begin, uintptr_t end)
{
	struct ksmalloc_segment_mark *entry = entry_of(node);
	uint64_t weight = scale(entry->weight, end - begin, entry->bytes);
	bool moves = entry->address != begin;

	/* Its order among others stays: it only gives up bytes at its ends. */
	store(&entry->weight, weight);
	store(&entry->bytes, end - begin);
	if (moves)
		__atomic_store_n(&entry->address, begin, __ATOMIC_RELEASE);
}

static void clear(uintptr_t begin, uintptr_t end, enum ksmalloc_mark_kind kind)
{
	uint16_t node;

	while ((node = first_behind(begin, kind)) != 0 && begin_of(node) < end) {
		uintptr_t old_begin = begin_of(node), old_end = end_of(node);

		if (old_begin < begin && old_end > end) {
			struct ksm_mark_of rest;

			describe(node, &rest);
			rest.weight = scale(rest.weight, old_end - end, old_end - old_begin);
			shorten(node, old_begin, begin);
			add(end, old_end, &rest);
			return;
		}
		if (old_begin < begin) {
			shorten(node, old_begin, begin);
		} else if (old_end > end) {
			shorten(node, end, old_end);
			return;
		} else {
			take_out(node, kind);
			free_node(node);
		}
	}
}

static bool is_like(uint32_t node, const struct ksm_mark_of *of)
{
	const struct ksmalloc_segment_mark *entry = entry_of(node);

	/* Samples are counted; other marks are as good as one. */
	return entry->origin == of->origin && node_at(node)->is_reserved == of->is_reserved && entry->weight == entry->bytes &&
	       of->kind != KSMALLOC_MARK_LARGE;
}

/* Makes the neighbours before and behind longer, or one of both; false if there is none that is like it. */
static bool add_to_neighbours(uintptr_t begin, uintptr_t end, const struct ksm_mark_of *of)
{
	uint16_t before = begin ? first_behind(begin - 1, of->kind) : 0;
	uint16_t behind = first_behind(end, of->kind);
	bool has_before = before && end_of(before) == begin && is_like(before, of);
	bool has_behind = behind && begin_of(behind) == end && is_like(behind, of);
	uint64_t bytes = end - begin;

	if (of->weight != bytes || (!has_before && !has_behind))
		return false;
	if (has_behind)
		bytes += entry_of(behind)->bytes;
	if (has_before) {
		if (has_behind) {
			take_out(behind, of->kind);
			free_node(behind);
		}
		bytes += entry_of(before)->bytes;
		store(&entry_of(before)->weight, bytes);
		store(&entry_of(before)->bytes, bytes);
		return true;
	}
	store(&entry_of(behind)->weight, bytes);
	store(&entry_of(behind)->bytes, bytes);
	__atomic_store_n(&entry_of(behind)->address, begin, __ATOMIC_RELEASE);
	return true;
}

static void set(uintptr_t begin, uintptr_t end, const struct ksm_mark_of *of)
{
	clear(begin, end, of->kind);
	if (!add_to_neighbours(begin, end, of))
		add(begin, end, of);
}

/* --- the calls ---------------------------------------------------------------------------- */

static bool is_range(uintptr_t address, size_t bytes)
{
	return address && bytes && address + bytes > address;
}

void ksm_mark_set(uintptr_t address, size_t bytes, const struct ksm_mark_of *of)
{
	if (!is_range(address, bytes) || (!of->origin && of->kind != KSMALLOC_MARK_HEAP) || !enter())
		return;
	set(address, address + bytes, of);
	leave();
}

void ksm_mark_clear(uintptr_t address, size_t bytes, enum ksmalloc_mark_kind kind)
{
	/* Without the lock: who gives back memory knows what it has marked there. */
	if (!__atomic_load_n(&marks.roots[kind], __ATOMIC_RELAXED) || !is_range(address, bytes) || !enter())
		return;
	clear(address, address + bytes, kind);
	leave();
}

void ksm_mark_move(uintptr_t from, size_t from_bytes, uintptr_t to, size_t to_bytes, enum ksmalloc_mark_kind kind)
{
	struct ksm_mark_of of;
	uint16_t node;

	if (!is_range(from, from_bytes) || !enter())
		return;
	node = first_behind(from, kind);
	if (node && begin_of(node) < from + from_bytes) {
		describe(node, &of);
		/* A sample that has become longer stands for others that have. */
		of.weight = scale(of.weight, to_bytes, entry_of(node)->bytes);
		clear(from, from + from_bytes, kind);
		if (is_range(to, to_bytes))
			set(to, to + to_bytes, &of);
	}
	leave();
}

uint32_t ksm_mark_find(uintptr_t address, enum ksmalloc_mark_kind kind, size_t *rest)
{
	uint32_t origin = 0;
	uint16_t node;

	if (!enter())
		return 0;
	node = first_behind(address, kind);
	if (node && begin_of(node) <= address) {
		origin = entry_of(node)->origin;
		*rest = end_of(node) - address;
	}
	leave();
	return origin;
}

bool ksm_mark_is_reserved(uintptr_t address, size_t bytes, enum ksmalloc_mark_kind kind)
{
	uint16_t node;
	bool is = false;

	if (!__atomic_load_n(&marks.roots[kind], __ATOMIC_RELAXED) || !is_range(address, bytes) || !enter())
		return false;
	node = first_behind(address, kind);
	while (node && begin_of(node) < address + bytes && !is) {
		is = node_at(node)->is_reserved;
		node = first_behind(end_of(node), kind);
	}
	leave();
	return is;
}

uint32_t ksm_mark_add(uintptr_t address, size_t bytes, const struct ksm_mark_of *of)
{
	uint32_t node;

	if (!of->origin || !enter())
		return KSM_MARK_NONE;
	node = take_node();
	if (node)
		fill(node, address, bytes, of);
	if (node && of->kind == KSMALLOC_MARK_SMALL)
		ksm_stat_add(&ksm_stat->origins[of->origin].stats.sampled_bytes_total, of->weight);
	leave();
	return node;
}

void ksm_mark_drop(uint32_t handle)
{
	const struct ksmalloc_segment_mark *entry;

	if (handle == KSM_MARK_NONE)
		return;
	entry = entry_of(handle);
	if (entry->kind == KSMALLOC_MARK_SMALL)
		ksm_stat_add(&ksm_stat->origins[entry->origin].stats.sampled_freed_bytes_total, entry->weight);
	ksm_mark_forget(handle);
}

void ksm_mark_forget(uint32_t handle)
{
	if (handle == KSM_MARK_NONE)
		return;
	/* Better an entry that nobody uses again than a mark of nothing. */
	if (!enter()) {
		__atomic_store_n(&entry_of(handle)->address, 0, __ATOMIC_RELEASE);
		return;
	}
	free_node((uint16_t)handle);
	leave();
}

void ksm_mark_weigh(uint32_t handle, uint64_t weight)
{
	if (handle != KSM_MARK_NONE)
		store(&entry_of(handle)->weight, weight);
}

uint32_t ksm_mark_count(void)
{
	return __atomic_load_n(&marks.used, __ATOMIC_RELAXED);
}

/* The thread that had the lock does not exist here; what it was changing is not an order. */
static void build_anew(void)
{
	uint32_t count = ksm_stat->header.marks.count;

	memset(marks.roots, 0, sizeof(marks.roots));
	marks.free = 0;
	marks.used = count;
	for (uint16_t node = (uint16_t)count; node > 0 && has_chunk(node); node--) {
		enum ksmalloc_mark_kind kind = (enum ksmalloc_mark_kind)entry_of(node)->kind;
		uint16_t other;

		*node_at(node) = (struct node){ 0 };
		if (begin_of(node) && kind == KSMALLOC_MARK_SMALL)
			continue;
		other = begin_of(node) ? first_behind(begin_of(node), kind) : 0;
		if (!begin_of(node) || (other && begin_of(other) < end_of(node)))
			free_node(node);
		else
			insert(node, kind);
	}
}

void ksm_mark_postfork_child(void)
{
	uintptr_t holder = atomic_load(&marks.holder);

	if (holder == NOBODY || holder == (uintptr_t)pthread_self())
		return;
	build_anew();
	leave();
}
