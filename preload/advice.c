/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * madvise and mprotect of the program: passed on as they are. Where they change rights or flags of a block in a
 * slot, that is noted, since it must not outlive the block. Huge pages for memory that is to merge
 * are declined: they do not merge, and the advice is only that. errno is the kernel's; no lock is
 * taken.
 */
#include "store/apart.h"
#include "base.h"
#include "block/block.h"
#include "mapping/image.h"
#include "calls/mapped.h"
#include "mapping/mapping.h"
#include "system/option.h"
#include "os/os.h"
#include "store/shared.h"
#include "system/readable.h"
#include "layout/span.h"

#include <errno.h>
#include <sys/mman.h>

KSM_EXPORT int pkey_mprotect(void *addr, size_t length, int prot, int key);

/* True if some of the range may lie in a slot. */
static bool concerns_slots(const void *addr, size_t length)
{
	return ksm_span_may_hold(addr) &&
	       (uintptr_t)addr + length > __atomic_load_n(&ksm_gate.low, __ATOMIC_RELAXED);
}

/* True for advice that stays with the pages. */
static bool is_lasting(int advice)
{
	switch (advice) {
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_DONTFORK:
	case MADV_WIPEONFORK:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
		return true;
	default:
		return false;
	}
}

/* True for advice that memory must not lose. */
static bool sets_apart(int advice)
{
	return advice == MADV_DONTFORK || advice == MADV_WIPEONFORK || advice == MADV_DONTDUMP ||
	       advice == MADV_UNMERGEABLE;
}

/* True for the opposite. */
static bool ends_it(int advice)
{
	return advice == MADV_DOFORK || advice == MADV_DODUMP || advice == MADV_MERGEABLE;
}

/* What mappings of a file do not take, or take otherwise. */
static bool needs_own_memory(int advice)
{
	return advice == MADV_WIPEONFORK || advice == MADV_UNMERGEABLE;
}

static void keep_out(const void *addr, size_t length)
{
	ksm_apart_keep_out(addr, length);
	ksm_image_keep_out(addr, length);
}

/* The call, and what follows from it for passes. Of the program's own mappings more is known than of its blocks. */
KSM_COLD static int set_apart(void *addr, size_t length, int advice)
{
	int result;

	ksm_shared_hold();
	if (needs_own_memory(advice))
		ksm_shared_leave(addr, length);
	if (!ksm_mapping_note_advice(addr, length, advice) && sets_apart(advice))
		keep_out(addr, length);
	result = ksm_os_madvise_raw(addr, length, advice);
	ksm_shared_let_go();
	return result;
}

/* True if the kernel would take it for a range. */
static bool is_range(const void *addr, size_t length)
{
	return (uintptr_t)addr % KSM_PAGE == 0 && (uintptr_t)addr + ksm_align_up(length, KSM_PAGE) > (uintptr_t)addr;
}

KSM_COLD static int give_back(void *addr, size_t length, int advice)
{
	int error = -EINVAL;

	length = ksm_align_up(length, KSM_PAGE);
	ksm_shared_hold();
	/* Zeros in the place of what a file has would be wrong; an error is what the kernel has for pages that it cannot drop. */
	if (!ksm_image_has_lost_file(addr, length))
		error = ksm_shared_give_back(addr, length, advice);
	ksm_shared_let_go();
	if (!error)
		return 0;
	errno = -error;
	return -1;
}

KSM_EXPORT int madvise(void *addr, size_t length, int advice)
{
	if (ksm_unlikely(concerns_slots(addr, length)) && is_lasting(advice)) {
		if (advice == MADV_HUGEPAGE && ksm_block_wants_small_pages(addr))
			return 0;
		ksm_block_note_altered(addr, length);
	}
	if (ksm_unlikely(ksm_options.share) && advice == MADV_NOHUGEPAGE)
		ksm_apart_keep_small(addr, length);
	if (ksm_unlikely(ksm_options.share) && (sets_apart(advice) || ends_it(advice)))
		return set_apart(addr, length, advice);
	/* Also before anything is shared: a signal handler may make the first pass just before the call. */
	if (ksm_unlikely(ksm_options.share) && ksm_shared_is_giving_back(advice) && is_range(addr, length))
		return give_back(addr, length, advice);
	return ksm_os_madvise_raw(addr, length, advice);
}

/* What a pass that came in between would share has other rights than it was shared with, and nobody would know. */
KSM_COLD static int protect(void *addr, size_t length, int prot, int key)
{
	int result;

	ksm_shared_hold();
	ksm_shared_note_rights(addr, length);
	result = key < 0 ? ksm_os_mprotect_raw(addr, length, prot) : ksm_os_pkey_mprotect_raw(addr, length, prot, key);
	ksm_shared_let_go();
	return result;
}

/* What follows from the call's result: who made a reservation accessible. */
static int protected(void *addr, size_t length, int prot, int result, uintptr_t caller, uintptr_t frame)
{
	if (result == 0)
		ksm_mapped_note_rights(addr, length, prot, caller, frame);
	if (result == 0 && !(prot & PROT_READ))
		ksm_readable_forget(addr, length);
	return result;
}

KSM_EXPORT int mprotect(void *addr, size_t length, int prot)
{
	if (ksm_unlikely(concerns_slots(addr, length)))
		ksm_block_note_altered(addr, length);
	return protected(addr, length, prot,
			 ksm_unlikely(ksm_options.share) ? protect(addr, length, prot, -1) :
							   ksm_os_mprotect_raw(addr, length, prot),
			 (uintptr_t)__builtin_return_address(0), (uintptr_t)__builtin_frame_address(0));
}

/* Pages with a key may be unreadable at any moment, and a new mapping would lose it. */
KSM_COLD static int set_apart_by_key(void *addr, size_t length, int prot, int key)
{
	int result;

	ksm_shared_hold();
	ksm_shared_note_rights(addr, length);
	ksm_shared_leave(addr, length);
	if (!ksm_mapping_note_advice(addr, length, 0))
		keep_out(addr, length);
	result = ksm_os_pkey_mprotect_raw(addr, length, prot, key);
	ksm_shared_let_go();
	return result;
}

KSM_EXPORT int pkey_mprotect(void *addr, size_t length, int prot, int key)
{
	if (ksm_unlikely(concerns_slots(addr, length)))
		ksm_block_note_altered(addr, length);
	if (ksm_unlikely(ksm_options.share))
		return key > 0 ? set_apart_by_key(addr, length, prot, key) : protect(addr, length, prot, key);
	return ksm_os_pkey_mprotect_raw(addr, length, prot, key);
}
