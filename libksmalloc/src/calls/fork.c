/* SPDX-License-Identifier: BSD-2-Clause */
#include "calls/fork.h"

#include "arena/anchor.h"
#include "slot/keep.h"
#include "block/labelled.h"
#include "language/language.h"
#include "site/loader.h"
#include "block/magazine.h"
#include "mapping/mapping.h"
#include "origin/mark.h"
#include "system/meta.h"
#include "site/module.h"
#include "block/nursery.h"
#include "origin/origin.h"
#include "os/os.h"
#include "site/policy.h"
#include "block/returned.h"
#include "store/shared.h"
#include "site/site.h"
#include "site/task.h"
#include "segment/stat.h"
#include "layout/stream.h"
#include "site/thread.h"
#include "slot/witness.h"
#include "arena/watched.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* For kernels without MADV_WIPEONFORK (before 4.14): only the handlers notice a fork. */
static uint32_t never_cleared = KSM_FORK_SETTLED;

const volatile uint32_t *ksm_fork_mark = &never_cleared;
static uint32_t *mark_page;

/* The library is being set up by a thread; a child would have it half done. */
static atomic_int setups;

/* A fork waits for that, but not for ever: the thread may itself wait for the one that forks. */
#define SETUP_WAIT_MS 1000

/* glibc's own word: no other thread was ever made. */
extern char __libc_single_threaded __attribute__((weak));

/*
 * Of each fork that this thread has under way, the innermost one's lowest, a bit: it is one of a single thread, and
 * no lock was taken. It may come from a signal handler that has interrupted us, and then that call goes on, in the
 * child, too, with the locks that it holds. And what it has interrupted may itself be a fork.
 */
static __thread uint16_t alone __attribute__((tls_model("initial-exec")));

bool ksm_heap_forks_alone(void);

/* Of the innermost fork; jemalloc asks, whose handlers run between the two of ours. */
bool ksm_heap_forks_alone(void)
{
	return alone & 1;
}

static void begin_fork(void)
{
	bool is_alone = &__libc_single_threaded && __libc_single_threaded;

	alone = (uint16_t)(alone << 1 | is_alone);
}

/* True if it was one of a single thread. */
static bool end_fork(void)
{
	bool was_alone = alone & 1;

	alone >>= 1;
	return was_alone;
}

void ksm_fork_begin_setup(void)
{
	atomic_fetch_add(&setups, 1);
}

void ksm_fork_end_setup(void)
{
	atomic_fetch_sub(&setups, 1);
}

static void wait_for_setup(void)
{
	uint64_t deadline = ksm_os_now_ms() + SETUP_WAIT_MS;

	while (atomic_load(&setups) > 0 && ksm_os_now_ms() < deadline)
		ksm_os_pause();
}

/* Jemalloc's handlers were registered before ours, so its locks are taken after these. */
static void prepare(void)
{
	begin_fork();
	if (alone & 1)
		return;
	wait_for_setup();
	ksm_loader_prefork();
	ksm_labelled_prefork();
	ksm_site_lock_all();
	ksm_nursery_lock_all();
	ksm_witness_prefork();
	ksm_watched_prefork();
	ksm_magazine_prefork();
	ksm_thread_prefork();
	ksm_origin_prefork();
	ksm_policy_prefork();
	ksm_module_prefork();
	ksm_stat_prefork();
	ksm_meta_prefork();
	/* The child's flags are its own, and no pass is made in a thread that is stopped here. */
	ksm_shared_hold();
	ksm_mapping_prefork();
}

static void parent(void)
{
	if (end_fork())
		return;
	ksm_mapping_postfork_parent();
	ksm_shared_let_go();
	ksm_meta_postfork_parent();
	ksm_stat_postfork_parent();
	ksm_module_postfork_parent();
	ksm_policy_postfork_parent();
	ksm_origin_postfork_parent();
	ksm_thread_postfork_parent();
	ksm_magazine_postfork_parent();
	ksm_watched_postfork_parent();
	ksm_witness_postfork_parent();
	ksm_nursery_unlock_all();
	ksm_site_unlock_all();
	ksm_labelled_postfork_parent();
	ksm_loader_postfork_parent();
}

/* The child has one thread, so locks are made anew instead of being unlocked. */
static void renew_locks(void)
{
	atomic_store(&setups, 0);
	ksm_mapping_postfork_child();
	ksm_meta_postfork_child();
	ksm_stat_renew_lock();
	ksm_module_postfork_child();
	ksm_policy_postfork_child();
	ksm_origin_postfork_child();
	ksm_language_postfork_child();
	ksm_task_postfork_child();
	ksm_thread_postfork_child();
	ksm_magazine_postfork_child();
	ksm_witness_postfork_child();
	ksm_watched_postfork_child();
	ksm_mark_postfork_child();
	ksm_shared_postfork_child();
	ksm_keep_postfork_child();
	ksm_nursery_postfork_child();
	ksm_site_postfork_child();
	ksm_labelled_postfork_child();
	ksm_keep_each_pool(ksm_returned_postfork_child);
	ksm_loader_postfork_child();
}

/* Calls for small blocks that a child has made since the fork, and how many it makes before it goes to its stream. */
#define SMALL_CALLS 64
static uint32_t small_calls;

static void set_mark(uint32_t mark)
{
	never_cleared = mark;
	if (mark_page)
		*mark_page = mark;
}

/* Of this process and those that it comes from. Synchronization: atomic. */
static uint32_t forks;

uint32_t ksm_fork_count(void)
{
	return __atomic_load_n(&forks, __ATOMIC_RELAXED);
}

static void enter_child(bool was_alone)
{
	__atomic_add_fetch(&forks, 1, __ATOMIC_RELAXED);
	if (was_alone)
		ksm_loader_postfork_only_child();
	else
		renew_locks();
	ksm_mapping_forget_unforked();
	ksm_language_init();
	ksm_stat_postfork_child();
	small_calls = 0;
	set_mark(ksm_anchor_pass_fork() ? KSM_FORK_NOTICED : KSM_FORK_SETTLED);
	/* The segment will become a file: nothing may be counted without a lock until then. */
	if (ksm_thread_self && ksm_thread_self->is_plain && ksm_stat_must_publish())
		ksm_magazine_retire(ksm_thread_self);
}

static void child(void)
{
	enter_child(end_fork());
}

void ksm_fork_after_raw_clone(void)
{
	enter_child(alone & 1);
}

void ksm_fork_go(void)
{
	/* A child that no handler has seen may have inherited that its parent's thread was due. */
	ksm_fork_detect();
	if (ksm_anchor_go())
		set_mark(KSM_FORK_SETTLED);
}

void ksm_fork_go_for_small(void)
{
	ksm_fork_detect();
	if (!ksm_stream_self.is_new_child || ++small_calls > SMALL_CALLS)
		ksm_fork_go();
}

int ksm_fork_register(void)
{
	return pthread_atfork(prepare, parent, child) == 0 ? 0 : -ENOMEM;
}

int ksm_fork_init(void)
{
	void *page;

	if (ksm_os_map(&page, KSM_PAGE, false) != 0)
		return -ENOMEM;
	if (ksm_os_madvise(page, KSM_PAGE, MADV_WIPEONFORK) == 0) {
		mark_page = page;
		*mark_page = never_cleared;
		ksm_fork_mark = mark_page;
	} else {
		ksm_os_unmap(page, KSM_PAGE);
	}
	return 0;
}
