/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that wait end by a signal that comes while a step is made before or in them, and calls that do not wait make no
 * more than one. The steps are this program's: one of them sends the signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WAITS_MS 10000
#define SHORT_MS 30
#define MANY_STEPS 1000
#define NEVER	   -1

static int steps, sends_at;
static int most_steps = 3; /* that there are to be made at once */
static volatile sig_atomic_t handled, alarmed;
static int set;

/* Taken for the library's. */
__attribute__((visibility("default"))) long ksmalloc_share_step(unsigned int microseconds);

long ksmalloc_share_step(unsigned int microseconds)
{
	sig_atomic_t before = handled;

	if (steps++ == sends_at)
		kill(getpid(), SIGUSR1);
	if (handled != before)
		return -EINTR;
	return steps < most_steps && microseconds ? 0 : 10;
}

static void note(int number)
{
	handled += number == SIGUSR1;
	alarmed += number == SIGALRM;
}

static int by_poll(int ms)
{
	return poll(NULL, 0, ms);
}

static int by_epoll_wait(int ms)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, ms);
}

static int by_epoll_pwait(int ms)
{
	struct epoll_event event;

	return epoll_pwait(set, &event, 1, ms, NULL);
}

static int by_select(int ms)
{
	struct timeval time = { ms / 1000, ms % 1000 * 1000 };

	return select(0, NULL, NULL, NULL, &time);
}

static int by_nanosleep(int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	return nanosleep(&time, NULL);
}

static int by_absolute_time(int ms)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_sec += ms / 1000;
	time.tv_nsec += ms % 1000 * 1000000;
	time.tv_sec += time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	errno = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL);
	return errno ? -1 : 0;
}

static int by_usleep(int ms)
{
	return usleep((useconds_t)ms * 1000);
}

static const struct {
	const char *name;
	int (*wait)(int ms);
} calls[] = {
	{ "poll", by_poll },	       { "epoll_wait", by_epoll_wait },
	{ "epoll_pwait", by_epoll_pwait }, { "select", by_select },
	{ "nanosleep", by_nanosleep }, { "clock_nanosleep", by_absolute_time },
	{ "usleep", by_usleep },
};

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True if the call was as it should be, with the signal in its n-th step; interrupted: it should have ended by that. */
static bool is_right(size_t call, int n, bool interrupted)
{
	long begun = now_ms(), took;
	sigset_t mask;
	int result;

	handled = 0;
	steps = 0;
	sends_at = n;
	errno = 0;
	result = calls[call].wait(interrupted ? WAITS_MS : SHORT_MS);
	took = now_ms() - begun;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	if (steps > n && handled == interrupted && !sigismember(&mask, SIGTERM) &&
	    (interrupted ? result == -1 && errno == EINTR && took < WAITS_MS : result == 0 && took >= SHORT_MS))
		return true;
	printf("%s, step %d: %d, %s, %ld ms, handled %d times\n", calls[call].name, n, result, strerror(errno), took,
	       (int)handled);
	return false;
}

/* --- calls that are made once ---------------------------------------------------------------- */

static char byte;

static int by_accept(int fd)
{
	return accept(fd, NULL, NULL);
}

static int by_accept4(int fd)
{
	return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
}

static int by_read(int fd)
{
	return (int)read(fd, &byte, 1);
}

static int by_recv(int fd)
{
	return (int)recv(fd, &byte, 1, 0);
}

static int by_recvfrom(int fd)
{
	return (int)recvfrom(fd, &byte, 1, 0, NULL, NULL);
}

static int by_recvmsg(int fd)
{
	struct iovec one = { &byte, 1 };
	struct msghdr message = { .msg_iov = &one, .msg_iovlen = 1 };

	return (int)recvmsg(fd, &message, 0);
}

static const struct {
	const char *name;
	int (*call)(int fd);
	bool accepts;
} once[] = {
	{ "accept", by_accept, true }, { "accept4", by_accept4, true },	  { "read", by_read, false },
	{ "recv", by_recv, false },    { "recvfrom", by_recvfrom, false }, { "recvmsg", by_recvmsg, false },
};

static int listening, client, pair[2];

static bool make_sockets(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(address);

	listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Without a name it gets one that nobody has. */
	return bind(listening, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0 && listen(listening, 8) == 0 &&
	       getsockname(listening, (struct sockaddr *)&address, &length) == 0 &&
	       connect(client, (struct sockaddr *)&address, length) == 0 && accept(listening, NULL, NULL) >= 0 &&
	       socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0;
}

/* A step that took long, as on a busy machine, puts the next one off, unless it was a pass's last. */
static void end_pass(void)
{
	most_steps = 0;
	sends_at = NEVER;
	poll(NULL, 0, 20);
	most_steps = MANY_STEPS;
}

/* Makes the call, with a signal in its first step or without one. Its error, or 0. */
static int error_of(size_t call, bool sends)
{
	int fd = once[call].accepts ? listening : pair[0];
	int result;

	end_pass();
	handled = 0;
	alarmed = 0;
	steps = 0;
	sends_at = sends ? 0 : NEVER;
	errno = 0;
	alarm(WAITS_MS / 1000);
	result = once[call].call(fd);
	alarm(0);
	return result < 0 ? errno : 0;
}

static bool expect(bool holds, size_t call, const char *what, int error)
{
	if (!holds || alarmed)
		printf("%s, %s: %s, %d steps, handled %d times%s\n", once[call].name, what, strerror(error), steps,
		       (int)handled, alarmed ? ", after too long" : "");
	return holds && !alarmed;
}

static bool is_right_once(size_t call)
{
	int fd = once[call].accepts ? listening : pair[0];
	int error = error_of(call, true);
	bool right = expect(error == EINTR && handled == 1, call, "a signal in its step", error);

	if (!once[call].accepts) {
		right &= write(pair[1], "x", 1) == 1;
		error = error_of(call, true);
		right &= expect(error == 0 && handled == 1 && byte == 'x', call, "the same with data", error);
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	error = error_of(call, true);
	right &= expect(error == EAGAIN && handled == 1, call, "a signal, and it does not wait", error);
	error = error_of(call, false);
	right &= expect(error == EAGAIN && steps == 1, call, "many steps, and it does not wait", error);
	fcntl(fd, F_SETFL, 0);
	return right;
}

static bool are_right_once(void)
{
	struct sigaction action = { .sa_handler = note };
	bool right = make_sockets();

	if (!right)
		perror("sockets");
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	for (size_t call = 0; right && call < sizeof(once) / sizeof(*once); call++)
		right &= is_right_once(call);
	return right;
}

/* Sets are as long as their number of files needs, as the kernel sees it: behind these nothing is mapped. */
static bool is_right_at_the_end_of_memory(void)
{
	const size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	char *page = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const fd_mask bit = (fd_mask)1 << client % NFDBITS;
	fd_mask *last = (fd_mask *)(void *)(page + bytes) - 1;
	struct timeval time = { 0, SHORT_MS * 1000 };
	int ready;

	if (page == MAP_FAILED || munmap(page + bytes, bytes) != 0)
		return false;
	*last = bit;
	steps = 0;
	sends_at = NEVER;
	ready = select(client + 1, NULL, (fd_set *)(void *)(last - client / NFDBITS), NULL, &time);
	if (ready == 1 && *last == bit)
		return true;
	printf("select: %d, %lx\n", ready, (unsigned long)*last);
	return false;
}

int main(void)
{
	struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };
	bool right = true;

	set = epoll_create1(EPOLL_CLOEXEC);
	sigaction(SIGUSR1, &action, NULL);
	for (size_t call = 0; call < sizeof(calls) / sizeof(*calls); call++) {
		for (int n = 0; n < 3; n++)
			right &= is_right(call, n, true);
	}
	/* What the program ignores ends no call. */
	signal(SIGUSR1, SIG_IGN);
	for (size_t call = 0; call < sizeof(calls) / sizeof(*calls); call++)
		right &= is_right(call, 1, false);
	right &= are_right_once();
	right &= is_right_at_the_end_of_memory();
	return !right;
}
