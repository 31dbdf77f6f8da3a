/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shelf: where jemalloc's slabs of one size class lie within an arena's addresses, in the shared
 * layout.
 *
 * What it is: numbers. Each size class of each arena has a *shelf*: places for its slabs, and for
 * the record that jemalloc keeps of each of them, that nothing else is put at. So one slab more or
 * less of a class shifts none of another's. The places of a shelf lie in pieces, each four times as
 * long as the one before. What it is not: memory; region maps it. Which slab is used next is
 * jemalloc's choice (third_party, patch 18).
 *
 * A piece begins with the records of its slabs, and is mapped in steps: where memory is charged before it is
 * used (vm.overcommit_memory is 2, RLIMIT_AS), a shelf costs about half as much again as what
 * lies on it, at most.
 *
 * The first two pieces of all classes, and the records of the slabs there, lie together and are
 * mapped together: a program that has few slabs of each class touches few pages of records and of
 * page tables more than one whose slabs lie in the order in which they came. Locking: none.
 * Failure: none.
 */
#ifndef KSM_SHELF_H
#define KSM_SHELF_H

#include "base.h"

#define KSM_SHELF_CLASSES 36u	       /* of slabs: blocks of 8 bytes to 14 KiB */
#define KSM_SHELF_RECORD 128u	       /* bytes of a record, which is aligned to as many */
#define KSM_SHELF_SLAB UINT64_C(32768) /* the longest slab */

/* Offsets from the begin of an arena's shelves. */
struct ksm_shelf_place {
	size_t slab;
	size_t record;
	/* What has to be mapped before the first slab of a step is used. */
	size_t map_begin;
	size_t map_end;
	bool is_first_of_step;
};

/* The place of the slab of this number of a class, whose slabs take so many bytes: whole pages. */
void ksm_shelf_describe(uint32_t size_class, uint32_t number, size_t slab_bytes,
			struct ksm_shelf_place *place);

#endif
