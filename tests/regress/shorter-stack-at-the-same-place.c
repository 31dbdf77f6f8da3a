/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stack that was seen is not looked for on a shorter one that lies at its place: not on a coroutine's,
 * and not on that of a thread, whose record may have been another thread's before.
 */
#include "test.h"

#include <alloca.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

/* Threads have no shorter ones than 128 KiB on aarch64. */
#ifdef __aarch64__
#define LONG_STACK  (160 * TEST_KIB)
#define SHORT_STACK (144 * TEST_KIB)
#else
#define LONG_STACK  (64 * TEST_KIB)
#define SHORT_STACK (48 * TEST_KIB)
#endif
#define ROUNDS	    8

static ucontext_t main_context, coroutine;
static size_t room_above; /* of the frame that calls malloc */
static void *blocks[2 * ROUNDS];
static int count;

static TEST_NOINLINE void allocate(void)
{
	blocks[count] = malloc(64 * TEST_KIB);
	CHECK(blocks[count] != NULL);
	*(char *)blocks[count] = 1;
	count++;
}

/* So much of the stack lies between the caller's frame and that of malloc's caller. */
static TEST_NOINLINE void descend(size_t bytes)
{
	volatile char *space = alloca(bytes);

	space[0] = 1;
	allocate();
	space[1] = 1;
}

static void in_coroutine(void)
{
	descend(room_above);
}

static void *in_thread(void *argument)
{
	descend(room_above);
	return argument;
}

static char *map_stack(char *place, size_t size)
{
	char *stack = mmap(place, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	CHECK(stack == place);
	return stack;
}

static void run_coroutine(char *place, size_t size)
{
	char *stack = map_stack(place, size);

	CHECK(getcontext(&coroutine) == 0);
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = size;
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, in_coroutine, 0);
	CHECK(swapcontext(&main_context, &coroutine) == 0);
	CHECK(munmap(stack, size) == 0);
}

static void run_thread(char *place, size_t size)
{
	char *stack = map_stack(place, size);
	pthread_attr_t attributes;
	pthread_t thread;

	CHECK(pthread_attr_init(&attributes) == 0);
	CHECK(pthread_attr_setstack(&attributes, stack, size) == 0);
	CHECK(pthread_create(&thread, &attributes, in_thread, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(munmap(stack, size) == 0);
}

/* On the long stack the frames lie where they lie on the short one, but the way back up is longer. */
static void run(void (*on_stack)(char *place, size_t size), char *place)
{
	count = 0;
	room_above = LONG_STACK - SHORT_STACK + 128;
	for (int i = 0; i < ROUNDS; i++)
		on_stack(place, LONG_STACK);
	room_above = 128;
	for (int i = 0; i < ROUNDS; i++)
		on_stack(place, SHORT_STACK);
	test_free_many(blocks, (size_t)count);
}

int main(void)
{
	char *place = mmap(NULL, LONG_STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(place != MAP_FAILED);
	CHECK(munmap(place, LONG_STACK) == 0);
	run(run_coroutine, place);
	run(run_thread, place);
	return 0;
}
