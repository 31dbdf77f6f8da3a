/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exact: what the kernel counts by site, in the place of what smaps told.
 *
 * What it is: the rows of /proc/PID/ksm_sites of a process, divided among its memory.
 *
 * How it is found where the kernel counts (/proc/PID/ksm_sites). The row of a site tells how many
 * of its pages are merged, and how many of these are saved: of all that share a page of KSM exactly
 * one pays for it, so that the rows of all processes add up to the kernel's pages_sharing, whoever
 * shares with whom, fork or not. A child of a fork counts when ksmd has visited its pages; what it
 * shares until then is fork's. Memory without a hint is one row: it is divided among all that
 * has no row of its own in the proportion of K. The rows tell of ksmd's last visit: pages that were
 * freed or written since are merged in the row and not in smaps. They are `stale`, and not called
 * saved. Which of them paid, and whether all that shared a page are gone, nobody knows: their part
 * of what a site saves is taken in proportion, with a bound of the error.
 *
 * Invariants: what the memory of a process has afterwards adds up to its rows.
 *
 * Locking and owner: one thread; the process and its memory belong to the caller.
 *
 * Failure: -ENOMEM.
 */
#ifndef KSR_JOIN_EXACT_H
#define KSR_JOIN_EXACT_H

#include "join/own.h"
#include "join/process.h"

/* Sums of the kernel's counters by site, in bytes, of the processes that have them. */
struct ksr_exact {
	uint32_t processes;
	uint64_t merged; /* their ksm_merging_pages */
	uint64_t saved;	 /* their part of pages_sharing */
	/* Of these: pages that were freed or written since ksmd visited them. */
	uint64_t stale_merged;
	uint64_t stale_saved;
};

/*
 * Puts the counters of a process, which must have some, in the place of what smaps told, and finds
 * the rows of its sites. sum grows by what was taken. 0 or -ENOMEM.
 */
int ksr_exact_take(const struct ksr_process *process, uint64_t page_bytes,
		   struct ksr_own_memory *own, struct ksr_exact *sum);
/* When all processes were added: takes what is stale out of what a site saves. */
void ksr_exact_settle(struct ksr_memory *memory, struct ksr_exact *sum);

#endif
