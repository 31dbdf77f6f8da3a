// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hints from the owners of memory to KSM: see ksm_hint.h.
 */

#include <linux/compat.h>
#include <linux/ksm.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/signal.h>

#include "internal.h"
#include "vma.h"
#include "ksm_hint.h"

/*
 * Give the part of vma from start to end the hint. The vma is split or merged
 * as it needs be, and *prev is set to the vma that then ends at end or beyond.
 */
static int ksm_hint_vma(struct vma_iterator *vmi, struct vm_area_struct *vma,
			struct vm_area_struct **prev, unsigned long start,
			unsigned long end, u64 hint)
{
	/* What can never be merged is left alone, as by MADV_MERGEABLE. */
	if (!vma_ksm_compatible(vma) || vma->ksm_hint == hint) {
		*prev = vma;
		return 0;
	}

	vma = vma_modify_ksm_hint(vmi, *prev, vma, start, end, hint);
	if (IS_ERR(vma))
		return PTR_ERR(vma);

	*prev = vma;
	vma_start_write(vma);
	vma->ksm_hint = hint;
	return 0;
}

/* Give all memory from start to end the hint: see ksm_hint_set(). */
static int ksm_hint_range(struct mm_struct *mm, unsigned long start,
			  unsigned long end, u64 hint)
{
	VMA_ITERATOR(vmi, mm, start);
	struct vm_area_struct *vma, *prev;
	bool hole = false;
	int err;

	vma = vma_find(&vmi, end);
	if (!vma)
		return -ENOMEM;

	prev = vma_prev(&vmi);
	if (start > vma->vm_start)
		prev = vma;

	for_each_vma_range(vmi, vma, end) {
		if (fatal_signal_pending(current))
			return -EINTR;

		if (start < vma->vm_start) {
			hole = true;
			start = vma->vm_start;
		}
		err = ksm_hint_vma(&vmi, vma, &prev, start,
				   min(vma->vm_end, end), hint);
		/* As madvise() has it: slab memory or vmas are short now. */
		if (err == -ENOMEM)
			return -EAGAIN;
		if (err)
			return err;
		start = vma_iter_end(&vmi);
	}

	return hole || start < end ? -ENOMEM : 0;
}

/**
 * ksm_hint_set - tell KSM what a range of the caller's memory is
 * @start: the first address, at the start of a page
 * @len: the length in bytes, in whole pages; nothing is done if it is 0
 * @hint: the word, of the fields KSM_HINT_*; 0 takes a hint away
 *
 * Sealed memory takes hints too: they do not change what is in it.
 *
 * Return: 0; -EINVAL for a range or a word that is not valid, or if the caller
 * is a 32 bit program; -ENOMEM if a part of the range is not mapped (what is
 * mapped has the hint); -EAGAIN if memory or vmas are short (what came before
 * has the hint); -EINTR if the caller is being killed.
 */
int ksm_hint_set(unsigned long start, unsigned long len, u64 hint)
{
	struct mm_struct *mm = current->mm;
	unsigned long end = start + len;
	int err;

	if (in_compat_syscall() || !PAGE_ALIGNED(start) || !PAGE_ALIGNED(len) ||
	    end < start || !ksm_hint_valid(hint))
		return -EINVAL;
	if (!len)
		return 0;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = ksm_hint_range(mm, start, end, hint);
	mmap_write_unlock(mm);
	return err;
}
