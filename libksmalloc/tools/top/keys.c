/* SPDX-License-Identifier: BSD-2-Clause */
#include "top/keys.h"

#define KEY(action, argument, name, code, other, help) {KSR_TOP_DO_##action, argument, name, {code, other}, help},

const struct ksr_top_key ksr_top_keys[] = {KSR_TOP_KEYS(KEY)};
const size_t ksr_top_key_count = KSM_COUNT_OF(ksr_top_keys);

struct ksr_top_key ksr_top_key_find(uint32_t code)
{
	for (size_t i = 0; i < ksr_top_key_count; i++) {
		if (ksr_top_keys[i].codes[0] == code || ksr_top_keys[i].codes[1] == code)
			return ksr_top_keys[i];
	}
	for (int i = 0; i < KSR_TOP_COLUMN_COUNT; i++) {
		if (code && (unsigned char)ksr_top_columns[i].letter == code)
			return (struct ksr_top_key){.action = KSR_TOP_DO_SORT, .argument = i};
	}
	return (struct ksr_top_key){.action = KSR_TOP_DO_NOTHING};
}
