/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pieces begin where the content says so, not the address: at a word, one of some, whose hash fits. So the same content
 * gives the same pieces wherever it lies, as long as it keeps its alignment to 16 bytes, which malloc gives.
 */
#define _GNU_SOURCE
#include "estimate/forecast.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 256 /* bytes: repetitions inside of one process are rare at that length */
#define STEP 16
#define ONE_OF 64 /* words begin a piece: some for each page */

enum table {
	TABLE_PAGES,
	TABLE_MASKED,
	TABLE_PIECES,
	TABLE_MASKED_PIECES,
	TABLE_COUNT,
};

struct ksr_forecast {
	struct ksr_pages *tables[TABLE_COUNT];
	unsigned char *masked;
	size_t page_bytes;
	uint64_t pages;
};

struct ksr_forecast *ksr_forecast_create(uint64_t most_bytes, size_t page_bytes)
{
	struct ksr_forecast *forecast = calloc(1, sizeof(*forecast));
	bool failed = !forecast;

	if (failed)
		return NULL;
	forecast->page_bytes = page_bytes;
	forecast->masked = malloc(page_bytes);
	failed = !forecast->masked;
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		forecast->tables[i] = ksr_pages_create(most_bytes / TABLE_COUNT);
		failed = failed || !forecast->tables[i];
	}
	if (!failed)
		return forecast;
	ksr_forecast_destroy(forecast);
	return NULL;
}

void ksr_forecast_destroy(struct ksr_forecast *forecast)
{
	if (!forecast)
		return;
	for (size_t i = 0; i < TABLE_COUNT; i++)
		ksr_pages_destroy(forecast->tables[i]);
	free(forecast->masked);
	free(forecast);
}

static bool is_zero(const unsigned char *bytes, size_t count)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

static void add_pieces(struct ksr_pages *table, const unsigned char *page, size_t page_bytes, uint32_t process)
{
	for (size_t at = 0; at + PIECE <= page_bytes; at += STEP) {
		uint64_t word;

		memcpy(&word, page + at, sizeof(word));
		if (word == 0 || (word * UINT64_C(0x9e3779b97f4a7c15) >> 40) % ONE_OF || is_zero(page + at + 8, PIECE - 8))
			continue;
		ksr_pages_add(table, XXH3_128bits(page + at, PIECE), process);
	}
}

void ksr_forecast_add(struct ksr_forecast *forecast, struct ksr_mask *mask, const unsigned char *page,
		      XXH128_hash_t hash, uint32_t process)
{
	size_t bytes = forecast->page_bytes;

	forecast->pages++;
	ksr_mask_page(mask, page, bytes, forecast->masked);
	ksr_pages_add(forecast->tables[TABLE_PAGES], hash, process);
	ksr_pages_add(forecast->tables[TABLE_MASKED], XXH3_128bits(forecast->masked, bytes), process);
	add_pieces(forecast->tables[TABLE_PIECES], page, bytes, process);
	add_pieces(forecast->tables[TABLE_MASKED_PIECES], forecast->masked, bytes, process);
}

/* What of the table would be saved: pages, or pieces as a part of all pages. */
static uint64_t sum_table(struct ksr_forecast *forecast, enum table which, uint32_t processes)
{
	struct ksr_pages *table = forecast->tables[which];
	bool are_pieces = which >= TABLE_PIECES;
	struct ksr_pages_sum *sums = calloc(processes + 1, sizeof(*sums));
	uint64_t all = 0;
	uint64_t saved = 0;

	if (!sums)
		return 0;
	/* Pages of addresses only, and pieces, are alike in one process as well: that saves nothing. */
	if (which != TABLE_PAGES)
		ksr_pages_sum_across(table, sums, processes);
	else
		ksr_pages_sum(table, sums, processes);
	for (uint32_t i = 0; i < processes; i++) {
		all += sums[i].pages;
		saved += sums[i].mergeable;
	}
	free(sums);
	if (!are_pieces)
		return saved * forecast->page_bytes;
	return all ? (uint64_t)((double)saved / (double)all * (double)forecast->pages * (double)forecast->page_bytes) : 0;
}

void ksr_forecast_sum(struct ksr_forecast *forecast, uint32_t processes, struct ksr_saving saves[KSR_WAY_COUNT])
{
	uint64_t pages = sum_table(forecast, TABLE_PAGES, processes);
	uint64_t masked = ksm_max(pages, sum_table(forecast, TABLE_MASKED, processes));
	uint64_t pieces = ksm_max(pages, sum_table(forecast, TABLE_PIECES, processes));
	uint64_t masked_pieces = ksm_max(ksm_max(masked, pieces), sum_table(forecast, TABLE_MASKED_PIECES, processes));

	saves[KSR_WAY_KSM] = (struct ksr_saving){pages, pages};
	saves[KSR_WAY_PRIVATE] = (struct ksr_saving){pages, pieces};
	saves[KSR_WAY_SHARED] = (struct ksr_saving){masked, masked_pieces};
	saves[KSR_WAY_STORE] = saves[KSR_WAY_SHARED];
	/* Nobody knows what will be written. */
	saves[KSR_WAY_PRELOAD] = (struct ksr_saving){0, masked_pieces};
}
