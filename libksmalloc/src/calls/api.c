/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public calls of ksmalloc/ksmalloc.h. Errors of the layers below are
 * turned into errno here and nowhere else.
 */
#define KSMALLOC_EXPORT __attribute__((visibility("default")))
#include <ksmalloc/ksmalloc.h>
#include <ksmalloc/keeper.h>
#include <ksmalloc/stream.h>

#include "arena/anchor.h"
#include "arena/arena.h"
#include "calls/fork.h"
#include "calls/heap.h"
#include "block/labelled.h"
#include "language/language.h"
#include "system/late.h"
#include "calls/mapped.h"
#include "calls/merge.h"
#include "arena/runtime.h"
#include "os/os.h"
#include "pass/pass.h"
#include "mapping/region.h"
#include "site/site.h"
#include "calls/start.h"
#include "layout/stream.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* What goes before each call that may walk the stack. */
static inline void prepare(size_t size)
{
	if (ksm_unlikely(!ksm_span_is_small(size)) && ksm_unlikely(ksm_late()))
		ksm_site_refresh();
}

const char *ksmalloc_version(void)
{
	return KSMALLOC_VERSION_STRING;
}

void *ksmalloc_malloc(size_t size)
{
	prepare(size);
	return ksm_heap_malloc(size);
}

void *ksmalloc_calloc(size_t count, size_t size)
{
	prepare(SIZE_MAX);
	return ksm_heap_calloc(count, size);
}

void *ksmalloc_realloc(void *block, size_t size)
{
	prepare(size);
	return ksm_heap_realloc(block, size);
}

void *ksmalloc_reallocarray(void *block, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	prepare(bytes);
	return ksm_heap_realloc(block, bytes);
}

void ksmalloc_free(void *block)
{
	ksm_heap_free(block);
}

void *ksmalloc_aligned_alloc(size_t alignment, size_t size)
{
	if (!ksm_is_power_of_two(alignment)) {
		errno = EINVAL;
		return NULL;
	}
	prepare(size);
	return ksm_heap_aligned(alignment, size);
}

int ksmalloc_posix_memalign(void **result, size_t alignment, size_t size)
{
	int saved_errno = errno;
	void *block;

	if (!ksm_is_power_of_two(alignment) || alignment % sizeof(void *))
		return EINVAL;
	prepare(size);
	block = ksm_heap_aligned(alignment, size);
	errno = saved_errno;
	if (!block)
		return ENOMEM;
	*result = block;
	return 0;
}

size_t ksmalloc_usable_size(const void *block)
{
	return block ? ksm_heap_usable_size(block) : 0;
}

int ksmalloc_trim(void)
{
	return ksm_heap_trim();
}

unsigned int ksmalloc_stream(void)
{
	/* Who asks is about to allocate. */
	if (ksm_stream_is_due())
		ksm_fork_go();
	return ksm_stream_now();
}

unsigned int ksmalloc_stream_among(unsigned int stream, unsigned int count)
{
	return ksm_stream_among(stream, count);
}

uint64_t ksmalloc_stream_anchor(void)
{
	return ksm_anchor_last();
}

int ksmalloc_stream_follow(void (*moved)(void))
{
	/* The follower's constructor may come before ours. */
	ksm_start_init(environ);
	return ksm_anchor_follow(moved);
}

int ksmalloc_stream_watch(void (*grown)(void))
{
	ksm_start_init(environ);
	return ksm_arena_watch(grown);
}

void ksmalloc_stream_taken(void *memory, size_t bytes)
{
	ksm_mapped_note_taken(memory, bytes, (uintptr_t)__builtin_return_address(0),
			      (uintptr_t)__builtin_frame_address(0));
}

void *ksmalloc_stream_map(unsigned int stream, size_t bytes)
{
	void *memory = ksm_runtime_map(stream, bytes);

	if (memory) {
		ksm_mapped_note_pool(memory, bytes, (uintptr_t)__builtin_return_address(0),
				     (uintptr_t)__builtin_frame_address(0));
		ksm_pass_by_grown(bytes);
	}
	return memory;
}

void ksmalloc_stream_range(uintptr_t *begin, uintptr_t *end)
{
	struct ksm_region_range range = ksm_region_of_objects();

	*begin = range.begin;
	*end = range.end;
}

int ksmalloc_frame_callback(int (*function)(void *context, unsigned int depth, struct ksmalloc_frame *frame),
			    void *context)
{
	int error;

	ksm_start_init(environ);
	error = ksm_language_set_callback(function, context);
	if (error)
		errno = -error;
	return error ? -1 : 0;
}

void ksmalloc_anchor(const void *name, size_t length)
{
	ksm_anchor_pass(name, length, false);
}

void ksmalloc_stream_rare_anchor(const void *name, size_t length)
{
	ksm_anchor_pass(name, length, true);
}

void ksmalloc_stream_leave_start(void)
{
	ksm_anchor_leave_start();
}

int ksmalloc_label_begin(const char *name)
{
	/* Labels need the tables that the first large block sets up otherwise. */
	return ksm_start_slots_wait() ? ksm_site_label_begin(name) : -ENOMEM;
}

int ksmalloc_label_id(const char *name)
{
	return ksm_start_slots_wait() ? ksm_site_label_id(name) : -ENOMEM;
}

int ksmalloc_label_begin_id(int id)
{
	return ksm_site_label_begin_id(id);
}

void ksmalloc_label_end(void)
{
	ksm_site_label_end();
}

int ksmalloc_settled(const void *block)
{
	return ksm_start_slots_wait() ? ksm_merge_settled(block) : -EOPNOTSUPP;
}

long ksmalloc_merge_now(const void *block, unsigned int flags)
{
	if (flags & ~KSMALLOC_MERGE_TRY)
		return -EINVAL;
	return ksm_start_slots_wait() ? ksm_merge_now(block, flags & KSMALLOC_MERGE_TRY) : -EOPNOTSUPP;
}

long ksmalloc_share(void)
{
	return ksm_pass_now();
}

long ksmalloc_share_step(unsigned int microseconds)
{
	return ksm_pass_step(microseconds);
}

long ksmalloc_share_stopped(unsigned int microseconds)
{
	return ksm_pass_step_stopped(microseconds);
}

void *ksmalloc_malloc_mergeable(size_t size)
{
	prepare(SIZE_MAX);
	return ksm_heap_malloc_mergeable(size);
}

void *ksmalloc_malloc_private(size_t size)
{
	prepare(SIZE_MAX);
	return ksm_heap_malloc_private(size);
}

int ksmalloc_arena_reserve(const char *label, size_t bytes, unsigned int flags, void **arena)
{
	if (!label || !label[0] || !bytes || (flags & ~KSMALLOC_ARENA_PRIVATE))
		return -EINVAL;
	if (!ksm_start_slots_wait())
		return -EOPNOTSUPP;
	ksm_fork_detect();
	return ksm_labelled_reserve(ksm_site_of_label(label), bytes, flags & KSMALLOC_ARENA_PRIVATE, arena);
}

int ksmalloc_arena_resize(void *arena, size_t bytes)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	struct ksm_mapped_by by;
	size_t before, after;
	int error;

	ksm_fork_detect();
	/* Whose the arena's new memory is: that of whom it grows for. */
	by = ksm_mapped_ask(bytes, PROT_READ | PROT_WRITE, flags, (uintptr_t)__builtin_return_address(0),
			    (uintptr_t)__builtin_frame_address(0));
	error = ksm_labelled_resize(arena, bytes, &before, &after);
	if (after > before) {
		ksm_mapped_note(by, (char *)arena + before, after - before, PROT_READ | PROT_WRITE, flags);
		ksm_pass_by_grown(after - before);
	} else if (after < before) {
		ksm_mapped_note_unmap((char *)arena + after, before - after);
	}
	return error;
}

void ksmalloc_arena_set_live(void *arena, size_t bytes)
{
	ksm_fork_detect();
	ksm_labelled_set_live(arena, bytes);
}

int ksmalloc_arena_release(void *arena)
{
	size_t before, after;

	ksm_fork_detect();
	/* What is marked is what was memory. */
	if (ksm_labelled_resize(arena, 0, &before, &after) == 0)
		ksm_mapped_note_unmap(arena, before);
	return ksm_labelled_release(arena);
}
