/* SPDX-License-Identifier: BSD-2-Clause */
#include "show/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "names/human.h"

#define FIRST_ROOM 256
#define ELLIPSIS "..."

uint64_t ksr_pool_hash(uint64_t sum, const void *data, size_t bytes)
{
	const unsigned char *at = data;

	sum ^= UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < bytes; i++)
		sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
	return sum ^ sum >> 29;
}

int ksr_pool_init(struct ksr_pool *pool, size_t limit)
{
	memset(pool, 0, sizeof(*pool));
	pool->limit = limit;
	pool->room = FIRST_ROOM;
	pool->mask = 2 * FIRST_ROOM - 1;
	pool->texts = calloc(pool->room, sizeof(*pool->texts));
	pool->hashes = calloc(pool->room, sizeof(*pool->hashes));
	pool->cells = calloc(pool->mask + 1, sizeof(*pool->cells));
	if (pool->texts && pool->hashes && pool->cells && ksr_pool_put(pool, "") == 0)
		return 0;
	ksr_pool_fini(pool);
	return -ENOMEM;
}

void ksr_pool_fini(struct ksr_pool *pool)
{
	for (uint32_t i = 0; i < pool->count; i++)
		free(pool->texts[i]);
	free((void *)pool->texts);
	free(pool->hashes);
	free(pool->cells);
	memset(pool, 0, sizeof(*pool));
}

/* The beginning of a text, whole letters of it, and a sign that there was more. */
static char *shortened(const char *text, size_t bytes, size_t limit)
{
	size_t kept = bytes;
	char *copy;

	if (bytes > limit) {
		kept = limit - strlen(ELLIPSIS);
		while (kept > 0 && ((unsigned char)text[kept] & 0xc0) == 0x80)
			kept--;
	}
	copy = malloc(kept + sizeof(ELLIPSIS));
	if (!copy)
		return NULL;
	memcpy(copy, text, kept);
	memcpy(copy + kept, ELLIPSIS, kept < bytes ? sizeof(ELLIPSIS) : 0);
	copy[kept < bytes ? kept + strlen(ELLIPSIS) : kept] = '\0';
	return copy;
}

static void put_cell(struct ksr_pool *pool, uint32_t number)
{
	uint32_t cell = (uint32_t)pool->hashes[number] & pool->mask;

	while (pool->cells[cell])
		cell = (cell + 1) & pool->mask;
	pool->cells[cell] = number + 1;
}

static bool grow(struct ksr_pool *pool)
{
	char **texts = reallocarray((void *)pool->texts, pool->room, 2 * sizeof(*texts));
	uint64_t *hashes = reallocarray(pool->hashes, pool->room, 2 * sizeof(*hashes));
	uint32_t *cells = calloc(2 * ((size_t)pool->mask + 1), sizeof(*cells));

	pool->texts = texts ? texts : pool->texts;
	pool->hashes = hashes ? hashes : pool->hashes;
	if (!texts || !hashes || !cells || pool->room > UINT32_MAX / 8) {
		free(cells);
		return false;
	}
	free(pool->cells);
	pool->cells = cells;
	pool->room *= 2;
	pool->mask = 2 * pool->mask + 1;
	for (uint32_t i = 0; i < pool->count; i++)
		put_cell(pool, i);
	return true;
}

static bool find(const struct ksr_pool *pool, const char *text, uint64_t hash, uint32_t *number)
{
	for (uint32_t cell = (uint32_t)hash & pool->mask; pool->cells[cell]; cell = (cell + 1) & pool->mask) {
		*number = pool->cells[cell] - 1;
		if (pool->hashes[*number] == hash && strcmp(pool->texts[*number], text) == 0)
			return true;
	}
	return false;
}

uint32_t ksr_pool_put(struct ksr_pool *pool, const char *text)
{
	size_t bytes = strlen(text);
	uint64_t hash = ksr_pool_hash(0, text, bytes);
	uint32_t number;
	char *copy;

	/* Most are known, and clean. */
	if (find(pool, text, hash, &number))
		return number;
	copy = shortened(text, bytes, pool->limit ? pool->limit : bytes);
	if (!copy)
		return KSR_POOL_NONE;
	if (pool->limit) {
		ksr_clean_text(copy);
		hash = ksr_pool_hash(0, copy, strlen(copy));
	}
	if (pool->limit && find(pool, copy, hash, &number)) {
		free(copy);
		return number;
	}
	if (pool->count == pool->room && !grow(pool)) {
		free(copy);
		return KSR_POOL_NONE;
	}
	pool->texts[pool->count] = copy;
	pool->hashes[pool->count] = hash;
	put_cell(pool, pool->count);
	return pool->count++;
}

const char *ksr_pool_text(const struct ksr_pool *pool, uint32_t number)
{
	return number < pool->count ? pool->texts[number] : "";
}
