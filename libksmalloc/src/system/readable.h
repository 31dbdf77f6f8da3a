/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * readable: is there memory at an address that may be read?
 *
 * What it is: an answer for who follows pointers in an interpreter's memory, which a bug of the program may have damaged: the
 * kernel is asked once for each page, and what it has said is kept for some thousand of them, for all threads.
 * What it is not: a promise. What the program and the allocator unmap, or take the right to read from, is forgotten; what libc and
 * the loader unmap by themselves only when code has come or gone. In between a pointer that has become stale is as dangerous as ever,
 * one that was never any is not.
 *
 * Locking: none; entries are atomics, each of which is right by itself. What is forgotten while another thread asks is not kept.
 * Failure: where the kernel does not tell, as in a sandbox, the answer is yes.
 */
#ifndef KSM_READABLE_H
#define KSM_READABLE_H

#include "base.h"

#include <stdatomic.h>
#include <stdint.h>

#define KSM_READABLE_BITS  11
#define KSM_READABLE_SHIFT 12 /* of a page */
#define KSM_READABLE_PAGES (1u << KSM_READABLE_BITS)

/* Numbers of pages that can be read; 0 is none. */
extern atomic_uintptr_t ksm_readable_pages[KSM_READABLE_PAGES] __attribute__((visibility("hidden")));

bool ksm_readable_ask(uintptr_t page);

/* There may be no memory any more in this range; anywhere. They may be called from a signal handler. */
void ksm_readable_forget(const void *begin, size_t length);
void ksm_readable_forget_all(void);

KSM_INLINE atomic_uintptr_t *ksm_readable_entry(uintptr_t page)
{
	return &ksm_readable_pages[((uint32_t)page * UINT32_C(0x9e3779b9)) >> (32 - KSM_READABLE_BITS)];
}

/* Of an address that is not in the first page. */
KSM_INLINE bool ksm_readable_beyond(const void *address)
{
	uintptr_t page = (uintptr_t)address >> KSM_READABLE_SHIFT;

	return ksm_likely(atomic_load_explicit(ksm_readable_entry(page), memory_order_relaxed) == page) || ksm_readable_ask(page);
}

KSM_INLINE bool ksm_readable(const void *address)
{
	return (uintptr_t)address >> KSM_READABLE_SHIFT && ksm_readable_beyond(address);
}

#endif
