/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A signal handler that maps memory may interrupt a thread at its end, where the library takes the thread's record
 * back, and at its first large block, where the thread gets one: nobody waits for what the interrupted thread holds
 * itself.
 */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#define THREADS 4
#define ROUNDS	4000
#define BYTES	((size_t)256 << 10)

static _Thread_local void *volatile sink;
static atomic_uint interrupts;
static timer_t timer;

/*
 * From now on, and not from the last signal on: where a handler takes longer than that, nothing else would be done
 * any more.
 */
static void interrupt_again(void)
{
	const struct itimerspec soon = { .it_value.tv_nsec = 20000 };

	timer_settime(timer, 0, &soon, NULL);
}

static void map(int number)
{
	void *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)number;
	if (memory != MAP_FAILED)
		munmap(memory, BYTES);
	interrupts++;
	interrupt_again();
}

static sigset_t signals;

/* Only these threads take the signal: the first one waits for them, and would have it most of the time. */
static void *run(void *argument)
{
	void *block;

	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	block = malloc(100000);
	CHECK(block != NULL);
	sink = block;
	free(block);
	return argument;
}

int main(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 7 };
	struct sigaction action = { .sa_flags = SA_RESTART };
	pthread_t threads[THREADS];

	action.sa_handler = map;
	CHECK(sigaction(event.sigev_signo, &action, NULL) == 0);
	sigemptyset(&signals);
	sigaddset(&signals, event.sigev_signo);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	interrupt_again();
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < THREADS; i++)
			CHECK(pthread_create(&threads[i], NULL, run, NULL) == 0);
		for (int i = 0; i < THREADS; i++)
			CHECK(pthread_join(threads[i], NULL) == 0);
	}
	timer_delete(timer);
	CHECK(interrupts > 0);
	return 0;
}
