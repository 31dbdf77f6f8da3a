/* SPDX-License-Identifier: BSD-2-Clause */
#include "calls/pick.h"

#include "arena/arena.h"
#include "arena/aside.h"
#include "arena/denied.h"
#include "arena/watched.h"
#include "calls/fork.h"
#include "system/late.h"
#include "layout/layout.h"
#include "system/option.h"
#include "origin/origin.h"
#include "layout/span.h"
#include "calls/start.h"
#include "segment/stat.h"
#include "system/steps.h"
#include "layout/stream.h"
#include "site/thread.h"
#include "slot/witness.h"

#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <stdatomic.h>
#include <string.h>

/* Where nothing is picked jemalloc asks again after so many bytes. */
#define NEVER (UINT64_C(1) << 40)

/*
 * Steps grow with what a thread has allocated: there are so many for what may still be there, the memory that jemalloc
 * has, and not as many for what was allocated besides, which was freed again and says little.
 */
#define STEPS_OF_HELD  2048u
#define STEPS_OF_FREED 256u
#define COARSEST       16u /* steps are at most so many times the first ones */

/* Each time that there are so many witnesses more, steps double. */
#define MANY_WITNESSES 4096u

/* A program that allocates no more than this has no site of its own yet, and need not be set up for sites. */
#define WORTH_A_START (512 * KSM_KIB)

static uint64_t finest_step(void)
{
	return ksm_max(ksm_options.mark_bytes, KSM_KIB);
}

static uint64_t average_at(uint64_t place)
{
	uint64_t finest = finest_step();
	uint64_t held = ksm_min(place, ksm_arena_mapped_bytes());
	uint64_t average = ksm_max(held / STEPS_OF_HELD, (place - held) / STEPS_OF_FREED);

	average = ksm_min(ksm_max(average, finest), COARSEST * finest);

	return ksm_align_down(average, KSM_KIB) << ksm_min((ksm_witness_count() + ksm_watched_count()) / MANY_WITNESSES, 16u);
}

uint64_t ksm_heap_next_sample(uint64_t allocated, uint64_t *due)
{
	if (ksm_options.mark_bytes == 0 || !ksm_options.stats)
		return NEVER;
	/* A thread begins somewhere, too. */
	if (*due == 0)
		*due = allocated + ksm_steps_first(ksm_stream_ordinal(), finest_step());
	while (*due <= allocated) {
		uint64_t average = average_at(*due);

		ksm_thread_picked_kib += (uint32_t)(average / KSM_KIB);
		ksm_watched_count_allocated(average);
		*due += ksm_steps_next(*due, 0, average);
	}
	return *due - allocated;
}

/* What all threads have allocated, roughly, until sites were set up. */
static atomic_uint_fast64_t allocated_before;

static bool is_worth_a_start(uint64_t weight)
{
	return weight + atomic_fetch_add_explicit(&allocated_before, weight, memory_order_relaxed) >= WORTH_A_START;
}

/* jemalloc gives blocks of this size also where a larger alignment is asked for, and does not tell. */
static bool may_be_aligned_to_more(const void *block, size_t usize)
{
	return usize == KSM_WITNESS_LARGEST && ((uintptr_t)block & (2 * KSM_WITNESS_LARGEST - 1)) == 0;
}

static bool may_pick(const void *block, size_t usize, uint64_t weight)
{
	const struct ksm_thread *thread = ksm_thread_self;

	if (weight == 0 || usize > KSM_WITNESS_LARGEST || may_be_aligned_to_more(block, usize) || ksm_aside() || ksm_late() || ksm_denied_is_on() ||
	    (thread && thread->capturing) || ksm_gate.place_from == UINTPTR_MAX)
		return false;
	if (!ksm_start_has_slots() && (!is_worth_a_start(weight) || !ksm_start_slots()))
		return false;
	return *ksm_fork_mark != KSM_FORK_UNNOTICED;
}

__attribute__((noinline)) void *ksm_heap_sample(void *block, size_t usize, bool has_content, void *caller)
{
	uint64_t weight = ksm_thread_picked_kib * KSM_KIB;
	int saved_errno = errno;
	void *witness = NULL;
	uint32_t origin;

	ksm_thread_picked_kib = 0;
	if (!may_pick(block, usize, weight))
		return block;
	origin = ksm_origin_capture((uintptr_t)caller, (uintptr_t)__builtin_frame_address(0));
	if (origin && ksm_layout_is_shared()) {
		/* What has grown since is said to be of one who allocates now. */
		ksm_arena_mark_new_slabs(origin);
		ksm_watched_add(block, usize, origin, weight);
	} else if (origin) {
		witness = ksm_witness_take(block, usize, origin, weight);
	}
	if (witness && has_content)
		memcpy(witness, block, usize);
	errno = saved_errno;
	return witness ? witness : block;
}

void ksm_heap_watched(const void *block, size_t usize)
{
	/* All blocks of one size come by, also where nothing is watched. */
	if (ksm_watched_count() == 0)
		return;
	ksm_fork_detect();
	ksm_watched_freed(block, usize);
}

/* As jemalloc would do with a block that lies where the stand-in does, so that others lie where they would. */
void *ksm_pick_realloc(void *witness, size_t size)
{
	size_t old_size = ksm_witness_size(witness);
	void *to = ksm_je_realloc(ksm_witness_stand_in(witness), size);

	if (!to)
		return NULL;
	memcpy(to, witness, ksm_min(old_size, size));
	ksm_witness_release(witness);
	return to;
}

void ksm_pick_free(void *witness)
{
	void *stand_in = ksm_witness_stand_in(witness);

	ksm_witness_release(witness);
	ksm_je_free(stand_in);
}
