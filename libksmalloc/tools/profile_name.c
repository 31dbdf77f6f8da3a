/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile_name.h"

#include <string.h>

static const char *const names[] = {"python", "lua", "php", "node", "java", "ruby", "perl", "auto"};

_Static_assert(KSM_COUNT_OF(names) == KSR_PROFILES + 1, "KSR_PROFILES is not their number");

bool ksr_profile_name_is_known(const char *name)
{
	for (size_t i = 0; i < KSM_COUNT_OF(names); i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

const char *ksr_profile_names(void)
{
	return "python, lua, php, node, java, ruby, perl or auto";
}
