/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mark: which memory has which origin (ksmalloc/segment.h says what a mark is).
 *
 * What it is: the segment's table of marks, found by address: set where memory is taken, moved and cut as it is, and
 * cleared where it is given back. Neighbours of one kind and origin are one mark. A mark of a reservation, which
 * was made without rights, is told apart until a part of it is made accessible.
 * What it is not: a decision which memory is marked, or where it lies.
 *
 * Invariants: no two marks of one kind overlap, but for those of small blocks, which are found by their handle. A
 * call takes time in the logarithm of the number of marks, and of those that it changes.
 * Locking: a word that names its holder and is tried for a while, within any other lock of the library and of
 * jemalloc; a signal handler that has interrupted the holder gives up at once. A fork does not wait for it: a child
 * that finds it taken builds its order anew from the table.
 * Failure: with a full table, and for who does not get the lock, memory has no mark, or keeps an old one; it is
 * counted in the segment (marks_dropped_total).
 */
#ifndef KSM_MARK_H
#define KSM_MARK_H

#include "base.h"

#include <ksmalloc/segment.h>

/* No mark. */
#define KSM_MARK_NONE 0u

/* What memory is marked with. */
struct ksm_mark_of {
	uint64_t weight; /* as in a mark */
	uint32_t origin;
	enum ksmalloc_mark_kind kind;
	bool is_reserved; /* it has no rights so far */
};

/* Marks bytes from address on, in the place of other marks of the kind. Origin 0 marks only jemalloc's memory. */
void ksm_mark_set(uintptr_t address, size_t bytes, const struct ksm_mark_of *of);

/* Takes the marks of a kind off a range: those that lie in it go, those that begin or end in it become shorter. */
void ksm_mark_clear(uintptr_t address, size_t bytes, enum ksmalloc_mark_kind kind);

/* Memory has moved, and may have become longer or shorter: mremap(2), realloc(3). */
void ksm_mark_move(uintptr_t from, size_t from_bytes, uintptr_t to, size_t to_bytes, enum ksmalloc_mark_kind kind);

/* The origin of the mark of a kind that an address lies in, and how far it is to its end; 0 if there is none. */
uint32_t ksm_mark_find(uintptr_t address, enum ksmalloc_mark_kind kind, size_t *rest);

/* True if some of the range has the mark of a reservation. */
bool ksm_mark_is_reserved(uintptr_t address, size_t bytes, enum ksmalloc_mark_kind kind);

/* A mark that is found by its handle only; KSM_MARK_NONE if there is none. Those of small blocks count for their origin. */
uint32_t ksm_mark_add(uintptr_t address, size_t bytes, const struct ksm_mark_of *of);
void ksm_mark_drop(uint32_t handle);

/* The same, and the block is still there: others stand for it. */
void ksm_mark_forget(uint32_t handle);

/* It stands for so much from now on. */
void ksm_mark_weigh(uint32_t handle, uint64_t weight);

/* How many entries are in use. */
uint32_t ksm_mark_count(void);

void ksm_mark_postfork_child(void);

#endif
