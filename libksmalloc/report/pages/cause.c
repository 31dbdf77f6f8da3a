/* SPDX-License-Identifier: BSD-2-Clause */
#include "pages/cause.h"

static const char *const keys[] = {
#define KEY(name, key, text) key,
	KSR_CAUSES(KEY)
#undef KEY
};

static const char *const texts[] = {
#define TEXT(name, key, text) text,
	KSR_CAUSES(TEXT)
#undef TEXT
};

const char *ksr_cause_key(enum ksr_cause cause)
{
	return cause < KSR_CAUSE_COUNT ? keys[cause] : "?";
}

const char *ksr_cause_text(enum ksr_cause cause)
{
	return cause < KSR_CAUSE_COUNT ? texts[cause] : "?";
}
