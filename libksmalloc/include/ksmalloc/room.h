/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * room: what a process offers so that a function of it can be called from outside.
 *
 * What it is: memory of the process (the room), and the few instructions of
 * entry.c by which a call begins and ends and by which other threads wait. All
 * offsets are known to that code.
 *
 * Why the others have to wait, though they stand: a tracer that is killed lets
 * all threads go at once, in the middle of the function. So each one that stands
 * is prepared to go, not to where it was, but to ksr_entry_park, which sleeps
 * until the function has returned, and leads it back afterwards. As long as the
 * tracer lives none of that is run.
 *
 * Invariants: whatever moment the tracer dies at, either `go` was not set and
 * the function is not run, or every other thread sleeps in ksr_entry_park until
 * it has returned. Then each thread goes on with all its registers, its mask of
 * signals and the system call that it was in. What a thread needs for that (its
 * record) lies on its own stack, as the frame of a signal's handler would: it is
 * not disturbed by the next call, nor by handlers, nor by other threads.
 *
 * Locking and owner: the tracer writes while the threads stand; one call at a
 * time in one process. While a thread's stack pointer lies in the room, the
 * room is in use.
 */
#ifndef KSMALLOC_ROOM_H
#define KSMALLOC_ROOM_H

#include <stddef.h>
#include <stdint.h>

/* The registers of x86_64 as the code loads them; the end of it lies where the red zone begins. */
struct ksr_record {
	uint64_t rax, rcx, rdx, rsi, rdi, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t flags;
	uint64_t mask;
	uint64_t rbx, rip;
};

#define KSR_ROOM_ARGUMENTS 3

struct ksr_room_head {
	uint32_t go; /* all others are prepared to wait: run the function */
	uint32_t released; /* futex of those who wait: 0 until the function has returned */
	uint64_t function;
	uint64_t arguments[KSR_ROOM_ARGUMENTS];
	int64_t result;
	uint64_t mark; /* the signal by which the thread tells that it is at the end */
};

/* A word of the keeper's in the same page, by which it tells processes that have the same memory. */
#define KSR_ROOM_SIGN		2048

/* Where the state of the vector registers lies, with room for that of AMX. */
#define KSR_ROOM_VECTORS	4096
#define KSR_ROOM_VECTOR_BYTES	12288
/* At the end of the room. The function may use that much but for 1 KiB. */
#define KSR_ROOM_STACK_BYTES	32768
#define KSR_ROOM_LEAST_BYTES	(KSR_ROOM_VECTORS + KSR_ROOM_VECTOR_BYTES + KSR_ROOM_STACK_BYTES)

/* Of entry.c, in the process; addresses only, none can be called. */
extern const char ksr_entry_begin[]; /* rbx: the room; r13: the record; on the stack of the room */
extern const char ksr_entry_failed[]; /* as begin, where the function did not return; rax: the result */
extern const char ksr_entry_end[]; /* after the system call that sends the mark */
extern const char ksr_entry_park[]; /* rbx: a record; r12: the room */
/*
 * A system call that a stop has cut off goes on for what is left of it, and the thread then where its record says: rax,
 * in which the record has what was moved before, is what was moved in all. rbx: the record; all else as the call wants
 * it.
 */
extern const char ksr_entry_rest[];

/* What the process tells of itself. */
struct ksr_room {
	uint64_t address; /* of a page */
	uint64_t bytes;
	uint64_t begin, failed, end, park;
	uint64_t rest; /* 0: there is none */
	unsigned int filters; /* of seccomp, when it offered the room */
};

#endif
