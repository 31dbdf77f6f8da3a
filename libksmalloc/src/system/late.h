/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * late: the library in a process that had a malloc before it.
 *
 * What it is: whether the library was loaded by dlopen(3), itself or as what an interpreter is linked
 * with, and the malloc family that the process has then. Its libraries are bound to that one, libc above
 * all: they free what they are given with it, and give blocks of it away. So the usual names (malloc,
 * free and their like) are the process's here, for whoever is led to ours by RTLD_DEEPBIND;
 * the ksmalloc_* calls alone allocate from this library. A block that is not ours goes where
 * it came from, by whichever call it is freed, changed or measured.
 * What it is not: a way to take an allocator over. A block of ksmalloc_* that somebody frees by the process's
 * free() is that one's invalid pointer.
 *
 * How it is told: by the order in which objects were loaded, which is the order in which the loader looks
 * names up. Late is who comes after libc: libc is bound to another malloc then. Others before us (a program's
 * own, a preloaded one) are none of it: they may pass calls on to ours.
 * Locking: the loader's own (dl_iterate_phdr(3)), once. Failure: none; without a usable family the
 * library is not late.
 */
#ifndef KSM_LATE_H
#define KSM_LATE_H

#include "base.h"

struct ksm_late_family {
	void *(*malloc)(size_t size);
	void (*free)(void *block);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *block, size_t size);
	void *(*memalign)(size_t alignment, size_t size);
	size_t (*malloc_usable_size)(void *block);
};

/* Synchronization: written once, before ksm_late_state. */
extern struct ksm_late_family ksm_late_family __attribute__((visibility("hidden")));

enum ksm_late_state {
	KSM_LATE_UNKNOWN,
	KSM_LATE_NO,
	KSM_LATE_YES,
};

extern uint8_t ksm_late_state __attribute__((visibility("hidden"))); /* Synchronization: atomic. */

/* Finds out. May be called by several threads, and again. */
KSM_COLD bool ksm_late_find(void);

/* True if the process has another malloc. */
KSM_INLINE bool ksm_late(void)
{
	uint8_t state = __atomic_load_n(&ksm_late_state, __ATOMIC_ACQUIRE);

	if (ksm_likely(state == KSM_LATE_NO))
		return false;
	return state == KSM_LATE_YES || ksm_late_find();
}

/* True if the library came with the program, and not late or into another namespace (dlmopen(3), LD_AUDIT). */
bool ksm_late_is_at_start(void);

/* Objects loaded and unloaded up to now: nobody tells a late library of dlclose(3). */
unsigned long long ksm_late_code_changes(void);

#endif
