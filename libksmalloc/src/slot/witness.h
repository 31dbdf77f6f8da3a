/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * witness: small blocks that stand for others, whose origin is marked.
 *
 * What it is: memory for such blocks, in a slot of its own, so that free(3) tells them from all others by the
 * comparison that it makes anyway. Each has a stand-in, the block that jemalloc gave, which stays where it is as long
 * as the witness lives and which nobody writes to: whether a block is a witness moves no other block.
 * What it is not: a choice which blocks are witnesses (pick.h).
 *
 * Invariants: a witness is aligned as jemalloc's block of its size is. Its memory is used again for blocks of its size
 * class, the lowest that is free, and never given back; it takes as much as there were witnesses at once.
 * Locking: one lock, within which only meta's, mark's and the segment's are taken.
 * Failure: NULL without memory; then the block itself goes to the program.
 */
#ifndef KSM_WITNESS_H
#define KSM_WITNESS_H

#include "base.h"

/* The largest size of a witness. */
#define KSM_WITNESS_LARGEST ((size_t)16 * KSM_KIB)

/* True of witnesses, and of pointers into or between them. */
bool ksm_witness_holds(const void *block);

/* A witness of the size of its stand-in, with a mark of this origin and weight. Its memory may hold old bytes. */
void *ksm_witness_take(void *stand_in, size_t size, uint32_t origin, uint64_t weight);

/* The stand-in of a witness; what is none ends the program. */
void *ksm_witness_stand_in(const void *witness);
size_t ksm_witness_size(const void *witness);

/* The witness is none any more. Its stand-in is the caller's. */
void ksm_witness_release(void *witness);

/* How many there are. */
uint32_t ksm_witness_count(void);

void ksm_witness_prefork(void);
void ksm_witness_postfork_parent(void);
void ksm_witness_postfork_child(void);

#endif
