/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind: the call stack of the current thread, as return addresses.
 *
 * What it is: libunwind's unw_backtrace behind a call that cannot recurse into
 * it, and a way to tell cheaply that a stack is one that was seen before.
 * What it is not: names. It knows nothing about files or sites.
 *
 * Recognising a stack: a captured stack remembers at which words above the
 * caller's frame each return address was found. If the next call comes with the
 * same return address and frame address, and each of these words still holds
 * its value, it is the same stack. The words are compared innermost first and
 * the first difference ends it, so that nothing above the live stack is read.
 *
 * Locking: a walk counts itself in; ksm_unwind_prefork() waits until no walk is
 * under way, because the loader's lock that it takes would stay locked in the
 * child. Failure: a stack that cannot be walked has the one frame of its caller.
 */
#ifndef KSM_UNWIND_H
#define KSM_UNWIND_H

#include "base.h"

#define KSM_MAX_FRAMES 16

struct ksm_stack {
	uintptr_t caller;		/* return address of the call into the library */
	uintptr_t frame;		/* frame address of that call */
	uint32_t count;			/* frames, at least 1 */
	bool recognisable;		/* the words below are complete */
	uintptr_t frames[KSM_MAX_FRAMES];	/* return addresses, innermost first; [0] is caller */
	uint32_t words[KSM_MAX_FRAMES];	/* where frames[i] lies, in words from frame */
};

/*
 * Walks the stack above a call that returns to caller and whose frame address
 * (__builtin_frame_address(0) in it) is frame.
 */
void ksm_unwind_capture(struct ksm_stack *stack, uintptr_t caller, uintptr_t frame);

/* True if the current call comes from the same stack as the captured one. */
KSM_READS_FRAMES bool ksm_unwind_matches(const struct ksm_stack *stack, uintptr_t caller,
				   uintptr_t frame)
{
	const uintptr_t *words = (const uintptr_t *)frame;

	if (stack->caller != caller || stack->frame != frame || !stack->recognisable)
		return false;
	for (uint32_t i = 1; i < stack->count; i++) {
		if (words[stack->words[i]] != stack->frames[i])
			return false;
	}
	return true;
}

/* Walks once, so that the unwinder's own set-up happens at a quiet time. */
void ksm_unwind_warm_up(void);

/* Forgets what is cached about code, since modules come or go. */
void ksm_unwind_flush(void);

void ksm_unwind_prefork(void);
void ksm_unwind_postfork_parent(void);
void ksm_unwind_postfork_child(void);

#endif
