/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork: keeping the library whole across fork(2).
 *
 * What it is: the handlers that take all locks before a fork and put them right
 * after it, and the detection of children made without handlers (a raw
 * clone(2)), by a page that the kernel clears in them.
 * What it is not: a use of process ids: a vfork child shares our memory, and in
 * a container pids repeat.
 * Locking: takes all others; the order is the one in src/README.md.
 * Failure: -ENOMEM from ksm_fork_init().
 */
#ifndef KSM_FORK_H
#define KSM_FORK_H

#include "base.h"

int ksm_fork_init(void);

/* Not 0, in a page of its own that reads 0 in a forked child. */
extern const volatile uint32_t *ksm_fork_mark;

KSM_COLD void ksm_fork_after_raw_clone(void);

/* Puts the library right if this is a child that no handler has seen. */
KSM_INLINE void ksm_fork_detect(void)
{
	if (ksm_unlikely(*ksm_fork_mark == 0))
		ksm_fork_after_raw_clone();
}

#endif
