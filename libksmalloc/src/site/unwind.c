/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words that hold the return addresses are found by a search upwards from the frame, which
 * ends at the upper end of the thread's own stack.
 */
#include "site/unwind.h"

#include "site/loader.h"
#include "site/script.h"
#include "site/task.h"
#include "os/os.h"

#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <libunwind.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Our own frames that may lie between the entry point and unw_backtrace. */
#define OWN_FRAMES 8

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
	return ksm_loader_enter();
}

void ksm_unwind_slow_end(void)
{
	ksm_loader_leave();
}

/* The unwinder's own state, and unw_backtrace(3) with it in a place that the caller names. */
struct ksm_unwind_state {
	unw_cursor_t cursor;
	unw_context_t context;
};

int ksm_unwind_backtrace(void **buffer, int size, struct ksm_unwind_state *state);

static_assert(sizeof(struct ksm_unwind_state) <= sizeof(struct ksm_unwind_room),
	      "a walk has room for its state");

/* Walks, waiting for a fork that is under way, and for who is in haste. */
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
	uint64_t deadline = 0;
	int saved_errno = errno;
	int count;

	if (ksm_unlikely(ksm_loader_is_stranded()))
		return -1;
	count = ksm_unwind_backtrace(addresses, size, state);
	while (count < 0 && ksm_loader_wait(&deadline))
		count = ksm_unwind_backtrace(addresses, size, state);
#ifdef __aarch64__
	/* There the unwinder's fast path names the last byte of the call, its slow path what follows the call. */
	for (int i = 0; i < count; i++)
		addresses[i] = (void *)(((uintptr_t)addresses[i] + 3) & ~(uintptr_t)3);
#endif
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

/*
 * How far the main thread's stack may reach: to its limit, which counts from the end of its mapping. Whatever else lies there within less
 * would be taken for it, such as a coroutine's stack: a search upwards would leave that by its end, where nothing may be mapped. Kernels
 * keep 128 MiB free, but not of who names an address, and others, such as QEMU's for programs, keep nothing free. A stack without a limit
 * is known as far as the usual one.
 */
#define MAIN_STACK_REACH (64 * KSM_MIB)
#define MAIN_STACK_USUAL (8 * KSM_MIB)

/* The kernel puts the program's name last, and a word behind it. */
static uintptr_t main_stack_top(uintptr_t high)
{
	uintptr_t name = (uintptr_t)getauxval(AT_EXECFN);
	uintptr_t top = name ? name + strlen((const char *)name) + 1 + sizeof(uintptr_t) : 0;

	return top > high && top - high < MAIN_STACK_USUAL ? ksm_align_up(top, KSM_PAGE) : high;
}

void ksm_unwind_own_main_stack(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t high = &__libc_stack_end ? (uintptr_t)__libc_stack_end : 0;
	uint64_t limit;
	uintptr_t low;

	if (here >= high || ksm_os_stack_limit(&limit) != 0)
		return;
	low = main_stack_top(high) + KSM_PAGE - (limit == UINT64_MAX ? MAIN_STACK_USUAL : (uintptr_t)ksm_min(limit, MAIN_STACK_REACH));
	if (here < low)
		return;
	own_stack.high = high;
	own_stack.low = low;
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

uintptr_t ksm_unwind_own_stack_end(uintptr_t address)
{
	return address >= own_stack.low && address < own_stack.high ? own_stack.high : 0;
}

/* The first of these words from one on that is this address; end if none is. Four at a time: most words are none. */
KSM_READS_FRAMES uint32_t find_word(const uintptr_t *words, uint32_t at, uint32_t end, uintptr_t address)
{
	while (at + 4 <= end && words[at] != address && words[at + 1] != address && words[at + 2] != address &&
	       words[at + 3] != address)
		at += 4;
	while (at < end && words[at] != address)
		at++;
	return at;
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
		at = find_word(words, at, end, stack->frames[i]);
		if (at == end)
			return false;
		stack->words[i] = at++;
	}
	return true;
}

/*
 * Does this word of the stack look like a saved frame pointer below a return address? Then it points to another one of the
 * kind, further up on the thread's own stack. Returns that one's place, or 0.
 */
KSM_READS_FRAMES uint32_t next_link(const struct ksm_stack *stack, uint32_t at)
{
	const uintptr_t *words = (const uintptr_t *)stack->frame;
	uintptr_t link = words[at];
	uintptr_t code = words[at + 1];

	if (link % sizeof(words[0]) || link <= (uintptr_t)&words[at + 1] || link >= own_stack.high - 2 * sizeof(words[0]) ||
	    code < KSM_SCRIPT_LOWEST || code >> KSM_ADDRESS_BITS || (code >= own_stack.low && code < own_stack.high))
		return 0;
	return (uint32_t)((link - stack->frame) / sizeof(words[0]));
}

void ksm_unwind_follow(struct ksm_stack *stack)
{
	enum { NEAR = 64 };
	uint32_t next = 0;
	uint32_t at, end;

	if (!stack->recognisable || stack->count == KSM_MAX_FRAMES)
		return;
	/* The first return address has no place in the list: it lies behind the frame's own link. */
	at = stack->count > 1 ? stack->words[stack->count - 1] + 1 : 0;
	end = (uint32_t)((own_stack.high - stack->frame) / sizeof(uintptr_t));
	end = end > 2 ? (uint32_t)ksm_min(at + NEAR, end - 2) : 0;
	/* The frame that made the call has its own link somewhere above the return address; two in a row are no chance. */
	for (; at < end; at++) {
		next = next_link(stack, at);
		if (next && next_link(stack, next))
			break;
	}
	if (at >= end)
		return;
	for (; next && stack->count < KSM_MAX_FRAMES; next = next_link(stack, at)) {
		stack->frames[stack->count++] = ((const uintptr_t *)stack->frame)[at + 1];
		at = next;
	}
	/* The places of these are not known. */
	stack->recognisable = false;
}

/* Takes over what a walk has found, from the caller's frame on: all of it, or so many as there is room for. */
static void take(struct ksm_stack *stack, void *const *addresses, int count)
{
	int first = 0;

	while (first < count && (uintptr_t)addresses[first] != stack->caller)
		first++;
	stack->count = 0;
	stack->end = 0;
	for (int i = first; i < count && addresses[i]; i++) {
		stack->end = (uintptr_t)addresses[i];
		if (stack->count < KSM_MAX_FRAMES)
			stack->frames[stack->count++] = stack->end;
		else
			stack->is_deeper = true;
	}
	if (stack->count == 0)
		stack->frames[stack->count++] = stack->caller;
}

static void begin(struct ksm_stack *stack, struct ksm_unwind_room *room, uintptr_t caller, uintptr_t frame)
{
	stack->caller = caller;
	stack->frame = frame;
	stack->room = room;
	stack->is_deeper = false;
	stack->task = 0;
}

void ksm_unwind_capture(struct ksm_stack *stack, struct ksm_unwind_room *room, uintptr_t caller,
			uintptr_t frame)
{
	void *addresses[KSM_MAX_FRAMES + OWN_FRAMES];
	int count = walk(addresses, (int)KSM_COUNT_OF(addresses), room);

	begin(stack, room, caller, frame);
	take(stack, addresses, count);
	if (stack->count == KSM_MAX_FRAMES)
		stack->end = 0;
	stack->recognisable = locate_frames(stack);
}

/* Code of libc that ends a signal's handler: the return address of each. 0 where it is not known. */
static atomic_uintptr_t after_handlers;

bool ksm_unwind_is_interrupt(const struct ksm_stack *stack)
{
	uintptr_t after = atomic_load_explicit(&after_handlers, memory_order_relaxed);

	for (uint32_t i = 0; after && i < stack->count; i++)
		if (stack->frames[i] == after)
			return true;
	return false;
}

#ifdef __x86_64__
/* As the kernel has it, which was told by libc where handlers return to. */
struct told_action {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t after;
	uint64_t mask;
};

void ksm_unwind_find_interrupts(void)
{
	struct sigaction action;
	struct told_action told = { 0 };
	int saved_errno = errno;

	/* Of a signal that hardly anybody uses; libc tells the kernel whenever an action is set, here to what it is. */
	if (sigaction(SIGRTMAX, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
		sigaction(SIGRTMAX, &action, NULL);
	if (syscall(SYS_rt_sigaction, SIGRTMAX, NULL, &told, sizeof(told.mask)) == 0)
		atomic_store(&after_handlers, told.after);
	errno = saved_errno;
}
#else
void ksm_unwind_find_interrupts(void)
{
}
#endif

void ksm_unwind_capture_deep(struct ksm_stack *stack, struct ksm_unwind_room *room, uintptr_t caller, uintptr_t frame)
{
	void *addresses[KSM_DEEP_FRAMES + OWN_FRAMES];
	int count = walk(addresses, (int)KSM_COUNT_OF(addresses), room);

	begin(stack, room, caller, frame);
	take(stack, addresses, count);
	if (count == (int)KSM_COUNT_OF(addresses))
		stack->end = 0;
	for (int i = 0; i < count && !stack->task; i++)
		stack->task = ksm_task_is((uintptr_t)addresses[i]) ? (uintptr_t)addresses[i] : 0;
	stack->recognisable = locate_frames(stack);
}

void ksm_unwind_leave_out(struct ksm_stack *stack)
{
	enum { KEPT = KSM_MAX_FRAMES / 2 };

	if (!stack->end || (!stack->is_deeper && stack->count <= KEPT + 1))
		return;
	stack->count = KEPT;
	stack->frames[stack->count++] = stack->end;
	stack->is_deeper = false;
	stack->recognisable = locate_frames(stack);
}

bool ksm_unwind_knows(uintptr_t address)
{
#ifdef __SANITIZE_THREAD__
	(void)address;
	return true;
#else
	unw_proc_info_t info;
	int saved_errno = errno;
	bool knows;

	if (ksm_unwind_slow_begin() != 0)
		return true;
	knows = unw_get_proc_info_by_ip(unw_local_addr_space, address - 1, &info, NULL) == 0;
	ksm_unwind_slow_end();
	errno = saved_errno;
	return knows;
#endif
}

#ifndef __SANITIZE_THREAD__
/* unw_step(3), which may take the unwinder's locks. */
static int step(unw_cursor_t *cursor)
{
	int result;

	if (ksm_unwind_slow_begin() != 0)
		return -1;
	result = unw_step(cursor);
	ksm_unwind_slow_end();
	return result;
}

static uintptr_t register_of(unw_cursor_t *cursor, unw_regnum_t number)
{
	unw_word_t value = 0;

	return unw_get_reg(cursor, number, &value) == 0 ? (uintptr_t)value : 0;
}

/* The frame that the cursor is at; false if that is not known. */
static bool read_frame(unw_cursor_t *cursor, struct ksm_unwind_frame *frame)
{
	frame->code = register_of(cursor, UNW_REG_IP);
	frame->stack = register_of(cursor, UNW_REG_SP);
#ifdef __x86_64__
	frame->kept = register_of(cursor, UNW_X86_64_R14);
#else
	frame->kept = 0;
#endif
	return frame->code && frame->stack;
}
#endif

void ksm_unwind_climb(const struct ksm_stack *stack, ksm_unwind_visit *visit, void *context)
{
#ifdef __SANITIZE_THREAD__
	(void)stack;
	(void)visit;
	(void)context;
#else
	enum { MOST = 64 };
	struct ksm_unwind_state *state = (struct ksm_unwind_state *)(void *)stack->room;
	struct ksm_unwind_frame frame = { 0 };
	int saved_errno = errno;

	if (ksm_loader_is_stranded() || unw_getcontext(&state->context) != 0 ||
	    unw_init_local(&state->cursor, &state->context) != 0)
		return;
	for (int i = 0; i < MOST; i++) {
		frame.was_interrupted = unw_is_signal_frame(&state->cursor) > 0;
		if (step(&state->cursor) <= 0 || !read_frame(&state->cursor, &frame) || !visit(context, &frame))
			break;
	}
	errno = saved_errno;
#endif
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
