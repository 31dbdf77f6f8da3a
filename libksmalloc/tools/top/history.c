/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "top/history.h"

#include <stdlib.h>
#include <string.h>

#include "read/grow.h"
#include "read/search.h"

static uint64_t key_of(const void *element)
{
	return ((const struct ksr_top_history *)element)->key;
}

/* Where the key is or belongs. */
static size_t find(const struct ksr_top_histories *histories, uint64_t key)
{
	return ksr_search_from(histories->items, histories->count, sizeof(*histories->items), key_of, key);
}

static struct ksr_top_history *insert(struct ksr_top_histories *histories, size_t at, uint64_t key)
{
	struct ksr_top_history *larger = ksr_grow(histories->items, histories->count, &histories->room, sizeof(*larger));
	struct ksr_top_history *item;

	if (!larger)
		return NULL;
	histories->items = larger;
	item = &histories->items[at];
	memmove(item + 1, item, (histories->count - at) * sizeof(*item));
	histories->count++;
	item->key = key;
	item->last = 0;
	item->count = 0;
	item->next = 0;
	return item;
}

void ksr_top_histories_add(struct ksr_top_histories *histories, uint64_t key, uint64_t sample, uint64_t value)
{
	size_t at = find(histories, key);
	bool known = at < histories->count && histories->items[at].key == key;
	struct ksr_top_history *item = known ? &histories->items[at] : insert(histories, at, key);

	if (!item)
		return;
	if (item->count && item->last == sample)
		item->next = (item->next + KSR_TOP_POINTS - 1) % KSR_TOP_POINTS;
	else
		item->count = (uint32_t)ksm_min(item->count + 1, KSR_TOP_POINTS);
	item->values[item->next] = value;
	item->next = (item->next + 1) % KSR_TOP_POINTS;
	item->last = sample;
}

const struct ksr_top_history *ksr_top_histories_find(const struct ksr_top_histories *histories, uint64_t key)
{
	size_t at = find(histories, key);

	return at < histories->count && histories->items[at].key == key ? &histories->items[at] : NULL;
}

void ksr_top_histories_forget(struct ksr_top_histories *histories, uint64_t sample)
{
	size_t kept = 0;

	for (size_t i = 0; i < histories->count; i++) {
		if (histories->items[i].last + KSR_TOP_KEPT < sample)
			continue;
		if (kept != i)
			histories->items[kept] = histories->items[i];
		kept++;
	}
	histories->count = kept;
}

void ksr_top_histories_free(struct ksr_top_histories *histories)
{
	free(histories->items);
	memset(histories, 0, sizeof(*histories));
}

bool ksr_top_history_get(const struct ksr_top_history *history, uint32_t ago, uint64_t *value)
{
	if (!history || ago >= history->count)
		return false;
	*value = history->values[(history->next + 2 * KSR_TOP_POINTS - 1 - ago) % KSR_TOP_POINTS];
	return true;
}
