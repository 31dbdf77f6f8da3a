/* SPDX-License-Identifier: BSD-2-Clause */
#include "read/sample.h"

#include <string.h>

#include "read/smaps.h"

/* Memory that is looked at. */
#define SAMPLE_BYTES (128 * KSM_MIB)

uint64_t ksr_sample_every(const struct ksr_fs *fs, pid_t pid)
{
	struct ksr_vma total;

	memset(&total, 0, sizeof(total));
	if (ksr_smaps_rollup_read(fs, pid, &total))
		return 1;
	return total.anonymous / SAMPLE_BYTES + 1;
}
