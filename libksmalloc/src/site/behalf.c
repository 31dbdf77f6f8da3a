/* SPDX-License-Identifier: BSD-2-Clause */
#include "site/behalf.h"

#include <string.h>

/* After so many bytes what there is counts half. */
#define HALF_LIFE (64 * KSM_MIB)

static void halve(struct ksm_behalf *behalf)
{
	for (uint32_t i = 0; i < KSM_BEHALF_STACKS; i++)
		behalf->list[i].bytes /= 2;
	behalf->since = 0;
}

static bool is_of(const struct ksm_behalf_of *of, const uintptr_t *frames, uint32_t count)
{
	return of->bytes && of->count == count && memcmp(of->frames, frames, count * sizeof(frames[0])) == 0;
}

/* The row of these frames, else the one with least; that one is free if its bytes are 0. */
static struct ksm_behalf_of *find(struct ksm_behalf *behalf, const uintptr_t *frames, uint32_t count)
{
	struct ksm_behalf_of *least = &behalf->list[0];

	for (uint32_t i = 0; i < KSM_BEHALF_STACKS; i++) {
		if (is_of(&behalf->list[i], frames, count))
			return &behalf->list[i];
		if (behalf->list[i].bytes < least->bytes)
			least = &behalf->list[i];
	}
	return least;
}

void ksm_behalf_add(struct ksm_behalf *behalf, const uintptr_t *frames, uint32_t count, uint64_t bytes)
{
	struct ksm_behalf_of *of;
	uint64_t taken;

	/* One mapping alone says no more than all that count. */
	bytes = ksm_min(bytes, HALF_LIFE);
	if (behalf->since >= HALF_LIFE)
		halve(behalf);
	count = ksm_min(count, KSM_BEHALF_FRAMES);
	of = find(behalf, frames, count);
	behalf->since += bytes;
	if (!is_of(of, frames, count)) {
		/* Nobody has a row for nothing: what others have of it goes off against the same of these. */
		taken = ksm_min(of->bytes, bytes);
		for (uint32_t i = 0; i < KSM_BEHALF_STACKS; i++)
			behalf->list[i].bytes -= taken;
		bytes -= taken;
		if (of->bytes || !bytes)
			return;
		memcpy(of->frames, frames, count * sizeof(frames[0]));
		of->count = count;
	}
	of->bytes += bytes;
}

const struct ksm_behalf_of *ksm_behalf_most(const struct ksm_behalf *behalf)
{
	const struct ksm_behalf_of *most = &behalf->list[0];

	for (uint32_t i = 1; i < KSM_BEHALF_STACKS; i++)
		if (behalf->list[i].bytes > most->bytes)
			most = &behalf->list[i];
	return most->bytes ? most : NULL;
}
