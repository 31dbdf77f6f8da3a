/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bitmaps with one summary a chunk. The summary of free runs is a bound, not
 * exact: it is raised when pages are freed and corrected when a search inside of
 * the chunk found less, so that neither taking nor freeing recounts.
 */
#include "run.h"

#include "meta.h"

#include <errno.h>
#include <string.h>

#define SLACK_BITS  12
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
}

static struct ksm_run_chunk *chunk_at(const struct ksm_runs *runs, uint32_t index)
{
	return index < runs->chunk_slots ? runs->chunks[index] : NULL;
}

static struct ksm_run_chunk *chunk_of(const struct ksm_runs *runs, uint32_t page)
{
	return chunk_at(runs, page >> CHUNK_SHIFT);
}

/* Replaces the short table by one for all chunks of the slot. */
static int widen_table(struct ksm_runs *runs)
{
	uint32_t count = (runs->capacity + KSM_CHUNK_PAGES - 1) / KSM_CHUNK_PAGES;
	struct ksm_run_chunk **chunks = ksm_meta_alloc(count * sizeof(struct ksm_run_chunk *));

	if (!chunks)
		return -ENOMEM;
	memcpy(chunks, runs->few, sizeof(runs->few));
	runs->chunks = chunks;
	runs->chunk_slots = count;
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
	chunk->free_bound = KSM_CHUNK_PAGES;
	runs->chunks[index] = chunk;
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

/* How many of the chunk's last pages are free. */
static uint32_t free_suffix(const struct ksm_run_chunk *chunk)
{
	uint32_t count = 0;

	for (uint32_t w = KSM_CHUNK_WORDS; w > 0; w--) {
		uint64_t word = chunk->used[w - 1];

		if (word)
			return count + (uint32_t)__builtin_clzll(word);
		count += 64;
	}
	return count;
}

/* The first page of an aligned run inside of the free pages [start, end), or -1. */
static int64_t fit(uint32_t start, uint32_t end, uint32_t pages, uint32_t align)
{
	uint64_t first = ksm_align_up(start, align);

	return first + pages <= end ? (int64_t)first : -1;
}

/* Searches one chunk whose first page is base; corrects its bound when nothing fits. */
static int64_t find_inside(struct ksm_run_chunk *chunk, uint32_t base, uint32_t pages,
			   uint32_t align)
{
	uint32_t longest = 0;
	uint32_t at = 0;

	while ((at = next_bit(chunk->used, at, false)) < KSM_CHUNK_PAGES) {
		uint32_t end = next_bit(chunk->used, at, true);
		int64_t found = fit(base + at, base + end, pages, align);

		if (found >= 0)
			return found;
		longest = (uint32_t)ksm_max(longest, end - at);
		at = end;
	}
	chunk->free_bound = (uint16_t)longest;
	return -1;
}

int64_t ksm_runs_find(struct ksm_runs *runs, uint32_t pages, uint32_t align)
{
	uint32_t chunks = (runs->capacity + KSM_CHUNK_PAGES - 1) / KSM_CHUNK_PAGES;
	uint32_t start = runs->first_free * KSM_CHUNK_PAGES; /* of the free run that ends at base */
	int64_t found;

	for (uint32_t c = runs->first_free; c < chunks; c++) {
		struct ksm_run_chunk *chunk = chunk_at(runs, c);
		uint32_t base = c * KSM_CHUNK_PAGES;
		uint32_t suffix;

		if (!chunk || chunk->free_pages == KSM_CHUNK_PAGES) {
			/* All of it is free: the run goes on. */
			found = fit(start, (uint32_t)ksm_min(base + KSM_CHUNK_PAGES, runs->capacity),
				    pages, align);
			if (found >= 0)
				return found;
			continue;
		}
		if (start < base) {
			found = fit(start, base + next_bit(chunk->used, 0, true), pages, align);
			if (found >= 0)
				return found;
		}
		if (chunk->free_bound >= pages) {
			found = find_inside(chunk, base, pages, align);
			if (found >= 0)
				return found;
		}
		suffix = free_suffix(chunk);
		start = base + KSM_CHUNK_PAGES - suffix;
	}
	return -1;
}

/* Counts bits; all and none, the usual cases, without a call where the processor has no such instruction. */
static uint32_t count_bits(uint64_t bits, uint64_t all, uint32_t all_count)
{
	if (bits == all)
		return all_count;
	return bits ? (uint32_t)__builtin_popcountll(bits) : 0;
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
	}
	runs->used_pages += pages;
	runs->kept_pages -= reused;
	while (runs->first_free < runs->chunk_slots && runs->chunks[runs->first_free] &&
	       runs->chunks[runs->first_free]->free_pages == 0)
		runs->first_free++;
	return reused;
}

static void mark_free(struct ksm_runs *runs, uint32_t page, uint32_t pages)
{
	uint32_t end = page + pages;

	runs->first_free = (uint32_t)ksm_min(runs->first_free, page >> CHUNK_SHIFT);
	runs->used_pages -= pages;
	runs->kept_pages += pages;
	while (page < end) {
		struct ksm_run_chunk *chunk = chunk_of(runs, page);
		uint32_t low = page % 64;
		uint32_t high = (uint32_t)ksm_min(64, low + (end - page));

		chunk->used[(page % KSM_CHUNK_PAGES) / 64] &= ~word_mask(low, high);
		chunk->free_pages = (uint16_t)(chunk->free_pages + (high - low));
		chunk->kept_pages = (uint16_t)(chunk->kept_pages + (high - low));
		/* The freed pages may join free neighbours: any length up to all is possible. */
		chunk->free_bound = chunk->free_pages;
		page += high - low;
	}
}

static void set_block(struct ksm_runs *runs, uint32_t page, uint32_t pages, uint64_t bytes)
{
	uint32_t slack = (uint32_t)(((uint64_t)pages << SLACK_BITS) - bytes);

	/* A block may have been asked to be smaller than its pages by a page or more. */
	slack = (uint32_t)ksm_min(slack, (1u << SLACK_BITS) - 1);
	chunk_of(runs, page)->blocks[page % KSM_CHUNK_PAGES] = pages << SLACK_BITS | slack;
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
	uint32_t block = chunk ? chunk->blocks[page % KSM_CHUNK_PAGES] : 0;
	uint32_t pages = block >> SLACK_BITS;

	*bytes = ((uint64_t)pages << SLACK_BITS) - (block & ((1u << SLACK_BITS) - 1));
	*owner = chunk && chunk->owners ? chunk->owners[page % KSM_CHUNK_PAGES] : 0;
	return pages;
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

void ksm_runs_release(struct ksm_runs *runs, uint32_t page)
{
	struct ksm_run_chunk *chunk = chunk_of(runs, page);
	uint32_t pages = chunk->blocks[page % KSM_CHUNK_PAGES] >> SLACK_BITS;

	chunk->blocks[page % KSM_CHUNK_PAGES] = 0;
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
	uint32_t old = chunk_of(runs, page)->blocks[page % KSM_CHUNK_PAGES] >> SLACK_BITS;

	return pages <= old || is_free(runs, page + old, pages - old);
}

int ksm_runs_resize(struct ksm_runs *runs, uint32_t page, uint32_t pages, uint64_t bytes,
		    uint32_t *kept)
{
	uint32_t old = chunk_of(runs, page)->blocks[page % KSM_CHUNK_PAGES] >> SLACK_BITS;

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

bool ksm_runs_check(const struct ksm_runs *runs)
{
	uint32_t used = 0;
	uint32_t kept = 0;

	for (uint32_t c = 0; c < runs->chunk_slots; c++) {
		const struct ksm_run_chunk *chunk = runs->chunks[c];
		uint32_t chunk_used = 0;
		uint32_t chunk_kept = 0;

		if (!chunk)
			continue;
		for (uint32_t w = 0; w < KSM_CHUNK_WORDS; w++) {
			chunk_used += (uint32_t)__builtin_popcountll(chunk->used[w]);
			chunk_kept += (uint32_t)__builtin_popcountll(chunk->dirty[w] &
								     ~chunk->used[w]);
		}
		if (chunk->free_pages != KSM_CHUNK_PAGES - chunk_used ||
		    chunk->kept_pages != chunk_kept ||
		    (c < runs->first_free && chunk->free_pages != 0))
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
	return used == runs->used_pages && kept == runs->kept_pages;
}
