/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words that hold the return addresses are found by a search upwards from
 * the frame, in a copy that process_vm_readv made: a walk may have crossed a
 * signal frame onto another stack, and reading on directly would then run off
 * the end of the one we are on.
 */
#include "unwind.h"

#include "os.h"

#include <jemalloc/jemalloc.h>
#include <libunwind.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

/* Our own frames that may lie between the entry point and unw_backtrace. */
#define OWN_FRAMES 8

/* How far above the frame return addresses are searched for, in words. */
#define SEARCH_WORDS 4096
#define SEARCH_STEP  256

/* Synchronization: atomic. */
static atomic_int walks;
static atomic_bool forking;

/* A fork does not wait for ever: the walker may itself wait for the forking thread. */
#define FORK_WAIT_MS 100

/*
 * The unwinder calls these two around the part of a walk that takes the
 * loader's lock and its own. Returns nonzero to refuse: the walk then ends with
 * an error and is tried again after the fork. A walk that only meets known
 * addresses never comes here.
 */
int ksm_unwind_slow_begin(void);
void ksm_unwind_slow_end(void);

int ksm_unwind_slow_begin(void)
{
	atomic_fetch_add(&walks, 1);
	if (!atomic_load(&forking))
		return 0;
	atomic_fetch_sub(&walks, 1);
	return -1;
}

void ksm_unwind_slow_end(void)
{
	atomic_fetch_sub(&walks, 1);
}

/* Walks, waiting for a fork that is under way. */
static int walk(void **addresses, int room)
{
	int count = unw_backtrace(addresses, room);

	while (count < 0 && atomic_load(&forking)) {
		sched_yield();
		count = unw_backtrace(addresses, room);
	}
	return count;
}

/* A copy of a part of the stack, extended as the search goes on. */
struct window {
	uintptr_t base;
	uint32_t count; /* words copied so far */
	bool ended;
	uintptr_t words[SEARCH_STEP];
	uint32_t first; /* index of words[0], in words from base */
};

static bool slide(struct window *window)
{
	size_t bytes;

	if (window->ended)
		return false;
	window->first += window->count;
	if (window->first >= SEARCH_WORDS)
		return false;
	bytes = ksm_os_peek((const uintptr_t *)window->base + window->first, window->words,
			    sizeof(window->words));
	window->count = (uint32_t)(bytes / sizeof(uintptr_t));
	window->ended = window->count < SEARCH_STEP;
	return window->count > 0;
}

/* Fills stack->words; false if an address is not found in reach. */
static bool locate_frames(struct ksm_stack *stack)
{
	struct window window = { .base = stack->frame };
	uint32_t at = 0;

	for (uint32_t i = 1; i < stack->count; i++) {
		for (;;) {
			if (at >= window.first + window.count) {
				if (!slide(&window))
					return false;
				at = window.first;
			}
			if (window.words[at - window.first] == stack->frames[i])
				break;
			at++;
		}
		stack->words[i] = at++;
	}
	return true;
}

void ksm_unwind_capture(struct ksm_stack *stack, uintptr_t caller, uintptr_t frame)
{
	void *addresses[KSM_MAX_FRAMES + OWN_FRAMES];
	int count;
	int first = 0;

	count = walk(addresses, (int)KSM_COUNT_OF(addresses));
	while (first < count && (uintptr_t)addresses[first] != caller)
		first++;
	stack->caller = caller;
	stack->frame = frame;
	stack->count = 0;
	for (int i = first; i < count && stack->count < KSM_MAX_FRAMES; i++) {
		if (!addresses[i])
			break;
		stack->frames[stack->count++] = (uintptr_t)addresses[i];
	}
	if (stack->count == 0)
		stack->frames[stack->count++] = caller;
	stack->recognisable = locate_frames(stack);
}

void ksm_unwind_warm_up(void)
{
	void *addresses[4];

	walk(addresses, (int)KSM_COUNT_OF(addresses));
}

void ksm_unwind_flush(void)
{
	unw_flush_cache(unw_local_addr_space, 0, 0);
}

void ksm_unwind_prefork(void)
{
	uint64_t deadline = ksm_os_now_ms() + FORK_WAIT_MS;

	atomic_store(&forking, true);
	while (atomic_load(&walks) > 0 && ksm_os_now_ms() < deadline)
		sched_yield();
}

void ksm_unwind_postfork_parent(void)
{
	atomic_store(&forking, false);
}

void ksm_unwind_postfork_child(void)
{
	atomic_store(&walks, 0);
	atomic_store(&forking, false);
}

/*
 * The unwinder's archive has its allocation calls renamed to these. Its caches
 * live as long as the process or the thread; jemalloc serves them directly, so
 * that a walk never comes back into our entry points.
 */
void *ksm_unwind_malloc(size_t length);
void ksm_unwind_free(void *block);
void *ksm_unwind_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
int ksm_unwind_munmap(void *addr, size_t length);

void *ksm_unwind_malloc(size_t length)
{
	return ksm_je_malloc(length);
}

void ksm_unwind_free(void *block)
{
	ksm_je_free(block);
}

void *ksm_unwind_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	return ksm_os_mmap_raw(addr, length, prot, flags, fd, offset);
}

int ksm_unwind_munmap(void *addr, size_t length)
{
	return ksm_os_munmap_raw(addr, length);
}
