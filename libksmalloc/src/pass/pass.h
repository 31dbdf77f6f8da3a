/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pass: looks at all slices of the process, shares what the store has, and publishes what it has not.
 *
 * What it is: which memory may be shared (that which merges: advised slots and the region heap, in the shared layout),
 * and the work in steps that are bounded in time, by the process's only thread. Signals are blocked meanwhile.
 * What it is not: for processes of several threads: they stand aside, and so do those that something else may write
 * to: a debugger, io_uring, asynchronous I/O, pinned memory; or that have locked memory, which must not change.
 * Nor for a child that borrows its parent's memory (vfork(2)): the parent may have threads.
 *
 * A pass: each slice is shared with the store's files (share.h). Pages that none has are marked, and those that another
 * member has marked with the same content are published, some MiB at a time, and shared at once.
 * When: a while after the start, when the process has grown, and else in intervals that double as long as nothing
 * is gained.
 *
 * Locking: none; the process has one thread. Where steps are made, no lock of ours is held.
 * Failure: -errno, and the pass ends. Memory is as it was.
 */
#ifndef KSM_PASS_H
#define KSM_PASS_H

#include "base.h"
#include "system/option.h"

/* At load, after the layout and the options are known. */
KSM_COLD void ksm_pass_init(void);

/*
 * Goes on with a pass that is under way or due, for some microseconds. Milliseconds until there is more to do, or -errno;
 * -EINTR if a signal has come meanwhile that would have ended a call that waits: its handler has run.
 */
long ksm_pass_step(uint64_t budget_us);

/*
 * The same, whether it is due or not, in one thread of several, all others of which a tracer has stopped. It may have
 * been stopped anywhere, also inside of malloc. Takes less than 16 KiB of stack.
 */
long ksm_pass_step_stopped(uint64_t budget_us);

/* The same in calls that allocate, for a shorter time, after the heap has grown. */
KSM_COLD void ksm_pass_by_slowly(void);

KSM_INLINE void ksm_pass_by(void)
{
	if (ksm_unlikely(ksm_options.share))
		ksm_pass_by_slowly();
}

/* The same for a runtime that takes memory of a stream. */
KSM_COLD void ksm_pass_by_grown(size_t bytes);

/* Makes a whole pass now. Own pages that are not needed any more, or -errno. */
long ksm_pass_now(void);

#endif
