/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * huge: pages of a process, written to a memory file, on its huge pages where that is of use.
 *
 * What it is: what the administrator allows (shmem_enabled), and the way in which a slice is written to a file so that it lies
 * on one huge page, which all who map all of it then have in their page tables as one. A slice that is not whole is
 * written so that it takes no more memory than it has pages: where the kernel gives huge pages unasked, a page that is
 * written by write(2) takes 2 MiB.
 * What it is not: needed. What cannot be had so is written by write(2).
 *
 * The window, through which it writes, is a place in the address space that nothing else comes near. It is mapped and
 * unmapped within a call: a file can be sealed only while nobody can write to it.
 * Locking: none; as for a pass (pass.h), nobody else runs in the process.
 * Failure: -errno, as of write(2), and only some of the slice may be written. No signal comes for want of memory.
 */
#ifndef KSM_HUGE_H
#define KSM_HUGE_H

#include "base.h"
#include "store/share.h"

struct ksm_huge {
	uintptr_t window; /* set by the owner: a place for a slice, a multiple of it; 0 if there is none */
	bool is_wanted;	  /* the kernel gives huge pages to who asks for them, and the user has not said no */
	bool is_unasked;  /* it gives them to who writes, whether that is wanted or not */
};

/* Finds out what is allowed at the moment. Where that cannot be read, nothing is. */
void ksm_huge_look(struct ksm_huge *huge);

/*
 * Writes pages of the slice at this address to the file, whose slice at this offset nobody has written to yet. Bytes that
 * lie on huge pages afterwards, or -errno.
 */
int64_t ksm_huge_write(const struct ksm_huge *huge, int file, uint64_t offset, uintptr_t address,
		       const struct ksm_share_set *pages);

#endif
