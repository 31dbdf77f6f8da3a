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
 * Locking: a walk that meets unknown addresses goes through the gate of loader.h, and
 * waits for a fork that is under way. In a stranded child there are no walks.
 * Failure: a stack that cannot be walked has the one frame of its caller.
 */
#ifndef KSM_UNWIND_H
#define KSM_UNWIND_H

#include "base.h"

#define KSM_MAX_FRAMES 16

/* How deep a walk goes that looks for an end beyond them. */
#define KSM_DEEP_FRAMES 64

/* How far above the frame return addresses are searched for, in words. */
#define KSM_SEARCH_WORDS 4096u

struct ksm_stack {
	uintptr_t caller;		/* return address of the call into the library */
	uintptr_t frame;		/* frame address of that call */
	uint32_t count;			/* frames, at least 1 */
	bool recognisable;		/* the words below are complete */
	bool is_deeper;			/* the walk has met more frames */
	uintptr_t task;			/* one into a function of an engine's job (task.h), wherever a deep walk has met it; 0: none */
	uintptr_t end;			/* the outermost return address that it has met; 0 if there was no end */
	uintptr_t frames[KSM_MAX_FRAMES];	/* return addresses, innermost first; [0] is caller */
	uint32_t words[KSM_MAX_FRAMES];	/* where frames[i] lies, in words from frame */
	struct ksm_unwind_room *room;	/* what the walk had, for ksm_unwind_climb() */
};

/* What the unwinder needs for a walk, apart from the stack that it walks: that may have 8 KiB in all. */
#ifdef __aarch64__
#define KSM_UNWIND_BYTES 3072 /* twice as many registers */
#else
#define KSM_UNWIND_BYTES 2048
#endif

struct ksm_unwind_room {
	_Alignas(16) unsigned char bytes[KSM_UNWIND_BYTES];
};

/*
 * Walks the stack above a call that returns to caller and whose frame address
 * (__builtin_frame_address(0) in it) is frame.
 */
void ksm_unwind_capture(struct ksm_stack *stack, struct ksm_unwind_room *room, uintptr_t caller,
			uintptr_t frame);

/* The same, of a walk that looks for the end of stacks with more frames; it takes the longer the deeper they are. */
void ksm_unwind_capture_deep(struct ksm_stack *stack, struct ksm_unwind_room *room, uintptr_t caller, uintptr_t frame);

/* Makes room behind the outermost frame: of a stack that has many it leaves out those in the middle. */
void ksm_unwind_leave_out(struct ksm_stack *stack);

/*
 * Is there unwinding information for the code that returns to this address? Where a file has none its stacks end too
 * early.
 */
bool ksm_unwind_knows(uintptr_t address);

/*
 * Goes on where a walk has ended in code without unwinding information, which compilers at run time make with frame pointers:
 * appends return addresses by these. Only on the thread's own stack; what it finds may be wrong.
 */
void ksm_unwind_follow(struct ksm_stack *stack);

/* A frame as its callee has left it: where it goes on, its stack pointer then, and a register that callees save. */
struct ksm_unwind_frame {
	uintptr_t code;
	uintptr_t stack;
	uintptr_t kept;	 /* r14; 0 on other processors */
	bool was_interrupted; /* by a signal, so that it may be in the middle of anything */
};

/*
 * Walks the stack of this call once more, in the same room, and shows each frame, innermost first, our own among
 * them, until visit returns false. All that is shown follows from unwinding information; a frame that has none is the
 * last one. Takes some ten times as long as ksm_unwind_capture().
 */
typedef bool ksm_unwind_visit(void *context, const struct ksm_unwind_frame *frame);
void ksm_unwind_climb(const struct ksm_stack *stack, ksm_unwind_visit *visit, void *context);

/*
 * Says that the current thread runs on the stack that the system made for it, of size bytes with
 * all that lies on it, and that this call is made from near its upper end. No system call.
 */
void ksm_unwind_own_stack(size_t size);

/* The upper end of the current thread's own stack, if this address lies on it; else 0. */
uintptr_t ksm_unwind_own_stack_end(uintptr_t address);

/* The same for the main thread; nothing happens if the caller's frame does not lie on its stack. */
void ksm_unwind_own_main_stack(void);

/*
 * Is this the stack of a signal handler, which has interrupted what is above it? False where that cannot be told: further up than
 * the stack goes, and before the call that finds out what a handler returns to. That one takes a few system calls.
 */
bool ksm_unwind_is_interrupt(const struct ksm_stack *stack);
void ksm_unwind_find_interrupts(void);

/* Walks once, so that the unwinder's own set-up happens at a quiet time. */
void ksm_unwind_warm_up(void);

/* Forgets what is cached about code, since modules come or go. */
void ksm_unwind_flush(void);

#endif
