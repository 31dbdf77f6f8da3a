/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words that hold the return addresses are found by a search upwards from the frame, which
 * ends at the upper end of the thread's own stack.
 */
#include "unwind.h"

#include "os.h"

#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <libunwind.h>
#include <pthread.h>
#include <stdatomic.h>

/* Our own frames that may lie between the entry point and unw_backtrace. */
#define OWN_FRAMES 8

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

/* The unwinder's own state, and unw_backtrace(3) with it in a place that the caller names. */
struct ksm_unwind_state {
	unw_cursor_t cursor;
	unw_context_t context;
};

int ksm_unwind_backtrace(void **buffer, int size, struct ksm_unwind_state *state);

static_assert(sizeof(struct ksm_unwind_state) <= sizeof(struct ksm_unwind_room),
	      "a walk has room for its state");

/* Walks, waiting for a fork that is under way. */
static int walk(void **addresses, int size, struct ksm_unwind_room *room)
{
#ifdef __SANITIZE_THREAD__
	/*
	 * The unwinder frees a thread's cache under a lock after the thread
	 * sanitizer is done with the thread, and crashes in it. Its builds are for
	 * our own locks; each site there is its caller alone.
	 */
	(void)addresses;
	(void)size;
	(void)room;
	return -1;
#else
	struct ksm_unwind_state *state = (struct ksm_unwind_state *)(void *)room;
	int saved_errno = errno;
	int count;

	if (ksm_unlikely(atomic_load_explicit(&stranded, memory_order_relaxed)))
		return -1;
	count = ksm_unwind_backtrace(addresses, size, state);
	while (count < 0 && atomic_load(&forks) > 0) {
		ksm_os_pause();
		count = ksm_unwind_backtrace(addresses, size, state);
	}
	/* The unwinder sets it to 0 when it sets itself up. */
	errno = saved_errno;
	return count;
#endif
}

/* The thread's own stack, as far as it is known for certain. Nothing lies in it at first. */
static __thread struct {
	uintptr_t low;
	uintptr_t high;
} own_stack __attribute__((tls_model("initial-exec")));

/* Where the main thread's stack begins (ld.so). pthread_getattr_np(3) would read a file for it. */
extern void *__libc_stack_end __attribute__((weak));

/* The kernel keeps at least 128 MiB below the main thread's stack free of mappings. */
#define MAIN_STACK_REACH (64 * KSM_MIB)

void ksm_unwind_own_main_stack(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t high = &__libc_stack_end ? (uintptr_t)__libc_stack_end : 0;

	if (here >= high || high - here > MAIN_STACK_REACH)
		return;
	own_stack.high = high;
	own_stack.low = high - MAIN_STACK_REACH;
}

void ksm_unwind_own_stack(size_t size)
{
	/*
	 * glibc puts its descriptor, which pthread_self() points to, at the upper end of a thread's
	 * stack, also of one that the program gave. Below it lie thread-local variables and the
	 * frames. The margin is for what lies above the descriptor's first byte.
	 */
	const uintptr_t margin = 2 * KSM_PAGE;
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t high = (uintptr_t)pthread_self();

	if (here >= high || size <= margin || high - here > size - margin)
		return;
	own_stack.high = high;
	own_stack.low = high - size + margin;
}

/* Fills stack->words; false if the stack is not the thread's own or an address is not in reach. */
KSM_READS_FRAMES bool locate_frames(struct ksm_stack *stack)
{
	const uintptr_t *words = (const uintptr_t *)stack->frame;
	uint32_t end, at = 0;

	if (stack->frame < own_stack.low || stack->frame >= own_stack.high)
		return false;
	end = (uint32_t)ksm_min((own_stack.high - stack->frame) / sizeof(words[0]), KSM_SEARCH_WORDS);
	for (uint32_t i = 1; i < stack->count; i++) {
		while (at < end && words[at] != stack->frames[i])
			at++;
		if (at == end)
			return false;
		stack->words[i] = at++;
	}
	return true;
}

void ksm_unwind_capture(struct ksm_stack *stack, struct ksm_unwind_room *room, uintptr_t caller,
			uintptr_t frame)
{
	void *addresses[KSM_MAX_FRAMES + OWN_FRAMES];
	int count;
	int first = 0;

	count = walk(addresses, (int)KSM_COUNT_OF(addresses), room);
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
	static struct ksm_unwind_room room KSM_SPARSE; /* one thread starts the library */
	void *addresses[4];

	walk(addresses, (int)KSM_COUNT_OF(addresses), &room);
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
