/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A text ends with a NUL, as strings of most languages do, or with the page. A
 * number has bits above all addresses. Words that begin as a text does belong to
 * one that was shorter, or whose rest was written over.
 */
#define _GNU_SOURCE
#include "pages/atoms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* 16 MiB, of which only what is used takes memory: of a full set one claim in eighty is wrong. */
#define SET_BITS (UINT64_C(1) << 27)
#define NUMBER_LEAST (UINT64_C(1) << 48)
#define TEXT_BEGIN 3

/* A table, since every byte of the memory that differs is asked for. */
static const bool is_printable[256] = {
	['\t'] = true, ['\n'] = true, ['\r'] = true, [' ' ... '~'] = true};

/* Printable bytes from here on. */
static size_t run_bytes(const unsigned char *page, size_t page_bytes, size_t at)
{
	size_t end = at;

	while (end < page_bytes && is_printable[page[end]])
		end++;
	return end - at;
}

size_t ksr_atoms_text_bytes(const unsigned char *page, size_t page_bytes, size_t at)
{
	size_t bytes = run_bytes(page, page_bytes, at);

	return at + bytes == page_bytes || page[at + bytes] == '\0' ? bytes : 0;
}

uint64_t ksr_atoms_text_hash(const void *text, size_t bytes)
{
	return XXH3_64bits_withSeed(text, bytes, 1);
}

static bool is_number(const unsigned char *word, uint64_t *value)
{
	memcpy(value, word, sizeof(*value));
	return *value >= NUMBER_LEAST && run_bytes(word, TEXT_BEGIN, 0) < TEXT_BEGIN;
}

/* The numbers of words that lie between two texts as a whole. */
static size_t find_numbers(const unsigned char *page, size_t begin, size_t end,
			   struct ksr_atom *atoms)
{
	size_t count = 0;
	uint64_t value;

	for (size_t at = ksm_align_up(begin, 8); at + 8 <= end; at += 8) {
		if (is_number(page + at, &value))
			atoms[count++] = (struct ksr_atom){(uint32_t)at, 8, false,
							   XXH3_64bits(&value, sizeof(value))};
	}
	return count;
}

/*
 * The next text from at on, which follows a byte that is none of a text's or begins the page;
 * page_bytes when there is none. From the end of what it takes at least: most bytes are not looked
 * at.
 */
static size_t find_text(const unsigned char *page, size_t page_bytes, size_t at)
{
	while (at + KSR_ATOM_TEXT_LEAST <= page_bytes) {
		size_t skip = KSR_ATOM_TEXT_LEAST;

		while (skip > 0 && is_printable[page[at + skip - 1]])
			skip--;
		if (skip == 0 && ksr_atoms_text_bytes(page, page_bytes, at))
			return at;
		at += skip ? skip : run_bytes(page, page_bytes, at);
	}
	return page_bytes;
}

size_t ksr_atoms_find(const unsigned char *page, size_t page_bytes, struct ksr_atom *atoms)
{
	size_t count = 0;
	size_t done = 0;

	for (;;) {
		size_t at = find_text(page, page_bytes, done);
		size_t bytes = run_bytes(page, page_bytes, at);

		count += find_numbers(page, done, at, atoms + count);
		if (at == page_bytes)
			return count;
		atoms[count++] = (struct ksr_atom){(uint32_t)at, (uint32_t)bytes, true,
						   ksr_atoms_text_hash(page + at, bytes)};
		done = at + bytes;
	}
}

/* --- sets ----------------------------------------------------------------------------- */

int ksr_atom_set_init(struct ksr_atom_set *set)
{
	set->count = 0;
	set->bits = calloc(SET_BITS / 64, sizeof(*set->bits));
	return set->bits ? 0 : -ENOMEM;
}

void ksr_atom_set_fini(struct ksr_atom_set *set)
{
	free(set->bits);
	set->bits = NULL;
}

/*
 * Two bits for each, in one line of the cache: a second line would cost as much as all the rest.
 * The chance of a wrong claim is about the square of that of one bit.
 */
static uint64_t place_of(uint64_t hash, int which)
{
	uint64_t line = (hash >> 32) % (SET_BITS / 512);

	return line * 512 + (which ? hash >> 9 : hash) % 512;
}

void ksr_atom_set_add(struct ksr_atom_set *set, uint64_t hash)
{
	if (set->count > KSR_ATOM_SET_MOST)
		return;
	set->count++;
	for (int i = 0; i < 2; i++) {
		uint64_t place = place_of(hash, i);

		set->bits[place / 64] |= UINT64_C(1) << place % 64;
	}
}

bool ksr_atom_set_has(const struct ksr_atom_set *set, uint64_t hash)
{
	if (set->count > KSR_ATOM_SET_MOST)
		return true;
	for (int i = 0; i < 2; i++) {
		uint64_t place = place_of(hash, i);

		if (!(set->bits[place / 64] >> place % 64 & 1))
			return false;
	}
	return true;
}
