/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A preloaded library that interrupts a program some thousand times a second, and maps memory in the signal's
 * handler: so that the interpreter is asked what it executes wherever it is, in the middle of a call, of a collection, or of
 * malloc. At the end it says how often on standard error. The next interrupt comes a while after the handler's end: on a
 * slow machine a timer that goes on by itself leaves a deeply nested program no time between two of them.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#define BYTES ((size_t)256 << 10)

static volatile unsigned long interrupts;
static timer_t timer;

static void interrupt_soon(void)
{
	const struct itimerspec soon = { .it_value.tv_nsec = 100000 };

	timer_settime(timer, 0, &soon, NULL);
}

static void handle(int number)
{
	void *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)number;
	if (memory != MAP_FAILED)
		munmap(memory, BYTES);
	interrupts++;
	interrupt_soon();
}

__attribute__((constructor)) static void start(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 7 };
	/* Programs that try how long their stack is have little of it left then. */
	static char stack[64 << 10];
	const stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { 0 };

	action.sa_handler = handle;
	action.sa_flags = SA_RESTART | SA_ONSTACK;
	sigaltstack(&other, NULL);
	sigaction(event.sigev_signo, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
		interrupt_soon();
}

__attribute__((destructor)) static void end(void)
{
	timer_delete(timer);
	fprintf(stderr, "storm: %lu interrupts\n", interrupts);
}
