/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words that hold the return addresses are found by a search upwards from
 * the frame. On a stack whose end is not known, a signal's or a coroutine's, it
 * goes through a copy that process_vm_readv made: the walk may have crossed onto
 * another stack, and reading on directly would then run off the end of this one.
 */
#include "unwind.h"

#include "os.h"

#include <jemalloc/jemalloc.h>
#include <libunwind.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* Our own frames that may lie between the entry point and unw_backtrace. */
#define OWN_FRAMES 8

/* How far above the frame return addresses are searched for, in words. */
#define SEARCH_WORDS 4096
#define SEARCH_STEP  256

/* Synchronization: atomic. */
static atomic_int walks;
static atomic_int forks;	/* forks that are under way; several threads may be at it */

/*
 * True in a child whose parent forked while a thread was still walking: the locks that it held
 * are never let go here. Sites are their callers alone from then on.
 */
static atomic_bool stranded;

/*
 * A fork does not wait for ever: the walker may itself wait for the forking thread. On a
 * loaded machine a walker can be off the processor for long.
 */
#define FORK_WAIT_MS 1000

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
	/* Asked first, so that who is refused again and again is not taken for a walker. */
	if (atomic_load(&forks) > 0)
		return -1;
	atomic_fetch_add(&walks, 1);
	if (atomic_load(&forks) == 0)
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
#ifdef __SANITIZE_THREAD__
	/*
	 * The unwinder frees a thread's cache under a lock after the thread
	 * sanitizer is done with the thread, and crashes in it. Its builds are for
	 * our own locks; each site there is its caller alone.
	 */
	(void)addresses;
	(void)room;
	return -1;
#else
	int count;

	if (ksm_unlikely(atomic_load_explicit(&stranded, memory_order_relaxed)))
		return -1;
	count = unw_backtrace(addresses, room);
	while (count < 0 && atomic_load(&forks) > 0) {
		ksm_os_pause();
		count = unw_backtrace(addresses, room);
	}
	return count;
#endif
}

/*
 * The thread's own stack as the system made it. Frames outside of it lie on a
 * signal's or a coroutine's stack, whose end is not known.
 */
struct bounds {
	uintptr_t low;
	uintptr_t high;	/* 0 until it was looked up */
};

static __thread struct bounds own_stack __attribute__((tls_model("initial-exec")));

/* Where the main thread's stack begins (ld.so). pthread_getattr_np(3) would read a file for it. */
extern void *__libc_stack_end __attribute__((weak));

/* The kernel keeps at least 128 MiB below the main thread's stack free of mappings. */
#define MAIN_STACK_REACH (64 * KSM_MIB)

static void find_own_stack(struct bounds *bounds)
{
	pthread_attr_t attributes;
	size_t size = 0;
	void *low = NULL;

	bounds->high = 1; /* nothing lies below: used if the bounds cannot be told */
	if (gettid() == getpid()) {
		if (&__libc_stack_end && __libc_stack_end) {
			bounds->high = (uintptr_t)__libc_stack_end;
			bounds->low = bounds->high - MAIN_STACK_REACH;
		}
		return;
	}
	if (pthread_getattr_np(pthread_self(), &attributes) != 0)
		return;
	if (pthread_attr_getstack(&attributes, &low, &size) == 0) {
		bounds->low = (uintptr_t)low;
		bounds->high = (uintptr_t)low + size;
	}
	pthread_attr_destroy(&attributes);
}

/*
 * A part of the stack that can be read: the thread's own stack itself up to its
 * end, else a copy that is extended as the search goes on.
 */
struct window {
	uintptr_t base;
	const uintptr_t *words;
	uint32_t first; /* index of words[0], in words from base */
	uint32_t count;
	bool is_copy;
	uintptr_t copy[SEARCH_STEP];
};

static void open_window(struct window *window, uintptr_t base)
{
	struct bounds *bounds = &own_stack;

	if (!bounds->high)
		find_own_stack(bounds);
	window->base = base;
	window->first = 0;
	window->is_copy = base < bounds->low || base >= bounds->high;
	window->words = window->is_copy ? window->copy : (const uintptr_t *)base;
	window->count = window->is_copy ? 0 :
					  (uint32_t)ksm_min((bounds->high - base) / sizeof(uintptr_t),
							    SEARCH_WORDS);
}

/* Copies the next part; false if there is none that can be read or the search has gone far enough. */
static bool slide(struct window *window)
{
	size_t bytes;

	window->first += window->count;
	if (!window->is_copy || window->first >= SEARCH_WORDS ||
	    (window->count > 0 && window->count < SEARCH_STEP))
		return false;
	bytes = ksm_os_peek((const uintptr_t *)window->base + window->first, window->copy,
			    sizeof(window->copy));
	window->count = (uint32_t)(bytes / sizeof(uintptr_t));
	return window->count > 0;
}

/* Fills stack->words; false if an address is not found in reach. */
KSM_READS_FRAMES bool locate_frames(struct ksm_stack *stack)
{
	struct window window;
	uint32_t at = 0;

	open_window(&window, stack->frame);
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

	atomic_fetch_add(&forks, 1);
	while (atomic_load(&walks) > 0 && ksm_os_now_ms() < deadline)
		ksm_os_pause();
}

void ksm_unwind_postfork_parent(void)
{
	atomic_fetch_sub(&forks, 1);
}

void ksm_unwind_postfork_child(void)
{
	if (atomic_load(&walks) > 0)
		atomic_store(&stranded, true);
	atomic_store(&walks, 0);
	atomic_store(&forks, 0);
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
