/* SPDX-License-Identifier: BSD-2-Clause */
#include "join/process.h"

void ksr_process_free(struct ksr_process *process)
{
	ksr_counters_free(&process->counters);
	ksr_smaps_free(&process->smaps);
	ksr_snapshot_destroy(&process->snapshot);
}
