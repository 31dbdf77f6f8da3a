/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watched: which small blocks stand for others where they lie?
 *
 * What it is: blocks of jemalloc's with a mark each, in the shared layout, where a block that lay elsewhere would be another
 * one in a process that has allocated a bit more. jemalloc watches their pages: free(3) of a block there takes its slow
 * path, and asks here whether it is one that has a mark. A witness (slot/witness.h) needs no such question, since it lies
 * elsewhere.
 * What it is not: a choice which blocks they are (calls/pick.h).
 *
 * What others pay: frees of all blocks of a watched page take the slow path. A page whose blocks are
 * freed again and again, so that more than an eighth of what is freed is theirs, would make that all that a program does. The
 * marks of such a page are tossed up: half of them end, and the others stand for twice as much, so that what all stand for
 * stays what it is, on average, whoever has allocated it. And jemalloc's tree is not equal in processes whose picked blocks are
 * not: one of its pages tells of 2 MiB.
 *
 * Invariants: no block moves. A block has one mark at most, which ends when the block is freed or is to be resized, whether
 * there is memory for that or not. A page is watched if, and only if, a block that begins on it has a mark.
 * Locking: one lock, within which only mark's flag is taken. Frees of blocks that have no mark take none.
 * Failure: without room the block has no mark; it is counted in the segment (marks_dropped_total).
 */
#ifndef KSM_WATCHED_H
#define KSM_WATCHED_H

#include "base.h"

/* The block, which its caller has just got from jemalloc, stands for so many bytes. */
void ksm_watched_add(const void *block, size_t size, uint32_t origin, uint64_t weight);

/* A block of a watched page is freed, or resized: its mark ends, if it has one. */
void ksm_watched_freed(const void *block, size_t size);

/* So many bytes more were allocated, by any thread. */
void ksm_watched_count_allocated(uint64_t bytes);

/* How many there are. */
uint32_t ksm_watched_count(void);

void ksm_watched_prefork(void);
void ksm_watched_postfork_parent(void);
void ksm_watched_postfork_child(void);

#endif
