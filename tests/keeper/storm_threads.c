/* SPDX-License-Identifier: BSD-2-Clause */
#include "storm.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keeper/stop.h"
#include "read/clock.h"

#define WAIT_MS 5

extern char **environ;

volatile uint64_t storm_counters[STORM_COUNTERS];
uint64_t (*storm_pages)[STORM_PAGE_WORDS];

/* The mask of signals is a thread's own, and none of those that ask changes it. */
static void check_mask(const sigset_t *wanted)
{
	sigset_t set;

	pthread_sigmask(SIG_BLOCK, NULL, &set);
	for (int number = 1; number < 64; number++)
		if (sigismember(&set, number) != sigismember(wanted, number))
			storm_failed("signal %d is blocked or is not, and was not or was", number);
}

static void registers(unsigned int number)
{
	sigset_t mask;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	for (uint64_t base = 0x1234567800000000 + number; !storm_ended(); base += 0x10001) {
		int wrong = storm_check_registers(base, 20000);

		if (wrong)
			storm_failed("a register, or what is like one, has changed (%d)", wrong);
		check_mask(&mask);
		storm->rounds[number]++;
	}
}

static void count(unsigned int number)
{
	static volatile uint32_t next;
	volatile uint64_t *counter = &storm_counters[__sync_fetch_and_add(&next, 1) % STORM_COUNTERS];

	while (!storm_ended()) {
		uint64_t mine = *counter + 1;

		*counter = mine;
		if (*counter != mine)
			storm_failed("a counter has another value");
	}
	storm->rounds[number] += *counter;
}

/* One word of each page is this thread's. What it wrote last must be there, whoever replaced the page. */
static void write_pages(unsigned int number)
{
	static volatile uint32_t next;
	size_t word = __sync_fetch_and_add(&next, 1) * 8 % STORM_PAGE_WORDS;
	uint64_t value = 0;

	while (!storm_ended()) {
		for (size_t page = 0; page < STORM_PAGES; page++) {
			volatile uint64_t *mine = &storm_pages[page][word];

			if (*mine != value)
				storm_failed("page %zu has %llu, and %llu was written", page,
					     (unsigned long long)*mine, (unsigned long long)value);
			*mine = value + 1;
		}
		value++;
		storm->rounds[number]++;
	}
}

static int wait_once(unsigned int way)
{
	struct timespec span = {.tv_nsec = WAIT_MS * 1000000L};
	uint32_t word = 0;

	switch (way % 5) {
	case 0:
		return (int)syscall(SYS_nanosleep, &span, NULL);
	case 1:
		return poll(NULL, 0, WAIT_MS);
	case 2:
		/* It says that the time is over by an error. */
		if (syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &span, NULL, 0) == -1 && errno == ETIMEDOUT)
			return 0;
		return -1;
	case 3:
		return clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL);
	default:
		return ppoll(NULL, 0, &span, NULL);
	}
}

static void wait_for_time(unsigned int number)
{
	sigset_t mask;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	for (unsigned int i = 0; !storm_ended(); i++) {
		uint64_t begin = ksr_clock_ns();

		errno = 0;
		if (wait_once(i))
			storm_failed("wait %u for a time ended with errno %d", i % 5, errno);
		if (ksr_clock_ns() - begin < WAIT_MS * 1000000ULL)
			storm_failed("wait %u for a time ended early", i % 5);
		check_mask(&mask);
		storm->rounds[number]++;
	}
}

static int ends[2] = {-1, -1};

static void send_numbers(unsigned int number)
{
	for (uint64_t i = 0; !storm_ended(); i++) {
		if (write(ends[1], &i, sizeof(i)) != sizeof(i))
			storm_failed("write ended with errno %d", errno);
		storm->rounds[number]++;
		if (i % 8 == 0)
			usleep(300);
	}
	close(ends[1]);
}

static void receive_numbers(unsigned int number)
{
	uint64_t got;

	for (uint64_t i = 0;; i++) {
		ssize_t size = read(ends[0], &got, sizeof(got));

		if (size == 0)
			break;
		if (size != sizeof(got))
			storm_failed("read ended with %zd, errno %d", size, errno);
		if (got != i)
			storm_failed("number %llu was lost", (unsigned long long)i);
		storm->rounds[number]++;
	}
}

/* EINTR is what any stop may bring here; a wrong answer is not. */
static void wait_for_events(unsigned int number)
{
	int queue = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	while (!storm_ended()) {
		int got = epoll_wait(queue, &event, 1, WAIT_MS);

		if (got && !(got == -1 && errno == EINTR))
			storm_failed("epoll_wait ended with %d, errno %d", got, errno);
		storm->rounds[number]++;
	}
	close(queue);
}

static void expect_exit(pid_t pid, int wanted)
{
	int status;

	if (pid < 0)
		storm_failed("no process: errno %d", errno);
	if (waitpid(pid, &status, 0) != pid)
		storm_failed("waitpid ended with errno %d", errno);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != wanted)
		storm_failed("a child ended with status 0x%x", (unsigned int)status);
}

static void make_processes(unsigned int number)
{
	char shell[] = "sh", option[] = "-c", line[] = "exit 7";
	char *const arguments[] = {shell, option, line, NULL};

	for (unsigned int i = 0; !storm_ended(); i++) {
		pid_t pid;

		if (i % 2) {
			pid = fork();
			if (pid == 0)
				_exit(7);
		} else if (posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ)) {
			pid = -1;
		}
		expect_exit(pid, 7);
		storm->rounds[number]++;
		usleep(2000);
	}
}

static void *be_born(void *data)
{
	return (void *)((uintptr_t)data + 1);
}

static void make_threads(unsigned int number)
{
	while (!storm_ended()) {
		pthread_t threads[4];
		void *result;

		for (size_t i = 0; i < 4; i++)
			if (pthread_create(&threads[i], NULL, be_born, (void *)i))
				storm_failed("no thread");
		for (size_t i = 0; i < 4; i++)
			if (pthread_join(threads[i], &result) || (uintptr_t)result != i + 1)
				storm_failed("a thread has another result");
		storm->rounds[number]++;
	}
}

/* The keeper knows its address too. */
__attribute__((constructor)) static void prepare(void)
{
	storm_pages = mmap(NULL, STORM_PAGES * sizeof(*storm_pages), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (storm_pages == MAP_FAILED)
		storm_failed("no memory: errno %d", errno);
}

void storm_threads_prepare(void)
{
	if (pipe(ends))
		storm_failed("no pipe: errno %d", errno);
}

const struct storm_kind storm_kinds[] = {
	{"registers", registers, 1, false},
	{"count", count, 2, false},
	{"write", write_pages, 2, false},
	{"time", wait_for_time, 2, false},
	{"numbers sent", send_numbers, 1, false},
	{"numbers received", receive_numbers, 1, false},
	{"events", wait_for_events, 1, false},
	{"processes", make_processes, 1, false},
	{"threads", make_threads, 1, false},
	{"signals sent", storm_send, 1, true},
	{"signals received", storm_receive, 1, true},
	{"masked waits", storm_suspend, 1, true},
	{"sequences", storm_sequence, 2, false},
	{NULL, NULL, 0, false},
};
