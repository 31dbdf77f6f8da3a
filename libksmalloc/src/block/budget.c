/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/budget.h"

#include "slot/keep.h"
#include "layout/layout.h"
#include "system/option.h"
#include "layout/stream.h"

#include <stdatomic.h>

/* So often a thread must miss what it gave up until it may keep a step more. */
#define REGRETS_STEP 256u

/* What a thread may keep at hand grows by this. */
#define STEP ((uint32_t)(KSM_MIB >> KSM_PAGE_SHIFT))

/* Synchronization: atomic. */
static struct {
	atomic_uint all;
	atomic_uint apart; /* of them, those of threads whose budgets do not depend on others */
	atomic_uint threads; /* that have a budget */
} budgets;

int64_t ksm_budget_most(void)
{
	return 4 * (int64_t)(ksm_options.thread_bytes >> KSM_PAGE_SHIFT);
}

int64_t ksm_budget_all(void)
{
	return atomic_load_explicit(&budgets.all, memory_order_relaxed);
}

/*
 * In the shared layout what a thread keeps must not depend on others. After the first KSM_LANES of them threads have
 * parts in common, and are told apart in nothing else either.
 */
static bool is_apart(void)
{
	return ksm_layout_is_shared() && ksm_stream_ordinal() < KSM_LANES;
}

/*
 * One thread may keep at hand half of what the process may keep, and more once it has often missed what it had to
 * give up. Where there are several, all together may have as much as four may have alone, but for those whose budgets
 * do not depend on others.
 */
static bool may_raise(const struct ksm_thread *thread, uint32_t step)
{
	int64_t missed = (int64_t)(thread->regrets / REGRETS_STEP) * STEP;
	int64_t keep_pages = (int64_t)(ksm_options.keep_bytes >> KSM_PAGE_SHIFT);
	int64_t together;

	if (is_apart())
		return thread->budget_pages + step <= keep_pages / 2 + missed;
	if (atomic_load_explicit(&budgets.threads, memory_order_relaxed) > 1) {
		together = ksm_budget_all() - atomic_load_explicit(&budgets.apart, memory_order_relaxed);
		return together + step <= ksm_budget_most();
	}
	return thread->budget_pages + step <= ksm_keep_base() / 2 + missed;
}

bool ksm_budget_raise(struct ksm_thread *thread)
{
	uint32_t most = (uint32_t)(ksm_options.thread_bytes >> KSM_PAGE_SHIFT);
	uint32_t step = (uint32_t)ksm_min(STEP, most - thread->budget_pages);

	if (step == 0 || ksm_options.zero_reuse || !may_raise(thread, step))
		return false;
	if (thread->budget_pages == 0)
		atomic_fetch_add(&budgets.threads, 1);
	atomic_fetch_add(&budgets.all, step);
	if (is_apart())
		atomic_fetch_add(&budgets.apart, step);
	thread->budget_pages += step;
	ksm_keep_at_hand(step);
	return true;
}

void ksm_budget_return(struct ksm_thread *thread)
{
	if (thread->budget_pages > 0)
		atomic_fetch_sub(&budgets.threads, 1);
	atomic_fetch_sub(&budgets.all, thread->budget_pages);
	if (is_apart())
		atomic_fetch_sub(&budgets.apart, thread->budget_pages);
	ksm_keep_at_hand(-(int64_t)thread->budget_pages);
	thread->budget_pages = 0;
}

void ksm_budget_postfork_child(const struct ksm_thread *own)
{
	uint32_t pages = own ? own->budget_pages : 0;
	uint32_t all = atomic_exchange(&budgets.all, pages);

	ksm_keep_at_hand((int64_t)pages - all);
	atomic_store(&budgets.apart, is_apart() ? pages : 0);
	atomic_store(&budgets.threads, pages > 0);
}
