/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frames: a call stack in the form that is the same in every process.
 *
 * What it is: from the current call to its return addresses, with repeated ones left out, so that recursion does not
 * make a stack for each depth; and from those to files and link-time addresses, of which an id is made. All of it lies
 * in the thread's room for a capture (thread.h).
 * What it is not: the meaning of a stack; site and origin know.
 *
 * Invariants: what an id is made of ends at the first address outside of every file, since that is another one in
 * each process: code that was made at run time (JIT).
 * Locking: those of unwind and module. Failure: a stack of which nothing resolves has no frames.
 */
#ifndef KSM_FRAMES_H
#define KSM_FRAMES_H

#include "base.h"
#include "site/thread.h"

/* What an id has of a hash. */
#define KSM_ID_MASK ((UINT64_C(1) << 48) - 1)

/* Walks the stack above a call that returns to caller with frame address frame, and folds it. */
void ksm_frames_walk(struct ksm_capture *capture, uintptr_t caller, uintptr_t frame);

/*
 * The same, and on through code that was made at run time. Where an engine does a job by itself (task.h) that code is what has
 * made the program map most memory in this thread of late (capture->mapping).
 */
void ksm_frames_walk_beyond(struct ksm_capture *capture, uintptr_t caller, uintptr_t frame);

/* A hash of the folded addresses, which no stack has that was walked before code came or went. */
uint64_t ksm_frames_hash(const struct ksm_capture *capture, uint32_t generation);

/* Resolves the folded addresses up to the first outside of every file: frames, and the text that an id is the hash of. */
void ksm_frames_resolve(struct ksm_capture *capture);

/* Goes on behind that one, to the end of the stack: addresses outside of every file stay what they are. */
void ksm_frames_resolve_beyond(struct ksm_capture *capture);

/* The hash of text as an id, which is never 0. */
uint64_t ksm_frames_id(const void *text, size_t length);

/* The resolved frames as the segment has them. */
void ksm_frames_pack(const struct ksm_capture *capture, uint64_t packed[KSM_MAX_FRAMES]);

#endif
