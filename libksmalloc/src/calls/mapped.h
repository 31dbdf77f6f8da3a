/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapped: whose are the program's mappings?
 *
 * What it is: marks (mark.h) of private anonymous memory that the program maps itself: the origin of the call that made
 * it, and where that was a reservation without rights, of the call that makes a part of it accessible.
 * What it is not: a set of these mappings (mapping.h).
 *
 * Not each call is asked for its origin: 1024 are, then those of large mappings (256 KiB), and of smaller ones one for
 * each 256 KiB, which stands for the others; where the table of marks is three quarters full, one for each 16 MiB. So a
 * program that maps a hundred thousand times pays for some thousand walks of its stack.
 *
 * Locking: none of its own. The calls may come from a signal handler that has interrupted the library: where a lock that an
 * origin needs is taken, and where the thread is at another one, the mapping has no mark. errno is kept.
 * Failure: memory has no mark.
 */
#ifndef KSM_MAPPED_H
#define KSM_MAPPED_H

#include "base.h"

/* Whose a mapping will be. Before the call, so that it is not made under a lock. */
struct ksm_mapped_by {
	uint32_t origin; /* 0: nobody's that is known */
	uint64_t weight;
};

/* Of a call mmap(2) that returns to caller with this frame. */
struct ksm_mapped_by ksm_mapped_ask(size_t length, int prot, int flags, uintptr_t caller, uintptr_t frame);

void ksm_mapped_note(struct ksm_mapped_by by, void *addr, size_t length, int prot, int flags);
void ksm_mapped_note_unmap(const void *addr, size_t length);
void ksm_mapped_note_remap(const void *old, size_t old_length, const void *addr, size_t length, int flags);

/* mprotect(2) has given these rights; rare for reservations, and one comparison where there are none. */
void ksm_mapped_note_rights(void *addr, size_t length, int prot, uintptr_t caller, uintptr_t frame);

/* Of a thread that is made by such a call; and, in the thread, the stack that it has. */
struct ksm_mapped_by ksm_mapped_ask_thread(uintptr_t caller, uintptr_t frame);
void ksm_mapped_note_stack(struct ksm_mapped_by by, size_t length);

/* Memory of the current thread's stream that an allocator gets. */
void ksm_mapped_note_pool(void *addr, size_t length, uintptr_t caller, uintptr_t frame);

/*
 * A part of it that it begins to cut up: now it is told more closely whose it is. Of so many bytes as the option
 * mark_bytes has, and of more when there were many, one call is asked, and the others before the next are taken for its like.
 */
void ksm_mapped_note_taken(void *addr, size_t length, uintptr_t caller, uintptr_t frame);

#endif
