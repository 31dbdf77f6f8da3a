/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena: the arenas of jemalloc, and the memory that they are given.
 *
 * What it is: how jemalloc is set up, which arena a thread uses, and the calls by which jemalloc
 * asks for memory: in the shared layout it lies in the region heap. And the
 * *kept out* arenas: memory for blocks that must not merge in a process whose heap does.
 * What it is not: the decision which blocks those are; heap and denied know.
 *
 * Kept out: their memory is exempted when it is mapped, and what is freed there may be given to
 * any caller, never the other way round: such a block always comes from its arena.
 * There is one for each part of the process, made by its first thread.
 *
 * Locking: none of ours. jemalloc calls back with its own locks held; only atomics are
 * touched there, and the thread's own variables.
 * Failure: NULL with errno ENOMEM.
 */
#ifndef KSM_ARENA_H
#define KSM_ARENA_H

#include "base.h"

/* Before jemalloc's first call: sets it up for the layout of the process. */
KSM_COLD void ksm_arena_init(void);

/* True if jemalloc's memory is mergeable in this process, but for kept out arenas. */
bool ksm_arena_merges(void);

/*
 * Gives the current thread the arena of its stream in the shared layout. A new thread does this
 * before its creator goes on, since it takes jemalloc's own memory.
 */
void ksm_arena_bind_thread(void);

/* The same for a thread that has had another stream: it keeps no small blocks at hand. */
KSM_COLD void ksm_arena_move_thread(void);

/* Calls grown() where a thread gets a slab at a place where none was: 0, -ENOTSUP, -EBUSY (ksmalloc/stream.h). */
int ksm_arena_watch(void (*grown)(void));

/* Slabs that the current thread has taken in the shared layout, and that have no marks, get marks of this origin. */
void ksm_arena_mark_new_slabs(uint32_t origin);

/* From now on jemalloc's memory has marks, also what it has mapped before: a process that does next to nothing has none. */
void ksm_arena_mark_memory(void);

/*
 * From now on the gate is closed when the heap grows, so that a call that allocates comes by its slow path. True, once
 * each time, if it has grown since.
 */
void ksm_arena_watch_growth(void);
bool ksm_arena_has_grown(void);

/* Bytes that jemalloc has mapped. */
uint64_t ksm_arena_mapped_bytes(void);

/* A block in the kept out arena of the thread's part; the heap merges. alignment is a power of two. */
void *ksm_arena_alloc_kept_out(size_t size, size_t alignment, bool zero);

/* realloc(3) of a block that lies in a kept out arena: it stays there. size is not 0. */
void *ksm_arena_realloc_kept_out(void *block, size_t size);

/* True if this memory of jemalloc's is not of a kept out arena. */
bool ksm_arena_may_merge(const void *memory);

/* True if jemalloc's block lies in a kept out arena. */
bool ksm_arena_keeps_out(const void *block);

#endif
