/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout: whether this process shares its addresses with a group.
 *
 * What it is: the meeting of the process with the group's seed. `ksmalloc run`
 * executes a program without address randomisation and under a soft stack limit
 * that follows from the seed, which puts libraries, vdso and all that the kernel
 * places where they lie in every process of the group. This module reads the
 * seed, sees whether the process was executed that way, and puts back what only
 * the exec needed: the stack limit, the size of threads' stacks that glibc took
 * from it, and the personality, so that a child without the library is
 * randomised as usual. A child that has the library is executed once again.
 * What it is not: the choice of addresses. span and region ask for the seed's words.
 *
 *
 * Locking: none; ksm_layout_init() runs before there is a second thread.
 * Failure: the process has the private layout, and ksm_layout_error() tells why.
 */
#ifndef KSM_LAYOUT_H
#define KSM_LAYOUT_H

#include "base.h"

#include <ksmalloc/seed.h>

/* Reads the options and the seed, and puts back what the launcher changed. */
KSM_COLD void ksm_layout_init(char *const *environment);

/* True if the process has the layout of its group. Constant after ksm_layout_init(). */
KSM_INLINE bool ksm_layout_is_shared(void)
{
	extern bool ksm_layout_shared __attribute__((visibility("hidden")));

	return ksm_layout_shared;
}

/*
 * Executes the program once again with the layout of its group, if it was started with
 * another one. Returns if there is no need, if it was tried before, or if it fails.
 */
KSM_COLD void ksm_layout_execute_again(char *const *argv, char *const *environment);

/* One of the group's random numbers; 0 in the private layout. */
uint64_t ksm_layout_word(enum ksmalloc_seed_word word);

/*
 * The same in both layouts, and whether there are any: a process with the private layout has them if it is to share memory, or
 * has been refused the shared layout.
 */
uint64_t ksm_layout_group_word(enum ksmalloc_seed_word word);
bool ksm_layout_has_seed(void);

/* Why the process has not the layout of its group: an errno, or 0. */
int ksm_layout_error(void);

#endif
