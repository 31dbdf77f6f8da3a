/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region: jemalloc's memory and the program's mappings: where they lie, and whether they merge.
 *
 * What it is: the division of the span's upper half, in the shared layout, into the region heap
 * (jemalloc's memory) and the region of mappings (the program's own), each cut into stretches
 * for the parts of the process; and what the kernel is told of new memory there.
 * What it is not: a choice of places in the private layout, where the kernel makes it. There it
 * only keeps out what the filters deny in a process that is mergeable as a whole.
 *
 * What an arena (of the region heap) or a part (of mappings) gets is a stretch of its own, large for the first
 * thread of each depth, and one more is for what belongs to no part. The upper half of an arena's has its
 * shelves. The last quarter of the region heap is for objects of runtimes that follow the streams
 * (ksmalloc/stream.h).
 * Order: addresses of the region heap are given out upwards and never again, for
 * jemalloc keeps what it has. Where something else lies the next place is taken.
 *
 * Locking: none; the ends are atomic.
 * Failure: 0 when a stretch is used up; the caller lets the kernel choose.
 */
#ifndef KSM_REGION_H
#define KSM_REGION_H

#include "base.h"
#include "layout/layout.h"
#include "mapping/shelf.h"
#include "layout/stream.h"

enum ksm_region {
	KSM_REGION_HEAP,
	KSM_REGION_MAPPINGS,
	KSM_REGIONS,
};

/* In the place of an arena: jemalloc's own tables, for which any thread may map memory. */
#define KSM_REGION_NO_PART KSM_ARENAS

struct ksm_region_range {
	uintptr_t begin;
	uintptr_t end;
};

/* Divides the upper half. In the private layout all regions stay empty. The hints are set up. */
void ksm_region_init(void);

/* The whole of a region, and the stretch of the region of mappings that a part of the process has. */
struct ksm_region_range ksm_region_all(enum ksm_region region);
struct ksm_region_range ksm_region_of_mappings(uint32_t part);

/*
 * Maps length bytes of the region heap, aligned to 2 MiB, for an arena, of which the parts' are the first. NULL if
 * there are no more: the kernel is to choose.
 */
void *ksm_region_map_heap(uint32_t arena, size_t length, int prot, int flags);

/*
 * Maps what a place on an arena's shelves (shelf.h) needs, unless that was done, and returns where the shelves begin;
 * 0 if there is no room. Not for two threads at once for one arena.
 */
uintptr_t ksm_region_map_shelf(uint32_t arena, const struct ksm_shelf_place *place);

/* The stretch of the region heap that has objects of runtimes, and the same for a stream's. */
struct ksm_region_range ksm_region_of_objects(void);
void *ksm_region_map_objects(uint32_t stream, size_t length, int prot, int flags);

/* Maps at an address, in whichever region; -EEXIST if something else lies there, which is counted. */
int ksm_region_map_place(uintptr_t at, size_t length, int prot, int flags);
uint64_t ksm_region_taken(void);

/* Counts that a stretch had no room left, and others, or the kernel, are asked; what this file takes it counts itself. */
void ksm_region_count_full(void);

/* True if memory of the region is mergeable, because it is advised or the whole process is. */
bool ksm_region_merges(enum ksm_region region);

/*
 * Says of new memory what is to be said of the region's: advises it, or keeps it out if the
 * filters say so (label:heap, label:mappings), and names it if it lies in the region.
 */
void ksm_region_introduce(enum ksm_region region, void *addr, size_t length);

/* The same, but for the name. */
void ksm_region_advise(enum ksm_region region, void *addr, size_t length);

/* Says of new memory that it does not merge, though its region may. */
void ksm_region_keep_out(void *addr, size_t length);

#endif
