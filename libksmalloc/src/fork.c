/* SPDX-License-Identifier: BSD-2-Clause */
#include "fork.h"

#include "keep.h"
#include "magazine.h"
#include "mapping.h"
#include "meta.h"
#include "module.h"
#include "nursery.h"
#include "os.h"
#include "policy.h"
#include "site.h"
#include "stat.h"
#include "thread.h"
#include "unwind.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

/* For kernels without MADV_WIPEONFORK (before 4.14): only the handlers notice a fork. */
static uint32_t never_cleared = 1;

const volatile uint32_t *ksm_fork_mark = &never_cleared;
static uint32_t *mark_page;

/* Jemalloc's handlers were registered before ours, so its locks are taken after these. */
static void prepare(void)
{
	ksm_unwind_prefork();
	ksm_site_lock_all();
	ksm_nursery_lock_all();
	ksm_magazine_prefork();
	ksm_thread_prefork();
	ksm_policy_prefork();
	ksm_module_prefork();
	ksm_stat_prefork();
	ksm_meta_prefork();
	ksm_mapping_prefork();
}

static void parent(void)
{
	ksm_mapping_postfork_parent();
	ksm_meta_postfork_parent();
	ksm_stat_postfork_parent();
	ksm_module_postfork_parent();
	ksm_policy_postfork_parent();
	ksm_thread_postfork_parent();
	ksm_magazine_postfork_parent();
	ksm_nursery_unlock_all();
	ksm_site_unlock_all();
	ksm_unwind_postfork_parent();
}

/* The child has one thread, so locks are made anew instead of being unlocked. */
static void child(void)
{
	ksm_mapping_postfork_child();
	ksm_meta_postfork_child();
	ksm_stat_postfork_child();
	ksm_module_postfork_child();
	ksm_policy_postfork_child();
	ksm_thread_postfork_child();
	ksm_magazine_postfork_child();
	ksm_keep_postfork_child();
	ksm_nursery_postfork_child();
	ksm_site_postfork_child();
	ksm_unwind_postfork_child();
	if (mark_page)
		*mark_page = 1;
	/* The segment will become a file: nothing may be counted without a lock until then. */
	if (ksm_thread_self && ksm_stat_must_publish())
		ksm_magazine_retire(ksm_thread_self);
}

void ksm_fork_after_raw_clone(void)
{
	child();
}

int ksm_fork_init(void)
{
	static bool done;
	void *page;

	if (done)
		return 0;
	done = true;
	if (ksm_os_map(&page, KSM_PAGE, false) != 0)
		return -ENOMEM;
	if (ksm_os_madvise(page, KSM_PAGE, MADV_WIPEONFORK) == 0) {
		mark_page = page;
		*mark_page = 1;
		ksm_fork_mark = mark_page;
	} else {
		ksm_os_unmap(page, KSM_PAGE);
	}
	return pthread_atfork(prepare, parent, child) == 0 ? 0 : -ENOMEM;
}
