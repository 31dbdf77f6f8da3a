/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared: which pages of this process are mapped from the store, and the one way in which memory is given back.
 *
 * What it is: a table of the slices in which pages were shared (share.h), and what follows from it: a page that is
 * given back reads as zeros afterwards, and one that is mapped from a file would read as the file's. So everything in
 * the library that gives memory back does it here, the program's madvise(2) too.
 * What it is not: sharing.
 *
 * How such pages are given back: anonymous memory takes the place of long runs. Where a run is short, or where that
 * fails, zeros are written to it: the memory stays, but no mapping is cut into many.
 *
 * Invariants: a page that the table does not have maps no file of the store. One that it has may be mapped from
 * somewhere else if the program has mapped that there by a system call of its own.
 * Locking: none. A slice's sets are atomic words; entries are made by passes only, while nobody else runs.
 * Failure: giving back fails as madvise(2) does, for pages that are not in the table.
 */
#ifndef KSM_SHARED_H
#define KSM_SHARED_H

#include "base.h"
#include "store/share.h"
#include "store/shared_table.h"

/* True once a page was shared. Synchronization: relaxed atomic; never false again. */
extern bool ksm_shared_any __attribute__((visibility("hidden")));

KSM_INLINE bool ksm_shared_is_any(void)
{
	return ksm_unlikely(__atomic_load_n(&ksm_shared_any, __ATOMIC_RELAXED));
}

/*
 * Before the first page is shared: what is said of memory that takes the place of shared pages, and whether that is all that
 * has to be said of it. Where it is not, pages are overwritten by zeros. May be NULL.
 */
void ksm_shared_init(void (*introduce)(void *addr, size_t length), bool (*may_replace)(void *addr, size_t length));

/* Says it. */
void ksm_shared_introduce(void *addr, size_t length);

/* True if a huge page maps all of the slice, where nothing of it was copied. mapped: what is still mapped of the layer. */
KSM_INLINE bool ksm_shared_is_huge(const struct ksm_shared_layer *layer, const struct ksm_share_set *mapped)
{
	return layer->is_huge && ksm_share_count(mapped) == KSM_SHARE_PAGES;
}

/*
 * Around what changes the pages and the table: a pass that a signal handler makes in between would come between the two.
 */
extern uint32_t ksm_shared_held __attribute__((visibility("hidden")));

KSM_INLINE void ksm_shared_hold(void)
{
	__atomic_fetch_add(&ksm_shared_held, 1, __ATOMIC_ACQUIRE);
}

/* A child of a fork in between, whose parent held it, holds nothing. */
KSM_INLINE void ksm_shared_let_go(void)
{
	uint32_t held = __atomic_load_n(&ksm_shared_held, __ATOMIC_RELAXED);

	while (held && !__atomic_compare_exchange_n(&ksm_shared_held, &held, held - 1, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

KSM_INLINE bool ksm_shared_is_held(void)
{
	return __atomic_load_n(&ksm_shared_held, __ATOMIC_RELAXED) != 0;
}

/* In a child whose other threads, which may have held it, are gone. */
void ksm_shared_postfork_child(void);

/* Adds pages of the slice at this address to one of its layers. */
void ksm_shared_add(struct ksm_shared_slice *slice, uint32_t layer, const struct ksm_share_set *mapped);

/*
 * Gives memory back, by MADV_DONTNEED or another advice after which it reads as zeros. Any range of whole pages. 0 or -errno.
 */
int ksm_shared_give_back(void *addr, size_t length, int advice);

/* True for such advice. */
bool ksm_shared_is_giving_back(int advice);

/* Something else was mapped there, or nothing is any more. */
void ksm_shared_forget(const void *addr, size_t length);

/* The same of memory that nobody can read any more, whether anything of it was shared or not. While it is held (ksm_shared_hold()). */
void ksm_shared_is_gone(const void *addr, size_t length);

/*
 * mmap(2), munmap(2) and mremap(2), errno too, after which what they have replaced or unmapped is forgotten, also where the kernel has
 * chosen the place: the loader may have unmapped shared pages there by itself. What is to
 * be moved or to become longer is left before: behind it would be more of the file. Among several threads that is so only
 * if it may be moved, since others may write to it else; then what it becomes longer by is anonymous memory. What becomes
 * shorter is where it was, and others may write to it, whatever the flags.
 */
void *ksm_shared_mmap_raw(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
int ksm_shared_munmap_raw(void *addr, size_t length);
void *ksm_shared_mremap_raw(void *old, size_t old_length, size_t new_length, int flags, void *to);

/*
 * Puts shared pages into anonymous memory, for what a mapping of a file does not take, or takes otherwise; without
 * memory they stay. Only in a process of one thread, since another one might write meanwhile.
 */
void ksm_shared_leave(const void *addr, size_t length);

/* The same for all pages of the slice's layer, in a pass. Those of the set may be read only, others written to. */
void ksm_shared_leave_layer(uintptr_t address, struct ksm_shared_slice *slice, uint32_t layer,
			    const struct ksm_share_set *read_only);

/* Rights of these pages may have been changed by the program. */
void ksm_shared_note_rights(const void *addr, size_t length);

#endif
