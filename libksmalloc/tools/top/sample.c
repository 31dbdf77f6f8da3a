/* SPDX-License-Identifier: BSD-2-Clause */
#include "top/sample.h"

#include <stdlib.h>

#define WORD(name, word, sentence) word,
#define SENTENCE(name, word, sentence) sentence,

static const char *const words[] = {KSR_TOP_MARKS(WORD)};
static const char *const sentences[] = {KSR_TOP_MARKS(SENTENCE)};

const char *ksr_top_mark_word(enum ksr_top_mark mark)
{
	return mark < KSR_TOP_MARK_COUNT ? words[mark] : "?";
}

const char *ksr_top_mark_sentence(enum ksr_top_mark mark)
{
	return mark < KSR_TOP_MARK_COUNT ? sentences[mark] : "?";
}

void ksr_top_sample_free(struct ksr_top_sample *sample)
{
	if (!sample)
		return;
	free(sample->processes);
	free(sample->places);
	free(sample);
}
