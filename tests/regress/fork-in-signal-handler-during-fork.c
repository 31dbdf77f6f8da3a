/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork(2) may be called from a signal handler that has interrupted fork(2) itself, as handlers of SIGCHLD do that
 * start the next child. Afterwards sites are told apart as before, in the parent and in the child that the
 * handler has made.
 */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

/* Forks that a handler has interrupted. Not each of them was interrupted where it matters, but hardly none was. */
#define INTERRUPTED 100

#define BLOCKS 20
#define BYTES (40 * TEST_KIB)

static volatile sig_atomic_t is_forking, interrupted;
static volatile bool is_inner_child;

static void wait_for(pid_t child)
{
	int status;

	/* A child that hangs is ended by its alarm. */
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		_exit(1);
}

static void handle(int number)
{
	int saved_errno = errno;
	pid_t child;

	(void)number;
	if (!is_forking)
		return;
	child = fork();
	if (child == 0) {
		is_inner_child = true;
		return;
	}
	if (child > 0) {
		wait_for(child);
		interrupted++;
	}
	errno = saved_errno;
}

/* Two stacks that nobody has seen before and that end in one call: two sites, unless stacks are not looked at. */
static TEST_NOINLINE bool sites_are_told_apart(void)
{
	void *blocks[2][BLOCKS];
	bool apart;

	test_alloc_many(blocks[0], BLOCKS, BYTES);
	test_alloc_many(blocks[1], BLOCKS, BYTES);
	apart = test_is_placed(blocks[0][BLOCKS - 1]) && test_is_placed(blocks[1][BLOCKS - 1]) &&
		test_site_of(blocks[0][BLOCKS - 1]) != test_site_of(blocks[1][BLOCKS - 1]);
	test_free_many(blocks[0], BLOCKS);
	test_free_many(blocks[1], BLOCKS);
	return apart;
}

/* One that is interrupted after so many microseconds, or is not. */
static void fork_once(int us)
{
	const struct itimerval timer = { .it_value = { .tv_usec = us } };
	pid_t child;

	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
	is_forking = true;
	child = fork();
	if (child == 0)
		_exit(0);
	is_forking = false;
	if (is_inner_child)
		_exit(sites_are_told_apart() ? 0 : 1);
	CHECK(child > 0);
	wait_for(child);
}

int main(void)
{
	struct sigaction action = { .sa_handler = handle };
	void *block = malloc(BYTES);

	/* The library is set up. */
	CHECK(block != NULL);
	free(block);
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	for (int i = 0; interrupted < INTERRUPTED; i++) {
		CHECK_MSG(i < 100 * INTERRUPTED, "no signal comes during a fork");
		fork_once(1 + i * 7 % 300);
	}
	CHECK(sites_are_told_apart());
	return 0;
}
