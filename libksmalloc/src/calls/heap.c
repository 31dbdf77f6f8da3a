/* SPDX-License-Identifier: BSD-2-Clause */
#include "calls/heap.h"

#include "arena/anchor.h"
#include "arena/arena.h"
#include "arena/aside.h"
#include "block/block.h"
#include "arena/denied.h"
#include "calls/fork.h"
#include "mapping/image.h"
#include "slot/keep.h"
#include "system/late.h"
#include "layout/layout.h"
#include "block/magazine.h"
#include "block/marked.h"
#include "system/option.h"
#include "origin/origin.h"
#include "pass/pass.h"
#include "calls/pick.h"
#include "block/placed.h"
#include "site/site.h"
#include "calls/start.h"
#include "segment/stat.h"
#include "layout/stream.h"
#include "slot/witness.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Where a slow path was called from: it must not be inlined into another function. */
#define HERE() (uintptr_t)__builtin_return_address(0), (uintptr_t)__builtin_frame_address(0)

bool ksm_je_owns(const void *block);

static inline bool is_started(void)
{
	if (ksm_unlikely(!ksm_start_has_slots()) && !ksm_start_slots())
		return false;
	ksm_fork_detect();
	if (ksm_stream_is_due())
		ksm_fork_go();
	return true;
}

/* Any alignment will do that malloc(3) promises. */
#define ANY_ALIGNMENT 1

static void *from_jemalloc(size_t size, size_t alignment, bool zero)
{
	if (alignment != ANY_ALIGNMENT)
		return ksm_je_aligned_alloc(alignment, size);
	return zero ? ksm_je_calloc(1, size) : ksm_je_malloc(size);
}

/* A block that has no slot, of a site that may be NULL: then it is not known not to be denied. */
static void *take_unplaced(const struct ksm_site *site, size_t size, size_t alignment, bool zero)
{
	if (ksm_denied_is_on() && (!site || site->denied))
		return ksm_arena_alloc_kept_out(size, alignment, zero);
	return from_jemalloc(size, alignment, zero);
}

static void *take_small(size_t size, size_t alignment, bool zero, uintptr_t caller, uintptr_t frame)
{
	if (ksm_denied_is_on() && (!is_started() || ksm_denied_call(caller, frame)))
		return ksm_arena_alloc_kept_out(size, alignment, zero);
	return from_jemalloc(size, alignment, zero);
}

/* Says of some blocks who asked for them: they come slowly anyway. */
static void *tell_origin(const struct ksm_site *site, void *block, size_t size, bool is_asked, uintptr_t caller,
			 uintptr_t frame)
{
	uint64_t weight = block ? ksm_marked_weight(site, size, is_asked) : 0;
	uint32_t origin = ksm_unlikely(weight) ? ksm_origin_capture(caller, frame) : 0;

	if (origin)
		ksm_marked_set(block, origin, weight);
	return block;
}

/* A placed block, or one of jemalloc's if that cannot be had. */
static void *take_large(size_t size, size_t alignment, bool zero, enum ksm_placed_kind kind,
			uintptr_t caller, uintptr_t frame)
{
	struct ksm_site *site = NULL;
	void *block = NULL;

	if (is_started()) {
		bool is_asked = ksm_thread_is_asked(ksm_thread_self);

		ksm_image_refresh();
		site = ksm_site_current(caller, frame);
		if (site)
			block = tell_origin(site, ksm_placed_alloc(site, size, alignment, zero, kind), size, is_asked,
					    caller, frame);
	}
	return block ? block : take_unplaced(site, size, alignment, zero);
}

static void *take_any(size_t size, size_t alignment, bool zero, uintptr_t caller, uintptr_t frame)
{
	if (ksm_span_is_too_small(size))
		return take_small(size, alignment, zero, caller, frame);
	return take_large(size, alignment, zero, KSM_PLACED_USUAL, caller, frame);
}

/*
 * True if the thread has a record, which it has only once all is set up, and this is no child that no handler has
 * seen.
 */
static inline bool may_recall(const struct ksm_thread *thread, size_t size)
{
	return ksm_likely(thread) && ksm_likely(size >= ksm_options.threshold) &&
	       ksm_likely(*ksm_fork_mark == KSM_FORK_SETTLED);
}

/* The usual case: this thread has seen the stack, and has a run at hand that it freed at this site. NULL if not. */
KSM_READS_FRAMES void *take_again(size_t size, uintptr_t caller, uintptr_t frame)
{
	struct ksm_thread *thread = ksm_thread_self;
	struct ksm_magazine **magazine = NULL;

	if (may_recall(thread, size))
		magazine = ksm_site_recall(thread, caller, frame);
	return magazine ? ksm_magazine_take(thread, *magazine, size) : NULL;
}

/* What nobody waits for, in the shared layout. */
static void pass_by(void)
{
	ksm_anchor_pass_by();
	ksm_pass_by();
}

/* What every slow path does first. */
static inline void begin_slow_call(void)
{
	if (ksm_unlikely(ksm_start_is_due()))
		ksm_start_init(environ);
	if (ksm_stream_is_due())
		ksm_fork_go_for_small();
	else if (ksm_unlikely(ksm_layout_is_shared()))
		pass_by();
}

/* All that malloc may be asked besides; the caller's address and frame are those of its slow path. */
KSM_COLD static void *malloc_anew(size_t size, uintptr_t caller, uintptr_t frame)
{
	if (ksm_aside())
		return __interceptor_malloc(size);
	begin_slow_call();
	return take_any(size, ANY_ALIGNMENT, false, caller, frame);
}

/* The stack is not the one that was seen last, or the run that was put last into its magazine does not fit. */
__attribute__((noinline)) static void *malloc_other(struct ksm_magazine **magazine, size_t size,
						    uintptr_t caller, uintptr_t frame)
{
	void *block = magazine ? ksm_magazine_take(ksm_thread_self, *magazine, size) : take_again(size, caller, frame);

	return ksm_likely(block) ? block : malloc_anew(size, caller, frame);
}

/* Each call is the last thing that it does, so that it saves no registers in the most usual case. */
__attribute__((noinline)) void *ksm_heap_malloc_slow(size_t size)
{
	struct ksm_thread *thread = ksm_thread_self;
	struct ksm_magazine **magazine = NULL;

	if (may_recall(thread, size))
		magazine = ksm_site_recall_last(thread, HERE());
	if (ksm_unlikely(!magazine) || ksm_unlikely(!*magazine) ||
	    ksm_unlikely(!ksm_magazine_newest_fits(*magazine, size)))
		return malloc_other(magazine, size, HERE());
	return ksm_magazine_take_newest(thread, *magazine, size);
}

__attribute__((noinline)) void *ksm_heap_calloc_slow(size_t count, size_t size)
{
	size_t bytes;
	void *block;

	if (ksm_aside())
		return __interceptor_calloc(count, size);
	begin_slow_call();
	if (__builtin_mul_overflow(count, size, &bytes))
		return ksm_je_calloc(count, size);
	block = take_again(bytes, HERE());
	if (block)
		return memset(block, 0, bytes);
	return take_any(bytes, ANY_ALIGNMENT, true, HERE());
}

__attribute__((noinline)) void *ksm_heap_aligned_slow(size_t alignment, size_t size)
{
	if (ksm_aside())
		return __interceptor_aligned_alloc(alignment, size);
	begin_slow_call();
	return take_any(size, alignment, false, HERE());
}

/* True if the block, which is in no slot, is the process's other malloc's. */
static bool is_foreign(const void *block)
{
	return ksm_late() && !ksm_je_owns(block);
}

/* All but the usual case of a block that goes into the thread's magazine. */
KSM_COLD static void free_anew(void *block)
{
	int saved_errno = errno;

	if (ksm_aside()) {
		__interceptor_free(block);
		return;
	}
	if (!ksm_span_holds(block)) {
		if (is_foreign(block))
			ksm_late_family.free(block);
		else
			ksm_je_free(block);
		return;
	}
	ksm_fork_detect();
	if (ksm_unlikely(ksm_witness_holds(block)))
		ksm_pick_free(block);
	else
		ksm_placed_free(block);
	errno = saved_errno;
}

void ksm_heap_free_slow(void *block)
{
	struct ksm_thread *thread = ksm_thread_self;
	struct ksm_slot *slot;

	/* Who has a record has slots, too. */
	if (ksm_likely(thread) && ksm_likely(*ksm_fork_mark != KSM_FORK_UNNOTICED)) {
		slot = ksm_span_slot_of_any(block);
		if (ksm_likely(slot) && ksm_likely(((uintptr_t)block & (KSM_PAGE - 1)) == 0) &&
		    ksm_likely(ksm_magazine_put(thread, slot, block)))
			return;
	}
	free_anew(block);
}

/* Moves the block's content into to, a larger or smaller new block, and frees it. */
static void *move(void *from, size_t old_size, void *to, size_t size)
{
	if (!to)
		return NULL;
	memcpy(to, from, ksm_min(old_size, size));
	ksm_heap_free(from);
	return to;
}

static void *realloc_placed(void *block, size_t size, uintptr_t caller, uintptr_t frame)
{
	struct ksm_block_facts old;
	void *to = NULL;

	ksm_fork_detect();
	if (size == 0) {
		ksm_placed_free(block);
		return NULL;
	}
	ksm_block_describe(block, &old);
	if (old.is_private) {
		if (ksm_placed_resize(block, size))
			return block;
		to = ksm_placed_alloc_private(old.site, size);
		if (!to)
			errno = ENOMEM;
		return move(block, old.usable, to, size);
	}
	if (ksm_denied_is_on() && !old.site->denied && ksm_denied_call(caller, frame)) {
		/* What a denied call writes must not stay where it merges. */
		to = take_any(size, ANY_ALIGNMENT, false, caller, frame);
		return move(block, old.usable, to, size);
	}
	if (!ksm_span_is_too_small(size)) {
		if (ksm_placed_resize(block, size))
			return block;
		ksm_placed_count_move(old.site);
		/* The block stays its site's: it is the same data, only longer. */
		to = ksm_placed_alloc(old.site, size, KSM_PAGE, false,
				      size > old.usable ? KSM_PLACED_GROWN : KSM_PLACED_USUAL);
		tell_origin(old.site, to, size, false, caller, frame);
	}
	if (!to)
		to = take_unplaced(old.site, size, ANY_ALIGNMENT, false);
	return move(block, old.usable, to, size);
}

/* A small block, which stays jemalloc's choice as long as it is small. */
static void *realloc_witness(void *block, size_t size, uintptr_t caller, uintptr_t frame)
{
	ksm_fork_detect();
	if (size == 0) {
		ksm_pick_free(block);
		return NULL;
	}
	if (ksm_span_is_too_small(size))
		return ksm_pick_realloc(block, size);
	return move(block, ksm_witness_size(block), take_any(size, ANY_ALIGNMENT, false, caller, frame), size);
}

/*
 * Where denied sites are kept out of the heap: a block that was, stays so, and one that was not moves
 * when a denied call writes its content anew. block is jemalloc's.
 */
KSM_COLD static void *realloc_asked(void *block, size_t size, uintptr_t caller, uintptr_t frame)
{
	bool is_kept_out = ksm_arena_keeps_out(block);
	struct ksm_site *site;
	void *to;

	if (size == 0)
		return ksm_je_realloc(block, 0);
	if (is_kept_out && ksm_span_is_too_small(size))
		return ksm_arena_realloc_kept_out(block, size);
	if (!is_kept_out || !is_started()) {
		if (ksm_span_is_too_small(size) && is_started() && !ksm_denied_call(caller, frame))
			return ksm_je_realloc(block, size);
		to = take_any(size, ANY_ALIGNMENT, false, caller, frame);
	} else {
		site = ksm_site_of_denied();
		to = ksm_placed_alloc(site, size, KSM_PAGE, false, KSM_PLACED_USUAL);
		if (!to)
			to = take_unplaced(site, size, ANY_ALIGNMENT, false);
	}
	return move(block, ksm_je_malloc_usable_size(block), to, size);
}

__attribute__((noinline)) void *ksm_heap_realloc_slow(void *block, size_t size)
{
	struct ksm_site *site;
	void *to;

	if (ksm_aside())
		return __interceptor_realloc(block, size);
	begin_slow_call();
	if (ksm_witness_holds(block))
		return realloc_witness(block, size, HERE());
	if (ksm_span_holds(block))
		return realloc_placed(block, size, HERE());
	if (!block)
		return take_any(size, ANY_ALIGNMENT, false, HERE());
	if (is_foreign(block))
		return ksm_late_family.realloc(block, size);
	if (ksm_denied_is_on())
		return realloc_asked(block, size, HERE());
	if (ksm_span_is_too_small(size) || !is_started())
		return ksm_je_realloc(block, size);
	site = ksm_site_current(HERE());
	if (!site)
		return ksm_je_realloc(block, size);
	to = tell_origin(site, ksm_placed_alloc(site, size, KSM_PAGE, false, KSM_PLACED_USUAL), size, false, HERE());
	if (!to)
		return ksm_je_realloc(block, size);
	return move(block, ksm_je_malloc_usable_size(block), to, size);
}

__attribute__((noinline)) void *ksm_heap_malloc_mergeable(size_t size)
{
	if (ksm_aside())
		return __interceptor_malloc(size);
	return take_large(size, ANY_ALIGNMENT, false, KSM_PLACED_MERGEABLE, HERE());
}

__attribute__((noinline)) void *ksm_heap_malloc_private(size_t size)
{
	struct ksm_site *site;
	void *block = NULL;

	if (ksm_aside())
		return __interceptor_malloc(size);
	if (is_started()) {
		site = ksm_site_current(HERE());
		block = site ? ksm_placed_alloc_private(site, size) : NULL;
	}
	if (block || !ksm_arena_merges())
		return block ? block : ksm_je_malloc(size);
	/* No memory is better than memory that merges. */
	errno = ENOMEM;
	return NULL;
}

size_t ksm_heap_usable_size(const void *block)
{
	struct ksm_block_facts described;

	if (ksm_aside())
		return __interceptor_malloc_usable_size((void *)(uintptr_t)block);
	if (!ksm_span_holds(block)) {
		if (is_foreign(block))
			return ksm_late_family.malloc_usable_size((void *)(uintptr_t)block);
		return ksm_je_malloc_usable_size((void *)(uintptr_t)block);
	}
	if (ksm_witness_holds(block))
		return ksm_witness_size(block);
	ksm_block_describe(block, &described);
	ksm_magazine_note_usable();
	return described.usable;
}

bool ksm_heap_trim(void)
{
	bool given = false;
	char purge[32];

	if (ksm_start_has_slots()) {
		ksm_magazine_flush_all(ksm_thread_self);
		given = ksm_keep_trim();
	}
	/* MALLCTL_ARENAS_ALL; the name of the control carries the number. */
	snprintf(purge, sizeof(purge), "arena.%u.purge", MALLCTL_ARENAS_ALL);
	return ksm_je_mallctl(purge, NULL, NULL, NULL, 0) == 0 || given;
}

static size_t read_control(const char *name)
{
	size_t value = 0;
	size_t length = sizeof(value);

	return ksm_je_mallctl(name, &value, &length, NULL, 0) == 0 ? value : 0;
}

void ksm_heap_info(struct ksm_heap_info *info)
{
	uint64_t epoch = 1;
	size_t length = sizeof(epoch);

	ksm_je_mallctl("epoch", &epoch, &length, &epoch, length);
	memset(info, 0, sizeof(*info));
	info->small_mapped = read_control("stats.mapped");
	info->small_allocated = read_control("stats.allocated");
	if (!ksm_start_has_slots())
		return;
	info->placed_bytes = ksm_stat->header.stats.placed_live_bytes;
	info->kept_bytes = ksm_stat->header.stats.kept_bytes;
}
