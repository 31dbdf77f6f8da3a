/* SPDX-License-Identifier: BSD-2-Clause */
/* Most words are no addresses, which the first comparison tells. */
#define _GNU_SOURCE
#include "pages/masked.h"

#include <string.h>

#include "read/address.h"

/* Of the words of a page, one of so many has to be something else than zero and addresses. */
#define TELLING 16

static const struct ksr_range *range_of(struct ksr_masker *masker, uint64_t word)
{
	const struct ksr_range *range = masker->recent;

	if (!ksr_may_be_address(word))
		return NULL;
	if (range && word >= range->begin && word < range->end)
		return range;
	range = ksr_space_find(masker->space, word);
	if (range)
		masker->recent = range;
	return range;
}

/* Programs and libraries are the same in both; how a process calls the rest of its memory may not be. */
static uint64_t word_of(const struct ksr_space *space, const struct ksr_range *range)
{
	return UINT64_C(0xa5a5a5a500000000) | (space->regions[range->region].kind == KSR_REGION_FILE);
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash ^= word * UINT64_C(0x9e3779b97f4a7c15);
	return (hash << 31 | hash >> 33) * UINT64_C(0xc2b2ae3d27d4eb4f);
}

uint64_t ksr_masked_hash(struct ksr_masker *masker, const unsigned char *page)
{
	size_t bytes = masker->space->page_bytes;
	uint64_t hash = 1;
	size_t addresses = 0;
	size_t telling = 0;

	for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
		const struct ksr_range *range;
		uint64_t word;

		memcpy(&word, page + at, sizeof(word));
		range = range_of(masker, word);
		addresses += range != NULL;
		telling += !range && word;
		hash = mix(hash, range ? word_of(masker->space, range) : word);
	}
	if (addresses == 0 || telling < bytes / sizeof(uint64_t) / TELLING)
		return 0;
	return hash ? hash : 1;
}
