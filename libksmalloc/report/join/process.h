/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * process: all that is read of one process.
 *
 * What it is: its segment, and what the kernel counts of it, as they were read.
 * What it is not: read here (collect.h), or a sum.
 * Locking and owner: a process owns all that it points to.
 * Failure: none.
 */
#ifndef KSR_JOIN_PROCESS_H
#define KSR_JOIN_PROCESS_H

#include "read/cgroup.h"
#include "read/snapshot.h"
#include "read/counters.h"
#include "read/smaps.h"
#include "read/status.h"

struct ksr_process {
	struct ksr_snapshot snapshot;
	struct ksr_status status;
	char container[KSR_CONTAINER_BYTES]; /* empty outside of one */
	struct ksr_ksm_stat ksm;
	struct ksr_smaps smaps;
	struct ksr_counter_table counters; /* empty unless the kernel counts by site */
	int counters_error;		   /* why they could not be read */
	/*
	 * false: a forked child that still maps its parent's file, or shares its parent's
	 * memory (vfork). Its memory counts, the parent's counters do not count a second
	 * time.
	 */
	bool owner;
};

void ksr_process_free(struct ksr_process *process);

#endif
