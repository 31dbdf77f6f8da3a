/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * denied: is the current call one of a denied site?
 *
 * What it is: the answer for blocks that are too small to have a site, in a process whose heap
 * merges while the option deny names something. Sites are not made for them: there may be tens
 * of thousands of small ones. A thread recalls the stacks that it has asked for.
 * What it is not: used in any other process. Nothing is captured for small blocks there.
 *
 * In doubt the answer is yes: what is not known not to be denied is kept out.
 *
 * Locking: none of its own; a walk takes those of unwind, module and policy.
 * Failure: the answer is yes.
 */
#ifndef KSM_DENIED_H
#define KSM_DENIED_H

#include "base.h"

/* After the policy and the arenas: sees whether small blocks have to be asked for. */
KSM_COLD void ksm_denied_init(void);

/* True if they have. Constant after ksm_denied_init(). */
KSM_INLINE bool ksm_denied_is_on(void)
{
	extern bool ksm_denied_on __attribute__((visibility("hidden")));

	return ksm_unlikely(__atomic_load_n(&ksm_denied_on, __ATOMIC_RELAXED));
}

/*
 * True if a pattern of deny matches the call that returns to caller with frame address frame: a
 * function on its stack, or the label under which it is made.
 */
bool ksm_denied_call(uintptr_t caller, uintptr_t frame);

#endif
