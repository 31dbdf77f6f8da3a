/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offer: what a keeper needs to have this process share, in the segment.
 *
 * What it is: memory for calls from outside (ksmalloc/room.h), addresses, and the right to trace the process, where Yama
 * would keep it from the keeper of the group.
 * What it is not: a pass; the owner says which function makes one.
 *
 * The room is private memory that nobody touches before the first call. A forked child inherits room and addresses, but
 * not the right: it gives that when it wants to share and may not. Nothing is done at the fork.
 * Locking: none. Failure: nothing is offered.
 */
#ifndef KSM_OFFER_H
#define KSM_OFFER_H

#include "base.h"

#include <sys/types.h>

/*
 * At load. store: a number that those have in common who have one store. seed: the path of the group's seed, beside which
 * the keeper's file lies.
 */
KSM_COLD void ksm_offer_init(uint64_t store, const char *seed, long (*share)(uint64_t budget_us));

/* Lets the keeper that the group has now trace this process: at load, and where a step was refused. */
void ksm_offer_let_trace(void);

/* Is this the keeper that the group has now? */
bool ksm_offer_is_keeper(pid_t pid);

/* For the keeper: when the next pass is wanted. */
void ksm_offer_note_due(uint64_t due_ms);

#endif
