/* SPDX-License-Identifier: BSD-2-Clause */
/* Most words are no addresses, which the first comparison tells. */
#define _GNU_SOURCE
#include "estimate/mask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read/address.h"
#include "read/search.h"

static uint64_t word_of(const struct ksr_vma *vma)
{
	uint64_t kind = vma->flags & KSR_VMA_SPECIAL ? 1 : vma->flags & KSR_VMA_FILE ? 2 : 3;

	return UINT64_C(0xa5a5a5a500000000) | kind;
}

int ksr_mask_create(const struct ksr_smaps *smaps, struct ksr_mask *mask)
{
	memset(mask, 0, sizeof(*mask));
	mask->list = calloc(smaps->count + 1, sizeof(*mask->list));
	if (!mask->list)
		return -ENOMEM;
	for (size_t i = 0; i < smaps->count; i++)
		mask->list[mask->count++] = (struct ksr_mask_range){smaps->vmas[i].begin, smaps->vmas[i].end,
								    word_of(&smaps->vmas[i])};
	return 0;
}

void ksr_mask_destroy(struct ksr_mask *mask)
{
	free(mask->list);
	memset(mask, 0, sizeof(*mask));
}

static uint64_t end_of(const void *element)
{
	return ((const struct ksr_mask_range *)element)->end;
}

static const struct ksr_mask_range *find(struct ksr_mask *mask, uint64_t address)
{
	size_t found;

	/* Most addresses of a page point into the same mapping. */
	if (mask->recent < mask->count && address >= mask->list[mask->recent].begin &&
	    address < mask->list[mask->recent].end)
		return &mask->list[mask->recent];
	found = ksr_search_above(mask->list, mask->count, sizeof(*mask->list), end_of, address);
	if (found == mask->count || mask->list[found].begin > address)
		return NULL;
	mask->recent = found;
	return &mask->list[found];
}

void ksr_mask_page(struct ksr_mask *mask, const unsigned char *page, size_t bytes, unsigned char *result)
{
	for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
		const struct ksr_mask_range *range = NULL;
		uint64_t word;

		memcpy(&word, page + at, sizeof(word));
		if (ksr_may_be_address(word))
			range = find(mask, word);
		memcpy(result + at, range ? &range->word : &word, sizeof(word));
	}
}
