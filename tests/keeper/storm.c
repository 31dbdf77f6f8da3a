/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process of many threads is stopped, and its functions are called, without a pause: nothing that
 * its threads do is disturbed by it, and what is done in a call is done with all others still.
 *
 * Usage: storm stop|call|kill CYCLES [signals]
 *
 * In the third form each tracer is killed at a moment of its own, mostly in or about its first call.
 * With "signals" there are only threads that get signals: then those come in the middle of a stop more often.
 */
#include "storm.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keeper/call.h"
#include "keeper/hand.h"
#include "offer.h"
#include "keeper/stop.h"
#include "test.h"

#define MS UINT64_C(1000000)
#define CYCLES_OF_A_HAND 50
/* Nothing here takes so long, whoever else has the processors. */
#define LONG_NS (60000 * MS)

/* Of both processes. */
struct shared {
	struct storm storm;
	struct offer offer;
	uint64_t cycles, calls, not_now, late, killed, killed_in_call;
	uint64_t in_call;
	uint64_t patience_ns; /* of the tracer of a program that does nothing but signals, until it dies */
	uint64_t early;	      /* that died before their first call, one after the other */
	uint64_t random;
	char wrong[200];
};

enum mode { MODE_STOP, MODE_CALL, MODE_KILL };

struct storm *storm;
static struct shared *shared;
static enum mode mode;
static bool only_signals;
static struct ksr_image image;

bool storm_ended(void)
{
	return storm->end;
}

void storm_failed(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	_exit(1);
}

struct job {
	const struct storm_kind *kind;
	unsigned int number;
	pthread_t thread;
};

static void *run_job(void *data)
{
	struct job *job = data;

	job->kind->run(job->number);
	return NULL;
}

static void check_calls(void)
{
	if (offer_not_alone)
		storm_failed("others ran during %llu calls", (unsigned long long)offer_not_alone);
	for (int i = 0; i < OFFERED_COUNT; i++)
		if (i != OFFERED_FAULT && offer_begun[i] != offer_ended[i])
			storm_failed("function %d began %llu times and ended %llu times", i,
				     (unsigned long long)offer_begun[i], (unsigned long long)offer_ended[i]);
}

static bool has_kind(unsigned int kind)
{
	return storm_kinds[kind].of_signals || !only_signals;
}

/* The process that is stopped. */
static void work_in_child(void)
{
	struct job jobs[64];
	size_t count = 0;

	/* A test that is ended leaves none behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (offer_make(&shared->offer))
		storm_failed("no room");
	storm_threads_prepare();
	storm_signals_prepare();
	for (unsigned int kind = 0; storm_kinds[kind].name; kind++)
		for (unsigned int i = 0; has_kind(kind) && i < storm_kinds[kind].threads; i++) {
			struct job *job = &jobs[count++];

			*job = (struct job){.kind = &storm_kinds[kind], .number = kind};
			if (pthread_create(&job->thread, NULL, run_job, job))
				storm_failed("no thread");
		}
	storm->ready = 1;
	for (size_t i = 0; i < count; i++)
		pthread_join(jobs[i].thread, NULL);
	storm_signals_check();
	storm_sequence_check();
	check_calls();
	_exit(0);
}

static int wrong(const char *what, long long number)
{
	snprintf(shared->wrong, sizeof(shared->wrong), "%s: %lld", what, number);
	return -EPROTO;
}

static void die_within(uint64_t span)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
	struct itimerspec once = {.it_value = {.tv_nsec = (long)(1 + test_random(&shared->random) % span)}};
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &once, NULL))
		_exit(1);
}

/* Called in place of ptrace(): the tracer may also die between any two steps of its own. */
long __real_ptrace(int request, pid_t tid, void *address, void *data);
long __wrap_ptrace(int request, pid_t tid, void *address, void *data);

static uint64_t steps_left;

long __wrap_ptrace(int request, pid_t tid, void *address, void *data)
{
	/* Rare, and worth dying for: the thread's signal is in nobody's hands but the kernel's. */
	bool has_signal = mode == MODE_KILL && request == PTRACE_CONT && data;

	if ((steps_left && --steps_left == 0) || (has_signal && test_random(&shared->random) % 2)) {
		kill(getpid(), SIGKILL);
		pause();
	}
	return __real_ptrace(request, tid, address, data);
}

static int call_one(struct ksr_stop *stop)
{
	static const int often[] = {OFFERED_EMPTY, OFFERED_SCRIBBLE, OFFERED_SCRIBBLE, OFFERED_REPLACE, OFFERED_REPLACE,
				    OFFERED_ALONE, OFFERED_FAULT};
	/* What a fault leaves is the function's own affair, and it is no use to die in one. */
	size_t kinds = TEST_COUNT_OF(often) - (mode == MODE_KILL);
	int function = often[test_random(&shared->random) % kinds];
	struct ksr_request request = {.function = shared->offer.functions[function], .limit_ns = LONG_NS};
	const struct ksr_thread *thread = &stop->threads[test_random(&shared->random) % stop->count];
	int64_t wanted = 0;
	int64_t result = -1;
	int error;

	switch (function) {
	case OFFERED_EMPTY:
		wanted = 7;
		break;
	case OFFERED_SCRIBBLE:
		request.arguments[0] = 1000;
		request.arguments[1] = 200;
		request.arguments[2] = test_random(&shared->random) % 100;
		wanted = (int64_t)(1200 + request.arguments[2]);
		break;
	case OFFERED_REPLACE:
		wanted = 1 + (int64_t)(test_random(&shared->random) % STORM_PAGES);
		request.arguments[0] = (uintptr_t)storm_pages;
		request.arguments[1] = (uint64_t)wanted;
		break;
	case OFFERED_ALONE:
		/* Nobody counts where there are only signals, but it is as good a function as any. */
		request.arguments[0] = (uintptr_t)storm_counters;
		request.arguments[1] = STORM_COUNTERS;
		request.arguments[2] = 50000;
		break;
	default:
		break;
	}
	request.thread = thread->tid;
	/* It takes some 300 us, and some ten steps for each thread. */
	if (mode == MODE_KILL && test_random(&shared->random) % 2)
		die_within(only_signals ? MS / 4 : MS);
	else if (mode == MODE_KILL)
		steps_left = 1 + test_random(&shared->random) % (12 * stop->count);
	shared->in_call = 1;
	error = ksr_call(stop, &shared->offer.room, &request, &result);
	shared->in_call = 0;
	if (error == -EAGAIN) {
		shared->not_now++;
		return 0;
	}
	if (function == OFFERED_FAULT)
		return error == -EFAULT ? 0 : wrong("a fault ended with", error);
	if (error)
		return wrong("a call ended with", error);
	shared->calls++;
	return result == wanted ? 0 : wrong("another result", result);
}

static int cycle(void *data)
{
	(void)data;
	if (mode == MODE_KILL)
		die_within(only_signals ? shared->patience_ns : test_random(&shared->random) % 4 ? 900 * MS : 6 * MS);
	for (int i = 0; i < CYCLES_OF_A_HAND; i++) {
		struct timespec pause = {.tv_nsec = (long)(test_random(&shared->random) % (only_signals ? 30000 : 300000))};
		struct ksr_stop stop;
		int error = ksr_stop(&stop, &image, LONG_NS);

		if (error == -ETIMEDOUT) {
			shared->late++;
			return 0;
		}
		if (error)
			return wrong("a stop ended with", error);
		if (mode != MODE_STOP)
			error = call_one(&stop);
		ksr_stop_end(&stop);
		if (error)
			return error;
		shared->cycles++;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* On a busy machine threads need longer to stand, and nobody would ever come to a call. */
static void count_killed(void)
{
	shared->killed++;
	shared->killed_in_call += shared->in_call;
	shared->early = shared->in_call ? 0 : shared->early + 1;
	shared->in_call = 0;
	if (shared->early % 32 == 31 && shared->patience_ns < 100 * MS)
		shared->patience_ns *= 2;
}

static void finish_child(pid_t child)
{
	int status;

	storm->end = 1;
	if (waitpid(child, &status, 0) != child)
		test_fail(__FILE__, __LINE__, "no child");
	for (unsigned int kind = 0; storm_kinds[kind].name; kind++)
		printf("%s %llu, ", storm_kinds[kind].name, (unsigned long long)storm->rounds[kind]);
	printf("sequences begun anew %llu, signals queued %llu\n", (unsigned long long)storm->retried,
	       (unsigned long long)storm->queued_got);
	printf("cycles %llu, calls %llu, not now %llu, late %llu, killed %llu, in a call %llu\n",
	       (unsigned long long)shared->cycles, (unsigned long long)shared->calls,
	       (unsigned long long)shared->not_now, (unsigned long long)shared->late,
	       (unsigned long long)shared->killed, (unsigned long long)shared->killed_in_call);
	fflush(stdout);
	CHECK_MSG(status == 0, "the process ended with status 0x%x", (unsigned int)status);
}

static void check_what_was_done(uint64_t cycles)
{
	for (unsigned int kind = 0; storm_kinds[kind].name; kind++)
		if (has_kind(kind) && strcmp(storm_kinds[kind].name, "sequences") != 0)
			CHECK_MSG(storm->rounds[kind] > 1, "%s: nothing was done", storm_kinds[kind].name);
	CHECK(mode == MODE_KILL ? shared->killed >= cycles : shared->cycles >= cycles);
	/* Nothing there keeps a thread from standing. */
	CHECK(!only_signals || shared->late == 0);
	CHECK(mode != MODE_CALL || shared->calls >= cycles / 2);
	/* Few moments are worth more than those. */
	CHECK(mode != MODE_KILL || shared->killed_in_call >= cycles / (only_signals ? 20 : 5));
}

int main(int argc, char **argv)
{
	uint64_t cycles = argc >= 3 ? strtoull(argv[2], NULL, 10) : 0;
	int error = 0;
	pid_t child;

	CHECK(cycles > 0);
	only_signals = argc > 3;
	mode = strcmp(argv[1], "stop") == 0 ? MODE_STOP : strcmp(argv[1], "call") == 0 ? MODE_CALL : MODE_KILL;
#ifndef __x86_64__
	if (mode != MODE_STOP)
		test_skip("calls are not made on this machine");
#endif
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	storm = &shared->storm;
	shared->random = 42;
	shared->patience_ns = MS / 2;
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		work_in_child();
	while (!storm->ready)
		usleep(1000);
	CHECK(ksr_image_open(&image, child, 0) == 0);
	while (!error && (mode == MODE_KILL ? shared->killed : shared->cycles) < cycles) {
		error = ksr_hand_run(cycle, NULL);
		if (error == -ECANCELED && mode == MODE_KILL) {
			count_killed();
			error = 0;
		}
	}
	finish_child(child);
	CHECK_MSG(!error, "%s", shared->wrong);
	check_what_was_done(cycles);
	return 0;
}
