/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bitmaps of chunks, and a tree over the chunks (run_tree.h) that leads to the lowest free run that is long
 * enough. What it says of runs inside of a chunk is a bound, not exact: it is raised when pages
 * are freed and corrected when a search inside of the chunk found less, so that neither
 * taking nor freeing recounts.
 */
#include "slot/run.h"

#include "system/meta.h"

#include <errno.h>
#include <string.h>

#define SLACK_BITS  KSM_RUN_SLACK_BITS
#define CHUNK_SHIFT 9

static_assert(KSM_CHUNK_PAGES == 1u << CHUNK_SHIFT, "a chunk's pages are a power of two");
static_assert(KSM_RUN_MAX_PAGES < 1u << (32 - SLACK_BITS), "a block's pages fit beside its slack");

void ksm_runs_init(struct ksm_runs *runs, uint32_t capacity, bool has_owners)
{
	memset(runs, 0, sizeof(*runs));
	runs->capacity = capacity;
	runs->has_owners = has_owners;
	runs->chunks = runs->few;
	runs->chunk_slots = KSM_FEW_CHUNKS;
	runs->tree = runs->few_tree;
	ksm_run_tree_clear(runs->tree, KSM_FEW_CHUNKS);
}

static struct ksm_run_chunk *chunk_at(const struct ksm_runs *runs, uint32_t index)
{
	return index < runs->chunk_slots ? runs->chunks[index] : NULL;
}

static struct ksm_run_chunk *chunk_of(const struct ksm_runs *runs, uint32_t page)
{
	return chunk_at(runs, page >> CHUNK_SHIFT);
}

/* Replaces the short table, and its tree, by those for all chunks of the slot. */
static int widen_table(struct ksm_runs *runs)
{
	uint32_t wanted = (runs->capacity + KSM_CHUNK_PAGES - 1) / KSM_CHUNK_PAGES;
	uint32_t count = KSM_FEW_CHUNKS;
	struct ksm_run_chunk **chunks;
	struct ksm_run_free *tree;

	while (count < wanted)
		count *= 2;
	chunks = ksm_meta_alloc(count * sizeof(struct ksm_run_chunk *));
	tree = ksm_meta_alloc(2 * count * sizeof(*tree));
	if (!chunks || !tree)
		return -ENOMEM;
	memcpy(chunks, runs->few, sizeof(runs->few));
	ksm_run_tree_clear(tree, count);
	runs->tree = tree;
	/* Who has the old length may see the new table already, and what was copied to it. */
	__atomic_store_n(&runs->chunks, chunks, __ATOMIC_RELEASE);
	__atomic_store_n(&runs->chunk_slots, count, __ATOMIC_RELEASE);
	for (uint32_t c = 0; c < KSM_FEW_CHUNKS; c++)
		ksm_run_tree_set(tree, count, c, runs->few_tree[KSM_FEW_CHUNKS + c]);
	return 0;
}

static int make_chunk(struct ksm_runs *runs, uint32_t index)
{
	struct ksm_run_chunk *chunk;

	if (chunk_at(runs, index))
		return 0;
	if (index >= runs->chunk_slots && widen_table(runs) != 0)
		return -ENOMEM;
	chunk = ksm_meta_alloc(sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	if (runs->has_owners) {
		chunk->owners = ksm_meta_alloc(KSM_CHUNK_PAGES * sizeof(uint16_t));
		if (!chunk->owners)
			return -ENOMEM;
	}
	chunk->free_pages = KSM_CHUNK_PAGES;
	__atomic_store_n(&runs->chunks[index], chunk, __ATOMIC_RELEASE);
	return 0;
}

static int make_chunks(struct ksm_runs *runs, uint32_t page, uint32_t pages)
{
	int error = 0;

	for (uint32_t c = page >> CHUNK_SHIFT; c <= (page + pages - 1) >> CHUNK_SHIFT && !error; c++)
		error = make_chunk(runs, c);
	return error;
}

/* The first page from at on, in chunk's words, whose bit is value; KSM_CHUNK_PAGES if none. */
static uint32_t next_bit(const uint64_t *words, uint32_t at, bool value)
{
	while (at < KSM_CHUNK_PAGES) {
		uint64_t word = value ? words[at / 64] : ~words[at / 64];

		word &= ~UINT64_C(0) << (at % 64);
		if (word)
			return (at & ~63u) + (uint32_t)__builtin_ctzll(word);
		at = (at & ~63u) + 64;
	}
	return KSM_CHUNK_PAGES;
}

/* How many pages are free from at downwards, at excluded, to the beginning of the chunk at most. */
static uint32_t free_below(const struct ksm_run_chunk *chunk, uint32_t at)
{
	uint32_t count = 0;

	while (count < at) {
		uint32_t bits = (at - count - 1) % 64 + 1;
		uint64_t word = chunk->used[(at - count - 1) / 64] << (64 - bits);

		if (word)
			return count + (uint32_t)__builtin_clzll(word);
		count += bits;
	}
	return count;
}

/* Puts the chunk's node right after a change; longest is a new bound. */
static void update_chunk(struct ksm_runs *runs, uint32_t index, uint32_t longest)
{
	const struct ksm_run_chunk *chunk = runs->chunks[index];
	struct ksm_run_free leaf = { 0, 0, 0 };

	if (chunk->free_pages > 0) {
		leaf.first = next_bit(chunk->used, 0, true);
		leaf.last = free_below(chunk, KSM_CHUNK_PAGES);
		leaf.longest = (uint32_t)ksm_min(longest, chunk->free_pages);
	}
	ksm_run_tree_set(runs->tree, runs->chunk_slots, index, leaf);
}

/* The first page of an aligned run inside of the free pages [start, end), or -1. */
static int64_t fit(uint32_t start, uint32_t end, uint32_t pages, uint32_t align)
{
	uint64_t first = ksm_align_up(start, align);

	return first + pages <= end ? (int64_t)first : -1;
}

/* Searches one chunk; *longest is its longest free run if nothing fits. */
static int64_t find_inside(const struct ksm_run_chunk *chunk, uint32_t base, uint32_t pages,
			   uint32_t align, uint32_t *longest)
{
	uint32_t at = 0;

	*longest = 0;
	while ((at = next_bit(chunk->used, at, false)) < KSM_CHUNK_PAGES) {
		uint32_t end = next_bit(chunk->used, at, true);
		int64_t found = fit(base + at, base + end, pages, align);

		if (found >= 0)
			return found;
		*longest = (uint32_t)ksm_max(*longest, end - at);
		at = end;
	}
	return -1;
}

/*
 * Goes down the tree to the lowest run: in the lower half, across the middle, in the upper half. Returns
 * the run, or -1 if a chunk's bound was too high; it is corrected then.
 */
static int64_t descend(struct ksm_runs *runs, uint32_t pages)
{
	uint32_t half = runs->chunk_slots * KSM_CHUNK_PAGES / 2;
	uint32_t base = 0;
	uint32_t node = 1;
	uint32_t longest;
	int64_t found;

	for (; node < runs->chunk_slots; half /= 2) {
		const struct ksm_run_free *low = &runs->tree[2 * node];
		const struct ksm_run_free *high = &runs->tree[2 * node + 1];

		node *= 2;
		if (low->longest >= pages)
			continue;
		if (low->last + high->first >= pages)
			return base + half - low->last;
		node++;
		base += half;
	}
	if (runs->tree[node].first >= pages)
		return base;
	found = find_inside(runs->chunks[node - runs->chunk_slots], base, pages, 1, &longest);
	if (found < 0)
		update_chunk(runs, node - runs->chunk_slots, longest);
	return found;
}

/* The same with an alignment, in the order of addresses: such blocks are rare. */
static int64_t find_aligned(const struct ksm_runs *runs, uint32_t pages, uint32_t align)
{
	uint32_t start = 0; /* of the free run that ends at base */
	uint32_t longest;
	int64_t found;

	for (uint32_t c = 0; c < runs->chunk_slots; c++) {
		const struct ksm_run_free *leaf = &runs->tree[runs->chunk_slots + c];
		uint32_t base = c * KSM_CHUNK_PAGES;

		found = fit(start, base + leaf->first, pages, align);
		if (found >= 0)
			return found;
		if (leaf->first == KSM_CHUNK_PAGES)
			continue;
		if (leaf->longest >= pages) {
			found = find_inside(runs->chunks[c], base, pages, align, &longest);
			if (found >= 0)
				return found;
		}
		start = base + KSM_CHUNK_PAGES - leaf->last;
	}
	return -1;
}

int64_t ksm_runs_find(struct ksm_runs *runs, uint32_t pages, uint32_t align)
{
	int64_t found = -1;

	for (;;) {
		if (align > 1)
			found = find_aligned(runs, pages, align);
		else
			while (found < 0 && runs->tree[1].longest >= pages)
				found = descend(runs, pages);
		if (found >= 0)
			return found + pages <= runs->capacity ? found : -1;
		/* The tree of a small slot ends before the slot does. */
		if (runs->chunk_slots * KSM_CHUNK_PAGES >= runs->capacity || widen_table(runs) != 0)
			return -1;
	}
}

/* Counts bits; all and none, the usual cases, without a call where the processor has no such instruction. */
static uint32_t count_bits(uint64_t bits, uint64_t all, uint32_t all_count)
{
	if (bits == all)
		return all_count;
	return bits ? (uint32_t)__builtin_popcountll(bits) : 0;
}

/* The bound of the chunk that page lies in. */
static uint32_t longest_of(const struct ksm_runs *runs, uint32_t page)
{
	return runs->tree[runs->chunk_slots + (page >> CHUNK_SHIFT)].longest;
}

static uint64_t word_mask(uint32_t low, uint32_t high)
{
	return (high - low == 64 ? ~UINT64_C(0) : (UINT64_C(1) << (high - low)) - 1) << low;
}

/* Sets the used bits of free pages; returns how many of them were kept. */
static uint32_t mark_used(struct ksm_runs *runs, uint32_t page, uint32_t pages)
{
	uint32_t reused = 0;
	uint32_t end = page + pages;

	runs->used_pages += pages;
	while (page < end) {
		struct ksm_run_chunk *chunk = chunk_of(runs, page);
		uint32_t low = page % 64;
		uint32_t high = (uint32_t)ksm_min(64, low + (end - page));
		uint32_t word = (page % KSM_CHUNK_PAGES) / 64;
		uint64_t mask = word_mask(low, high);
		uint32_t kept = count_bits(chunk->dirty[word] & mask, mask, high - low);

		chunk->used[word] |= mask;
		chunk->dirty[word] |= mask;
		chunk->free_pages = (uint16_t)(chunk->free_pages - (high - low));
		chunk->kept_pages = (uint16_t)(chunk->kept_pages - kept);
		reused += kept;
		page += high - low;
		if (page == end || page % KSM_CHUNK_PAGES == 0)
			update_chunk(runs, (page - 1) >> CHUNK_SHIFT, longest_of(runs, page - 1));
	}
	runs->kept_pages -= reused;
	return reused;
}

/* The length of the free run of the chunk that holds [from, to) of its pages. */
static uint32_t free_around(const struct ksm_run_chunk *chunk, uint32_t from, uint32_t to)
{
	return next_bit(chunk->used, to, true) - from + free_below(chunk, from);
}

static void mark_free(struct ksm_runs *runs, uint32_t page, uint32_t pages)
{
	uint32_t begin = page;
	uint32_t end = page + pages;

	runs->used_pages -= pages;
	runs->kept_pages += pages;
	while (page < end) {
		struct ksm_run_chunk *chunk = chunk_of(runs, page);
		uint32_t low = page % 64;
		uint32_t high = (uint32_t)ksm_min(64, low + (end - page));

		chunk->used[(page % KSM_CHUNK_PAGES) / 64] &= ~word_mask(low, high);
		chunk->free_pages = (uint16_t)(chunk->free_pages + (high - low));
		chunk->kept_pages = (uint16_t)(chunk->kept_pages + (high - low));
		page += high - low;
		if (page == end || page % KSM_CHUNK_PAGES == 0) {
			uint32_t base = (page - 1) & ~(KSM_CHUNK_PAGES - 1);
			uint32_t from = (uint32_t)ksm_max(begin, base) - base;

			update_chunk(runs, base >> CHUNK_SHIFT,
				     (uint32_t)ksm_max(longest_of(runs, base),
						       free_around(chunk, from, page - base)));
		}
	}
}

static void set_block(struct ksm_runs *runs, uint32_t page, uint32_t pages, uint64_t bytes)
{
	__atomic_store_n(ksm_runs_entry(runs, page), ksm_run_entry_of(pages, bytes), __ATOMIC_RELAXED);
}

int ksm_runs_take(struct ksm_runs *runs, uint32_t page, uint32_t pages, uint64_t bytes,
		  uint16_t owner, uint32_t *kept)
{
	int error = make_chunks(runs, page, pages);

	if (error)
		return error;
	*kept = mark_used(runs, page, pages);
	set_block(runs, page, pages, bytes);
	if (runs->has_owners)
		chunk_of(runs, page)->owners[page % KSM_CHUNK_PAGES] = owner;
	return 0;
}

uint32_t ksm_runs_block(const struct ksm_runs *runs, uint32_t page, uint64_t *bytes,
			uint16_t *owner)
{
	const struct ksm_run_chunk *chunk = chunk_of(runs, page);
	const uint32_t *entry = ksm_runs_entry(runs, page);
	uint32_t block = entry ? __atomic_load_n(entry, __ATOMIC_RELAXED) & ~KSM_RUN_MARKED : 0;

	*bytes = ksm_run_bytes(block);
	*owner = chunk && chunk->owners ? chunk->owners[page % KSM_CHUNK_PAGES] : 0;
	return ksm_run_pages(block);
}

bool ksm_runs_is_used(const struct ksm_runs *runs, uint32_t page)
{
	const struct ksm_run_chunk *chunk = chunk_of(runs, page);

	return chunk && (chunk->used[(page % KSM_CHUNK_PAGES) / 64] >> (page % 64) & 1);
}

bool ksm_runs_is_dirty(const struct ksm_runs *runs, uint32_t page)
{
	const struct ksm_run_chunk *chunk = chunk_of(runs, page);

	return chunk && (chunk->dirty[(page % KSM_CHUNK_PAGES) / 64] >> (page % 64) & 1);
}

uint32_t ksm_runs_kept_from(const struct ksm_runs *runs, uint32_t page, uint32_t most)
{
	uint32_t count = 0;

	while (count < most) {
		const struct ksm_run_chunk *chunk = chunk_of(runs, page + count);
		uint32_t word = ((page + count) % KSM_CHUNK_PAGES) / 64;
		uint32_t low = (page + count) % 64;
		uint64_t others;

		if (!chunk)
			break;
		others = ~(chunk->dirty[word] & ~chunk->used[word]) >> low;
		if (others)
			return (uint32_t)ksm_min(most, count + (uint32_t)__builtin_ctzll(others));
		count += 64 - low;
	}
	return (uint32_t)ksm_min(most, count);
}

void ksm_runs_set_aside(struct ksm_runs *runs, uint32_t page, uint32_t pages)
{
	__atomic_store_n(ksm_runs_entry(runs, page), KSM_RUN_ASIDE, __ATOMIC_RELAXED);
	mark_used(runs, page, pages);
}

void ksm_runs_release(struct ksm_runs *runs, uint32_t page)
{
	ksm_runs_release_aside(runs, page, ksm_run_pages(*ksm_runs_entry(runs, page)));
}

void ksm_runs_release_aside(struct ksm_runs *runs, uint32_t page, uint32_t pages)
{
	__atomic_store_n(ksm_runs_entry(runs, page), 0, __ATOMIC_RELAXED);
	mark_free(runs, page, pages);
}

/* True if all of [page, page + pages) is free and lies in the slot. */
static bool is_free(const struct ksm_runs *runs, uint32_t page, uint32_t pages)
{
	uint32_t end = page + pages;

	if (end > runs->capacity)
		return false;
	while (page < end) {
		const struct ksm_run_chunk *chunk = chunk_of(runs, page);
		uint32_t base = page & ~(KSM_CHUNK_PAGES - 1);

		if (chunk && base + next_bit(chunk->used, page - base, true) <
				     ksm_min(end, base + KSM_CHUNK_PAGES))
			return false;
		page = base + KSM_CHUNK_PAGES;
	}
	return true;
}

bool ksm_runs_can_resize(const struct ksm_runs *runs, uint32_t page, uint32_t pages)
{
	uint32_t old = ksm_run_pages(*ksm_runs_entry(runs, page));

	return pages <= old || is_free(runs, page + old, pages - old);
}

int ksm_runs_resize(struct ksm_runs *runs, uint32_t page, uint32_t pages, uint64_t bytes,
		    uint32_t *kept)
{
	uint32_t old = ksm_run_pages(*ksm_runs_entry(runs, page));

	*kept = 0;
	if (pages > old) {
		int error;

		if (!is_free(runs, page + old, pages - old))
			return -ENOSPC;
		error = make_chunks(runs, page + old, pages - old);
		if (error)
			return error;
		*kept = mark_used(runs, page + old, pages - old);
	} else if (pages < old) {
		mark_free(runs, page + pages, old - pages);
	}
	set_block(runs, page, pages, bytes);
	return 0;
}

uint32_t ksm_runs_highest_kept(const struct ksm_runs *runs, uint32_t before, uint32_t *page)
{
	uint32_t count = 0;

	/* Word by word from the top; a run may go on in the word below. */
	for (uint32_t at = before; at > 0;) {
		const struct ksm_run_chunk *chunk = chunk_of(runs, at - 1);
		uint32_t bits = (at - 1) % 64 + 1; /* of the word that are below at */
		uint64_t kept;

		if (!chunk || chunk->kept_pages == 0) {
			if (count)
				break;
			at = (at - 1) & ~(KSM_CHUNK_PAGES - 1);
			continue;
		}
		kept = chunk->dirty[((at - 1) % KSM_CHUNK_PAGES) / 64] &
		       ~chunk->used[((at - 1) % KSM_CHUNK_PAGES) / 64];
		kept <<= 64 - bits;
		if (count == 0) {
			uint32_t skip = kept ? (uint32_t)__builtin_clzll(kept) : bits;

			at -= skip;
			if (skip == bits)
				continue;
			kept <<= skip;
			bits -= skip;
		}
		kept = ~kept;
		uint32_t length = (uint32_t)ksm_min(bits, kept ? __builtin_clzll(kept) : 64);

		count += length;
		at -= length;
		*page = at;
		if (length < bits)
			break;
	}
	return count;
}

void ksm_runs_clean(struct ksm_runs *runs, uint32_t page, uint32_t pages)
{
	uint32_t end = page + pages;

	while (page < end) {
		struct ksm_run_chunk *chunk = chunk_of(runs, page);
		uint32_t low = page % 64;
		uint32_t high = (uint32_t)ksm_min(64, low + (end - page));
		uint64_t mask = word_mask(low, high);
		uint64_t *dirty = &chunk->dirty[(page % KSM_CHUNK_PAGES) / 64];
		uint32_t kept = count_bits(*dirty & mask, mask, high - low);

		*dirty &= ~mask;
		chunk->kept_pages = (uint16_t)(chunk->kept_pages - kept);
		runs->kept_pages -= kept;
		page += high - low;
	}
}

/* Does the tree say of this chunk what its bitmap says? */
static bool check_leaf(const struct ksm_runs *runs, uint32_t index)
{
	const struct ksm_run_free *leaf = &runs->tree[runs->chunk_slots + index];
	const struct ksm_run_chunk *chunk = runs->chunks[index];
	uint32_t longest;

	if (!chunk)
		return leaf->longest == KSM_CHUNK_PAGES;
	find_inside(chunk, 0, KSM_CHUNK_PAGES + 1, 1, &longest);
	return leaf->longest >= longest && leaf->first == next_bit(chunk->used, 0, true) &&
	       leaf->last == free_below(chunk, KSM_CHUNK_PAGES);
}

bool ksm_runs_check(const struct ksm_runs *runs)
{
	uint32_t used = 0;
	uint32_t kept = 0;

	for (uint32_t c = 0; c < runs->chunk_slots; c++) {
		const struct ksm_run_chunk *chunk = runs->chunks[c];
		uint32_t chunk_used = 0;
		uint32_t chunk_kept = 0;

		if (!check_leaf(runs, c))
			return false;
		if (!chunk)
			continue;
		for (uint32_t w = 0; w < KSM_CHUNK_WORDS; w++) {
			chunk_used += (uint32_t)__builtin_popcountll(chunk->used[w]);
			chunk_kept += (uint32_t)__builtin_popcountll(chunk->dirty[w] &
								     ~chunk->used[w]);
		}
		if (chunk->free_pages != KSM_CHUNK_PAGES - chunk_used ||
		    chunk->kept_pages != chunk_kept)
			return false;
		used += chunk_used;
		kept += chunk_kept;
	}
	for (uint32_t page = 0; page < runs->capacity && page < runs->chunk_slots * KSM_CHUNK_PAGES;) {
		uint64_t bytes;
		uint16_t owner;
		uint32_t pages = ksm_runs_block(runs, page, &bytes, &owner);

		if ((pages == 0) == ksm_runs_is_used(runs, page))
			return false;
		page += pages ? pages : 1;
	}
	return ksm_run_tree_check(runs->tree, runs->chunk_slots) && used == runs->used_pages && kept == runs->kept_pages;
}
