/* SPDX-License-Identifier: BSD-2-Clause */
#include "tables.h"

#include "base.h"

#define MAPPING_BYTES (64 * KSM_KIB)

void *ksh_table(struct ksh_tables *tables, size_t bytes)
{
	char *result = tables->next;

	bytes = ksm_align_up(bytes, 16);
	if (bytes > MAPPING_BYTES / 4)
		return tables->map(ksm_align_up(bytes, 4 * KSM_KIB));
	if (bytes > (size_t)(tables->end - tables->next)) {
		result = tables->map(MAPPING_BYTES);
		if (!result)
			return NULL;
		tables->end = result + MAPPING_BYTES;
	}
	tables->next = result + bytes;
	return result;
}
