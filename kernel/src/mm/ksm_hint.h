/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hint that the owner of memory gives to KSM: a 64 bit word for each vma,
 * set by prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT).
 *
 * A hint changes the order and the eagerness of the scan, never what may be
 * merged: it needs no privilege and grants none, and memory is merged only if
 * it is VM_MERGEABLE. The word holds no pointer and no reference.
 *
 * Locking: the word is written under mmap_lock for write, after
 * vma_start_write(); it is read under mmap_lock or under the vma's own lock.
 */
#ifndef __MM_KSM_HINT_H
#define __MM_KSM_HINT_H

#include <linux/bits.h>
#include <linux/bitfield.h>
#include <linux/types.h>

struct vm_area_struct;

/* The version of the interface, as shown in sysfs. */
#define KSM_HINT_VERSION	1

/* The place in a program that the memory was allocated by; 0 is no place. */
#define KSM_HINT_SITE		GENMASK_ULL(47, 0)
/* 0: scanned like memory without a hint. 1 to 15: weight in the hinted lane. */
#define KSM_HINT_PRIORITY	GENMASK_ULL(51, 48)
/* One of enum ksm_stability. */
#define KSM_HINT_STABILITY	GENMASK_ULL(53, 52)
/* Equal content is expected at the same offset in other ranges of the site. */
#define KSM_HINT_PEERS		BIT_ULL(54)
/* The site is a hash of the file that the content came from. */
#define KSM_HINT_PROVENANCE	BIT_ULL(55)
#define KSM_HINT_RESERVED	GENMASK_ULL(63, 56)

enum ksm_stability {
	KSM_STABILITY_UNKNOWN,	/* the usual probation */
	KSM_STABILITY_VOLATILE,	/* a longer probation */
	KSM_STABILITY_SETTLED,	/* none: may be merged at first sight */
	KSM_STABILITY_RESERVED,
};

/* Is this a word that a program may set? */
static inline bool ksm_hint_valid(u64 hint)
{
	if (!hint)
		return true;
	return !(hint & KSM_HINT_RESERVED) &&
		FIELD_GET(KSM_HINT_SITE, hint) &&
		FIELD_GET(KSM_HINT_STABILITY, hint) != KSM_STABILITY_RESERVED;
}

/* Could KSM ever merge memory of this vma? Defined by ksm.c. */
bool vma_ksm_compatible(struct vm_area_struct *vma);

#endif /* __MM_KSM_HINT_H */
