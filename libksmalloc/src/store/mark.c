/* SPDX-License-Identifier: BSD-2-Clause */
/* Marks lie by slice, so that the table takes memory for those slices that have some, and is read a slice at a time. */
#include "store/mark.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PROBES 16u /* places that a slice's marks are looked for at */

/* The row of a slice, which is made unless it is there; -ENOSPC if there is no room for it. */
static int find_row(const struct ksm_store *store, uint64_t slice_place, uint64_t *offset)
{
	uint64_t wanted = slice_place / KSM_SHARE_SLICE + 1;
	uint32_t at = (uint32_t)(wanted * UINT64_C(0x9e3779b97f4a7c15) >> 40);

	for (uint32_t i = 0; i < PROBES; i++) {
		uint64_t index = (at + i) % KSM_STORE_SLICES;
		uint64_t place = KSM_STORE_KEYS_OFFSET + index * sizeof(uint64_t);
		uint64_t key;
		int error = ksm_store_table_read(store, &key, sizeof(key), place);

		if (!error && key == 0) {
			key = wanted;
			error = ksm_store_table_write(store, &key, sizeof(key), place);
		}
		if (error)
			return error;
		if (key == wanted) {
			*offset = KSM_STORE_ROWS_OFFSET + index * sizeof(struct ksm_store_row);
			return 0;
		}
	}
	return -ENOSPC;
}

static uint64_t tag_of(uint64_t mark)
{
	return mark & KSM_STORE_TAG_MASK;
}

/* A place for a new mark. What this member had there before goes first, then what may be published by anybody. */
static uint32_t place_for(const uint64_t *ways, uint64_t mark)
{
	uint32_t place = KSM_STORE_WAYS - 1;

	for (uint32_t i = 0; i < KSM_STORE_WAYS; i++) {
		if (ways[i] == 0 || tag_of(ways[i]) == tag_of(mark))
			return i;
		if (tag_of(ways[i]) == KSM_STORE_SEVERAL)
			place = i;
	}
	return place;
}

/*
 * Writes the mark among those of its page; true if another member has one with the same content. That is noted: who was the
 * first to mark it may be the next to publish.
 */
static bool mark_page(uint64_t *ways, uint64_t mark)
{
	for (uint32_t i = 0; i < KSM_STORE_WAYS; i++) {
		if ((ways[i] & ~KSM_STORE_TAG_MASK) != (mark & ~KSM_STORE_TAG_MASK))
			continue;
		if (tag_of(ways[i]) == tag_of(mark))
			return false;
		ways[i] = (mark & ~KSM_STORE_TAG_MASK) | KSM_STORE_SEVERAL;
		return true;
	}
	ways[place_for(ways, mark)] = mark;
	return false;
}

/*
 * What this member has to say of the pages. With their place, so that a mark in a row that two slices have written to
 * means nothing.
 */
static void hash_pages(const struct ksm_store *store, const struct ksm_share_slice *slice,
		       const struct ksm_share_set *pages)
{
	for (uint32_t page = 0; page < KSM_SHARE_PAGES; page++) {
		const size_t at = (size_t)page << KSM_PAGE_SHIFT;
		uint64_t hash;

		if (!ksm_share_has(pages, page))
			continue;
		hash = XXH3_64bits_withSeed((const char *)slice->address + at, KSM_PAGE, slice->place + at);
		store->tables->marks[page] = (hash & ~KSM_STORE_TAG_MASK) | store->tag;
	}
}

static int mark_row(const struct ksm_store *store, uint64_t offset, const struct ksm_share_set *pages,
		    struct ksm_share_set *common)
{
	struct ksm_store_row *row = &store->tables->row;
	int error = ksm_store_table_read(store, row, sizeof(*row), offset);

	if (error)
		return error;
	for (uint32_t page = 0; page < KSM_SHARE_PAGES; page++) {
		if (ksm_share_has(pages, page) && mark_page(row->marks[page], store->tables->marks[page]))
			ksm_share_add(common, page);
	}
	return ksm_store_table_write(store, row, sizeof(*row), offset);
}

int ksm_store_mark(struct ksm_store *store, const struct ksm_share_slice *slice, const struct ksm_share_set *pages,
		   struct ksm_share_set *common)
{
	uint64_t offset;
	bool is_locked;
	int error = find_row(store, slice->place, &offset);

	memset(common, 0, sizeof(*common));
	if (error)
		return error;
	hash_pages(store, slice, pages);
	is_locked = ksm_store_table_lock_row(store, offset) == 0;
	error = mark_row(store, offset, pages, common);
	if (is_locked)
		ksm_store_table_unlock_row(store, offset);
	return error;
}
