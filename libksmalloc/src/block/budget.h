/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * budget: how many pages a thread may have at hand in its magazines.
 *
 * What it is: numbers, of a thread and of all together. A budget grows step by step as its thread asks for it, and is
 * given back when the thread ends. Nothing of it depends on time: it decides which run is taken.
 * What it is not: pages, or a rule for what pools keep; what may be at hand is taken off that (keep.h).
 *
 * In the shared layout the first KSM_LANES threads of a depth have budgets that do not depend on others; those that come
 * after share one for all.
 *
 * Locking: a thread's budget is its own, the sums are atomic. Failure: false, and the budget is as it was.
 */
#ifndef KSM_BUDGET_H
#define KSM_BUDGET_H

#include "base.h"
#include "site/thread.h"

/* The thread may have a MiB more, or what is missing to thread_bytes; false if it has enough. */
bool ksm_budget_raise(struct ksm_thread *thread);

/* The thread ends. */
void ksm_budget_return(struct ksm_thread *thread);

/* Pages that all threads together may have at hand, and return to each other besides. */
int64_t ksm_budget_most(void);

/* Pages of all budgets. */
int64_t ksm_budget_all(void);

/* own is the only thread of the child, or NULL. The budgets of others would be missing to those that it starts. */
void ksm_budget_postfork_child(const struct ksm_thread *own);

#endif
