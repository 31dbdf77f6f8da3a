/* SPDX-License-Identifier: BSD-2-Clause */
#include "stress_loop.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "ksmalloc/ksmalloc.h"
#include "test.h"

/* On a busy machine it takes longer, by so many seconds at most, until there was something to check. */
#define PATIENCE     120
#define LEAST_PASSES 10
#define LEAST_GAINED 100

static volatile sig_atomic_t gained, passes;
static uint64_t random_state;

uint64_t stress_checked;

uint32_t stress_draw(uint32_t below)
{
	return (uint32_t)(test_random(&random_state) % below);
}

void stress_pass(int number)
{
	long got = ksmalloc_share();

	(void)number;
	passes += got >= 0;
	gained += got > 0 ? (sig_atomic_t)got : 0;
}

static void operate_alone(const struct stress_loop *loop, uint64_t *mine)
{
	uint64_t common = random_state;

	random_state = *mine;
	loop->operate_alone();
	*mine = random_state;
	random_state = common;
}

static bool has_had_enough(time_t end)
{
	time_t now = time(NULL);

	return now >= end && ((passes >= LEAST_PASSES && gained >= LEAST_GAINED) || now >= end + PATIENCE);
}

int stress_run(const struct stress_loop *loop, int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 5);
	uint32_t own = argc > 2 ? (uint32_t)atoi(argv[2]) : 1000;
	uint64_t mine = (uint64_t)getpid() << 32;

	signal(SIGALRM, stress_pass);
	for (uint32_t i = 0; !has_had_enough(end); i++) {
		if (i % own == own - 1)
			operate_alone(loop, &mine);
		loop->operate();
		/* Once each time: a pass may take longer than the time between two. */
		if (i % loop->per_alarm == loop->per_alarm / 2)
			setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 1 + i / loop->per_alarm % 997 } }, NULL);
		if (i % loop->per_pass == 0)
			stress_pass(0);
		if (i % loop->per_fork == loop->per_fork - 1)
			loop->fork_once();
	}
	loop->check_all("at the end");
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	printf("%llu bytes checked, %ld passes, %ld pages\n", (unsigned long long)stress_checked, (long)passes, (long)gained);
	return passes < LEAST_PASSES || gained < LEAST_GAINED;
}
