/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store: what groups share by their stores.
 *
 * What it is: sums over the processes of each group that has a store: what of it they map, what its files take, and why
 * some stand aside.
 * What it is not: about KSM; what is shared so is neither merged nor saved by it.
 * Invariants: a file counts once, however many processes have it open.
 * Locking and owner: one thread; the groups belong to the report.
 * Failure: -ENOMEM.
 */
#ifndef KSR_JOIN_STORE_H
#define KSR_JOIN_STORE_H

#include "join/group.h"

int ksr_store_finish(struct ksr_report *report);
/* Bytes of the stores that no process has any more, at least; 0 where not all processes of a group were read. */
uint64_t ksr_store_forgotten(const struct ksr_report *report);

#endif
