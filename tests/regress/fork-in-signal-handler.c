/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork(2) may be called from a signal handler that has interrupted malloc in a program of one thread. In
 * parent and child the interrupted call goes on and ends.
 */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FORKS 200

static volatile sig_atomic_t forks;
static volatile bool is_child;
/* Seen by the sender, too. */
static atomic_uint *handled;

static void handle(int number)
{
	int saved_errno = errno;
	pid_t child = fork();
	int status;

	(void)number;
	if (child == 0) {
		is_child = true;
		return;
	}
	if (child > 0) {
		/* A child that hangs is ended by its alarm. */
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			_exit(1);
		forks++;
		atomic_fetch_add(handled, 1);
	}
	errno = saved_errno;
}

/*
 * Sends its parent signals until that has had enough, one at a time: on a busy machine a fork takes longer than a
 * pause, and if the next signal waited for its end already, the interrupted call would never go on.
 */
static void send(pid_t parent)
{
	for (unsigned int sent = 0;; sent++) {
		struct timespec pause = { .tv_nsec = 200 * 1000 };

		if (kill(parent, SIGUSR1) != 0)
			_exit(0);
		do {
			nanosleep(&pause, NULL);
		} while (atomic_load(handled) <= sent && getppid() == parent);
	}
}

/*
 * All kinds of calls, so that each of them is interrupted now and then; many of one size in a row, so that
 * blocks go to and from what threads share and locks protect.
 */
static TEST_NOINLINE void work(void **blocks, size_t count, uint64_t *state)
{
	static const size_t sizes[] = { 64, 1000, 3000, 14000, 20000, 70000 };
	size_t size = sizes[test_random(state) % (sizeof(sizes) / sizeof(sizes[0]))];

	for (size_t i = 0; i < count; i++) {
		blocks[i] = i % 2 ? malloc(size) : calloc(1, size);
		CHECK(blocks[i] != NULL);
		*(char *)blocks[i] = 1;
	}
	for (size_t i = 0; i < count; i += 4)
		blocks[i] = realloc(blocks[i], size + size / 2);
	test_free_many(blocks, count);
}

int main(void)
{
	static void *blocks[60];
	struct sigaction action = { .sa_handler = handle };
	uint64_t state = 5;
	pid_t parent = getpid();
	pid_t sender;

	alarm(100 * test_slower());
	handled = mmap(NULL, sizeof(*handled), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(handled != MAP_FAILED);
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	sender = fork();
	CHECK(sender >= 0);
	if (sender == 0)
		send(parent);
	while (forks < FORKS) {
		work(blocks, 60, &state);
		if (is_child) {
			/* Goes on for a while, without signals of its own. */
			alarm(60 * test_slower());
			for (int i = 0; i < 2; i++)
				work(blocks, 60, &state);
			_exit(0);
		}
	}
	CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	/* A signal may have come since the loop ended. */
	if (is_child)
		_exit(0);
	kill(sender, SIGKILL);
	CHECK(waitpid(sender, NULL, 0) == sender);
	return 0;
}
