/* SPDX-License-Identifier: BSD-2-Clause */
#include "site/lookup.h"

#include "system/meta.h"

#include <errno.h>
#include <string.h>

#define FEWEST_CELLS 128u
#define MOST_NUMBERS 32768u

/* At most half of the cells are used, so that what is not there is found missing soon. */
static uint32_t cells_for(uint32_t numbers)
{
	uint32_t cells = FEWEST_CELLS;

	while (cells < 2 * numbers)
		cells *= 2;
	return cells;
}

int ksm_lookup_init(struct ksm_lookup *lookup, uint32_t most)
{
	most = ksm_min(most, MOST_NUMBERS);
	*lookup = (struct ksm_lookup){ .size = FEWEST_CELLS, .most = most };
	lookup->cells = ksm_meta_alloc(cells_for(most) * sizeof(lookup->cells[0]));
	return lookup->cells ? 0 : -ENOMEM;
}

uint32_t ksm_lookup_find(const struct ksm_lookup *lookup, uint64_t hash, ksm_lookup_is *is, const void *wanted)
{
	uint32_t at = (uint32_t)hash & (lookup->size - 1);

	for (; lookup->cells[at]; at = (at + 1) & (lookup->size - 1)) {
		if (is(lookup->cells[at], wanted))
			return lookup->cells[at];
	}
	return 0;
}

static void put(struct ksm_lookup *lookup, uint64_t hash, uint32_t number)
{
	uint32_t at = (uint32_t)hash & (lookup->size - 1);

	while (lookup->cells[at])
		at = (at + 1) & (lookup->size - 1);
	lookup->cells[at] = (uint16_t)number;
}

void ksm_lookup_add(struct ksm_lookup *lookup, ksm_lookup_hash *hash_of)
{
	uint32_t number = lookup->count + 1;

	if (number > lookup->most)
		return;
	lookup->count = number;
	if (cells_for(number) <= lookup->size) {
		put(lookup, hash_of(number), number);
		return;
	}
	memset(lookup->cells, 0, lookup->size * sizeof(lookup->cells[0]));
	lookup->size *= 2;
	for (uint32_t i = 1; i <= number; i++)
		put(lookup, hash_of(i), i);
}
