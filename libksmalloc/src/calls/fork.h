/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork: keeping the library whole across fork(2).
 *
 * What it is: the handlers that take all locks before a fork and put them right
 * after it, and the detection of children made without handlers (a raw
 * clone(2)), by a page that the kernel clears in them.
 * What it is not: a use of process ids: a vfork child shares our memory, and in
 * a container pids repeat.
 * One thread alone: no lock is taken for its forks. fork(2) may be called from a signal handler, which
 * may have interrupted malloc and would wait for locks that nobody lets go. Or it has interrupted fork(2): each fork
 * that is under way is one of a single thread, or not, by itself.
 * Locking: takes all others; the order is the one in src/README.md.
 * Failure: -ENOMEM from ksm_fork_init().
 */
#ifndef KSM_FORK_H
#define KSM_FORK_H

#include "base.h"

/*
 * Registers the handlers. To be called at load, right after jemalloc has registered its own, and before
 * anybody else does: handlers that come later run outside of our locks then, and may allocate, free, or
 * wait for threads that do. 0 or -ENOMEM.
 */
int ksm_fork_register(void);

/* Sets up the detection of forks without handlers. */
int ksm_fork_init(void);

/* Another number in a child than in its parent: for who waits for a thread, which is not there any more then. */
uint32_t ksm_fork_count(void);

/* Around what must not be half done in a child: a fork waits for it. */
void ksm_fork_begin_setup(void);
void ksm_fork_end_setup(void);

/* In a page of its own that reads 0 in a forked child. */
enum {
	KSM_FORK_UNNOTICED = 0,
	KSM_FORK_SETTLED,
	KSM_FORK_NOTICED, /* the child's thread has not yet gone to streams of its own */
};
extern const volatile uint32_t *ksm_fork_mark __attribute__((visibility("hidden")));

KSM_COLD void ksm_fork_after_raw_clone(void);

/*
 * To be called at the beginning of calls that allocate, if ksm_stream_is_due(): the thread goes to its stream.
 * Most children execute something else after a few small blocks, so that a new child waits for
 * some more of them: memory of its own would cost it more than the fork did.
 */
KSM_COLD void ksm_fork_go(void);
KSM_COLD void ksm_fork_go_for_small(void);

/* Puts the library right if this is a child that no handler has seen. */
KSM_INLINE void ksm_fork_detect(void)
{
	if (ksm_unlikely(*ksm_fork_mark == KSM_FORK_UNNOTICED))
		ksm_fork_after_raw_clone();
}

#endif
