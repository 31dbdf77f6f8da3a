/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes are held by descriptor, so that none that gets the pid of one that
 * has ended is sent a signal.
 */
#define _GNU_SOURCE
#include "diff/stop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MOST 2
#define TRIES 500 /* of 10 ms */

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};

/* Read by the handler: written before the handler is set, and by it. */
static volatile sig_atomic_t held[MOST];
static volatile sig_atomic_t held_count;

void ksr_continue_processes(void)
{
	while (held_count > 0) {
		int fd = held[held_count - 1];

		(void)syscall(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0);
		held_count--;
		close(fd);
	}
}

static void end(int number)
{
	ksr_continue_processes();
	signal(number, SIG_DFL);
	raise(number);
}

/* The letter of the process's state, '?' when it has gone. */
static char state_of(const struct ksr_fs *fs, pid_t pid)
{
	struct ksr_text text;
	const char *after;
	char state = '?';

	if (ksr_fs_read(fs, &text, "proc/%d/stat", (int)pid))
		return '?';
	after = memrchr(text.data, ')', text.size);
	if (after && after[1] == ' ')
		state = after[2];
	ksr_text_free(&text);
	return state;
}

static int stop(const struct ksr_fs *fs, pid_t pid)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	int fd;

	if (state_of(fs, pid) == 'T')
		return 0;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return -errno;
	/* From here on the handler lets it go on. */
	held[held_count] = fd;
	held_count++;
	if (syscall(SYS_pidfd_send_signal, fd, SIGSTOP, NULL, 0))
		return -errno;
	for (int i = 0; i < TRIES; i++) {
		char state = state_of(fs, pid);

		if (state == 'T' || state == 't')
			return 0;
		if (state == '?')
			return -ESRCH;
		nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}

int ksr_stop_processes(const struct ksr_fs *fs, const pid_t *pids, size_t count)
{
	struct sigaction action = {.sa_handler = end};
	int error = 0;

	for (size_t i = 0; i < KSM_COUNT_OF(ending); i++)
		sigaction(ending[i], &action, NULL);
	for (size_t i = 0; i < count && i < MOST && !error; i++)
		error = stop(fs, pids[i]);
	if (error)
		ksr_continue_processes();
	return error;
}
