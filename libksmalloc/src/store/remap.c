/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/remap.h"

#include "os/os.h"
#include "store/shared.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static void *fail(int error)
{
	errno = error;
	return MAP_FAILED;
}

struct walk {
	uintptr_t begin; /* what is still to be seen */
	uintptr_t end;
	char *to; /* where it goes, NULL for nowhere */
};

static void move_piece(char *from, size_t length, char *to)
{
	if (ksm_os_mremap_raw(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED)
		memcpy(to, from, length);
}

/* Ends before the first piece that is none of the program's usual memory. */
static bool visit(const struct ksm_os_mapping *mapping, void *argument)
{
	struct walk *walk = argument;
	uintptr_t end = ksm_min(mapping->end, walk->end);

	if (mapping->end <= walk->begin)
		return true;
	if (mapping->begin > walk->begin || mapping->rights != RW || !mapping->is_private || mapping->inode)
		return false;
	if (walk->to) {
		move_piece((char *)walk->begin, end - walk->begin, walk->to);
		walk->to += end - walk->begin;
	}
	walk->begin = end;
	return end < walk->end;
}

static bool can_be_moved(char *begin, size_t length)
{
	struct walk walk = { (uintptr_t)begin, (uintptr_t)begin + length, NULL };

	return ksm_os_each_mapping(visit, &walk) == 0 && walk.begin == walk.end;
}

static void *move(const struct ksm_remap *call, size_t before, size_t after)
{
	bool is_fixed = call->flags & MREMAP_FIXED;
	struct walk walk = { (uintptr_t)call->old, (uintptr_t)call->old + ksm_min(before, after), NULL };
	char *memory;

	if (is_fixed && call->to < call->old + before && call->old < call->to + after)
		return fail(EINVAL);
	if (!can_be_moved(call->old, before))
		return fail(EFAULT);
	memory = ksm_shared_mmap_raw(is_fixed ? call->to : NULL, after, RW, ANON | (is_fixed ? MAP_FIXED : 0), -1, 0);
	if (memory == MAP_FAILED)
		return memory;
	ksm_shared_introduce(memory, after);
	walk.to = memory;
	ksm_os_each_mapping(visit, &walk);
	/* What could not be read of the maps this time. */
	memcpy(walk.to, (void *)walk.begin, walk.end - walk.begin);
	ksm_shared_munmap_raw(call->old, before);
	return memory;
}

static void *remap(const struct ksm_remap *call, size_t before, size_t after)
{
	if (!(call->flags & MREMAP_FIXED)) {
		if (after <= before)
			return ksm_shared_munmap_raw(call->old + after, before - after) == 0 || after == before ? call->old :
														 MAP_FAILED;
		if (ksm_os_map_place(call->old + before, after - before, RW, ANON) == 0) {
			ksm_shared_introduce(call->old + before, after - before);
			return call->old;
		}
		if (!(call->flags & MREMAP_MAYMOVE))
			return fail(ENOMEM);
	}
	return move(call, before, after);
}

void *ksm_remap_pieces(const struct ksm_remap *call)
{
	size_t before = ksm_align_up(call->old_length, KSM_PAGE), after = ksm_align_up(call->new_length, KSM_PAGE);
	uint64_t signals;
	void *memory;

	if (before == 0 || after == 0 || (call->flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)))
		return fail(EFAULT);
	ksm_os_block_signals(&signals);
	memory = remap(call, before, after);
	ksm_os_restore_signals(signals);
	return memory;
}
