/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nursery: the pools that many sites share.
 *
 * What it is: the nurseries, in which the blocks of sites without a slot of their own lie, and the
 * private pool, whose blocks must never merge; and the choice among them.
 * What it is not: a decision which sites have a slot; placed decides.
 *
 * Threads share nurseries by their ordinal; one that no thread uses costs nothing. In the
 * shared layout each part of the process has its own, and they are advised, since
 * they are equal in all processes; blocks of sites that must not be advised lie apart then.
 *
 * Locking: each has its own lock. Never two at once, but by ksm_nursery_lock_all(), in order.
 * Failure: none.
 */
#ifndef KSM_NURSERY_H
#define KSM_NURSERY_H

#include "base.h"
#include "site/site.h"
#include "slot/slot.h"

void ksm_nursery_init(void);

/* In a child that has just become one of a greater depth: makes the nurseries of its parts. */
void ksm_nursery_deepen(void);

/* The nursery for the current thread's blocks of the site. */
struct ksm_pool *ksm_nursery_of(const struct ksm_site *site);

/* The pool of blocks that must not merge. */
struct ksm_pool *ksm_nursery_private(void);

void ksm_nursery_lock_all(void);
void ksm_nursery_unlock_all(void);
void ksm_nursery_postfork_child(void);

#endif
