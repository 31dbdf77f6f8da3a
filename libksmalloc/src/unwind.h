/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind: the call stack of the current thread, as return addresses.
 *
 * What it is: libunwind's unw_backtrace behind a call that cannot recurse into
 * it, the places of the return addresses on the stack, by which recall tells a stack
 * that was seen before, and the bounds of the thread's own stack.
 * What it is not: names. It knows nothing about files or sites.
 *
 * The thread's own stack: the main thread's is known from the loader, that of others from
 * pthread_create's wrapper. Where frames lie outside of it, on a signal's or a coroutine's stack, or
 * in a thread that the wrapper has not seen, return addresses are not looked for: the
 * end of such a stack is not known, and nothing above it may be read.
 *
 * Locking: a walk counts itself in; ksm_unwind_prefork() waits until no walk is
 * under way, because the loader's lock that it takes would stay locked in the
 * child. Failure: a stack that cannot be walked has the one frame of its caller.
 */
#ifndef KSM_UNWIND_H
#define KSM_UNWIND_H

#include "base.h"

#define KSM_MAX_FRAMES 16

/* How far above the frame return addresses are searched for, in words. */
#define KSM_SEARCH_WORDS 4096u

struct ksm_stack {
	uintptr_t caller;		/* return address of the call into the library */
	uintptr_t frame;		/* frame address of that call */
	uint32_t count;			/* frames, at least 1 */
	bool recognisable;		/* the words below are complete */
	uintptr_t frames[KSM_MAX_FRAMES];	/* return addresses, innermost first; [0] is caller */
	uint32_t words[KSM_MAX_FRAMES];	/* where frames[i] lies, in words from frame */
};

/* What the unwinder needs for a walk, apart from the stack that it walks: that may have 8 KiB in all. */
struct ksm_unwind_room {
	_Alignas(16) unsigned char bytes[2048];
};

/*
 * Walks the stack above a call that returns to caller and whose frame address
 * (__builtin_frame_address(0) in it) is frame.
 */
void ksm_unwind_capture(struct ksm_stack *stack, struct ksm_unwind_room *room, uintptr_t caller,
			uintptr_t frame);

/*
 * Says that the current thread runs on the stack that the system made for it, of size bytes with
 * all that lies on it, and that this call is made from near its upper end. No system call.
 */
void ksm_unwind_own_stack(size_t size);

/* The same for the main thread; nothing happens if the caller's frame does not lie on its stack. */
void ksm_unwind_own_main_stack(void);

/* Walks once, so that the unwinder's own set-up happens at a quiet time. */
void ksm_unwind_warm_up(void);

/* Forgets what is cached about code, since modules come or go. */
void ksm_unwind_flush(void);

void ksm_unwind_prefork(void);
void ksm_unwind_postfork_parent(void);
void ksm_unwind_postfork_child(void);

#endif
