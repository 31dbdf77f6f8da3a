/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pick: which small blocks stand for others?
 *
 * What it is: what jemalloc asks when a thread has allocated so many bytes. Of the bytes that a thread allocates, each
 * mark_bytes-th on average is picked, and the block that it lies in stands for as many: its weight. So each block
 * stands for its own size on average, however large it is. The steps between picked bytes are between half and one
 * and a half of the average, so that what the program repeats cannot keep pace with them.
 *
 * They grow with what a thread has allocated, up to sixteen times mark_bytes, sooner with what it has freed again, and with the
 * number of those that are there: a program that allocates all the time is asked rarely, and a heap of any size has some thousand of them.
 *
 * In the private layout it is a witness from then on (slot/witness.h). In the shared layout no block is: if a process allocated
 * something that another one does not, other blocks would be, and lie elsewhere. There it is watched where it lies
 * (arena/watched.h); and the slabs that a thread has taken since the last picked block have its origin: they tell who has
 * made the heap grow, and so where to look for what is his first.
 *
 * Invariants: which byte is picked follows from the bytes that the thread has allocated, from how much memory jemalloc has,
 * and from how many stand for others already; none of them moves any other block. Memory that must not merge while the heap does is left alone.
 * Locking: none of its own. jemalloc holds none.
 * Failure: the block stands for none.
 */
#ifndef KSM_PICK_H
#define KSM_PICK_H

#include "base.h"

#include <stdint.h>

/* What jemalloc calls: for the next sample, for a block that may be one, and at the end of a block of a watched page; see third_party/jemalloc/patches. */
uint64_t ksm_heap_next_sample(uint64_t allocated, uint64_t *due);
void *ksm_heap_sample(void *block, size_t usize, bool has_content, void *caller);
void ksm_heap_watched(const void *block, size_t usize);

/* A block in place of a witness, of size bytes, with its content; NULL without memory. It was jemalloc's choice. */
void *ksm_pick_realloc(void *witness, size_t size);
void ksm_pick_free(void *witness);

#endif
