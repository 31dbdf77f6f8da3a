/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A few words of the page that are not likely to occur twice are looked for in
 * the neighbourhood of its counterpart. Each hit suggests a distance, which is
 * right if most lines of the page are found at that distance or at their own
 * place: an insertion moves only what follows it.
 */
#define _GNU_SOURCE
#include "pages/shift.h"

#include <string.h>

#define LINE 64
#define ANCHORS 4
#define ANCHOR_BYTES 16
#define MOST_TRIES 8

struct score {
	size_t lines; /* that are not all zero */
	size_t same;  /* equal at the same place */
	size_t moved; /* equal at the distance only */
};

static bool is_zero_line(const unsigned char *line)
{
	static const unsigned char zero[LINE];

	return memcmp(line, zero, LINE) == 0;
}

static struct score score_shift(const unsigned char *page, size_t page_bytes,
				const struct ksr_window *window, int64_t shift)
{
	struct score score = {0};

	for (size_t at = 0; at < page_bytes; at += LINE) {
		int64_t moved = (int64_t)at + shift;

		if (is_zero_line(page + at))
			continue;
		score.lines++;
		if (memcmp(page + at, window->begin + at, LINE) == 0)
			score.same++;
		else if (moved >= -(int64_t)window->before &&
			 moved + LINE <= (int64_t)(page_bytes + window->after) &&
			 memcmp(page + at, window->begin + moved, LINE) == 0)
			score.moved++;
	}
	return score;
}

/* At least a quarter moved, three quarters are explained, and it is no matter of a few lines. */
static bool is_shift(const unsigned char *page, size_t page_bytes, const struct ksr_window *window,
		     int64_t shift)
{
	struct score score;

	if (shift == 0)
		return false;
	score = score_shift(page, page_bytes, window, shift);
	return score.moved >= 4 && 4 * score.moved >= score.lines &&
	       4 * (score.moved + score.same) >= 3 * score.lines;
}

/* Small numbers and runs of one byte occur everywhere. */
static bool is_telling(uint64_t word)
{
	uint64_t repeated = (word & 0xff) * UINT64_C(0x0101010101010101);

	return word > 0xffffff && word != repeated;
}

/* One from each part of the page, at places that differ: offsets, *count of them. */
static size_t choose_anchors(const unsigned char *page, const unsigned char *other,
			     size_t page_bytes, size_t anchors[ANCHORS])
{
	size_t count = 0;

	for (size_t part = 0; part < ANCHORS; part++) {
		size_t end = (part + 1) * page_bytes / ANCHORS - ANCHOR_BYTES;

		for (size_t at = part * page_bytes / ANCHORS; at <= end; at += 8) {
			uint64_t mine;
			uint64_t theirs;

			memcpy(&mine, page + at, sizeof(mine));
			memcpy(&theirs, other + at, sizeof(theirs));
			if (mine == theirs || !is_telling(mine))
				continue;
			anchors[count++] = at;
			break;
		}
	}
	return count;
}

static int64_t find_aligned(const unsigned char *page, size_t page_bytes,
			    const struct ksr_window *window, const size_t *anchors, size_t count)
{
	const unsigned char *begin = window->begin - window->before;
	size_t bytes = window->before + page_bytes + window->after;
	uint64_t wanted[ANCHORS];
	size_t tries = 0;

	/* Unused places repeat the first, so that the loop below has a fixed length. */
	for (size_t i = 0; i < ANCHORS; i++)
		memcpy(&wanted[i], page + anchors[i < count ? i : 0], sizeof(wanted[i]));
	for (size_t at = 0; at + 8 <= bytes && tries < MOST_TRIES; at += 8) {
		uint64_t word;

		memcpy(&word, begin + at, sizeof(word));
		if (word != wanted[0] && word != wanted[1] && word != wanted[2] &&
		    word != wanted[3])
			continue;
		for (size_t i = 0; i < count; i++) {
			int64_t shift = (int64_t)at - (int64_t)window->before - (int64_t)anchors[i];

			if (word != wanted[i])
				continue;
			tries++;
			if (is_shift(page, page_bytes, window, shift))
				return shift;
		}
	}
	return 0;
}

static int64_t find_anywhere(const unsigned char *page, size_t page_bytes,
			     const struct ksr_window *window, const size_t *anchors, size_t count)
{
	const unsigned char *begin = window->begin - window->before;
	const unsigned char *end = window->begin + page_bytes + window->after;

	for (size_t i = 0; i < count; i++) {
		const unsigned char *from = begin;

		for (size_t tries = 0; tries < MOST_TRIES; tries++) {
			const unsigned char *hit =
				memmem(from, (size_t)(end - from), page + anchors[i], ANCHOR_BYTES);
			int64_t shift;

			if (!hit)
				break;
			shift = hit - window->begin - (int64_t)anchors[i];
			if (is_shift(page, page_bytes, window, shift))
				return shift;
			from = hit + 1;
		}
	}
	return 0;
}

int64_t ksr_shift_find(const unsigned char *page, size_t page_bytes,
		       const struct ksr_window *window, enum ksr_search search, int64_t likely)
{
	size_t anchors[ANCHORS];
	size_t count;
	int64_t shift;

	if (is_shift(page, page_bytes, window, likely))
		return likely;
	if (search == KSR_SEARCH_NOT)
		return 0;
	count = choose_anchors(page, window->begin, page_bytes, anchors);
	if (count == 0)
		return 0;
	shift = find_aligned(page, page_bytes, window, anchors, count);
	if (shift == 0 && search == KSR_SEARCH_ALL)
		shift = find_anywhere(page, page_bytes, window, anchors, count);
	return shift;
}
