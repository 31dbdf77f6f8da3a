/* SPDX-License-Identifier: BSD-2-Clause */
#include "join/aside.h"

struct aside_word {
	const char *key;
	const char *words;
	const char *remedy;
};

#define WORD(name, key, words, remedy) {key, words, remedy},

static const struct aside_word aside_words[] = {KSMALLOC_ASIDE_REASONS(WORD)};

static const struct aside_word *word_of(uint32_t reason)
{
	return &aside_words[reason < KSMALLOC_ASIDE_COUNT ? reason : KSMALLOC_ASIDE_FAILED];
}

const char *ksr_aside_key(uint32_t reason)
{
	return word_of(reason)->key;
}

const char *ksr_aside_words(uint32_t reason)
{
	return word_of(reason)->words;
}

const char *ksr_aside_remedy(uint32_t reason)
{
	return word_of(reason)->remedy;
}

bool ksr_store_is_asked(const struct ksmalloc_segment_header *header)
{
	uint32_t aside = header->share.aside;

	/* Segments before version 6 do not tell. */
	return header->version >= 6 && aside != KSMALLOC_ASIDE_OFF &&
	       (aside != KSMALLOC_ASIDE_NOT || header->layout == KSMALLOC_LAYOUT_SHARED || header->keeper.store);
}

bool ksr_store_is_aside(const struct ksmalloc_segment_header *header)
{
	uint32_t aside = header->share.aside;

	return ksr_store_is_asked(header) && !ksmalloc_aside_shares(aside);
}
