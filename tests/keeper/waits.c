/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls that wait, each in a function that returns 0 where it ended as it does without a stop. */
#include "waits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BIG (1 << 20)

static int ends[2];
static char buffer[BIG];
static const struct timespec span = {.tv_nsec = WAIT_MS * 1000000L};

static void wait_for_stops(void)
{
	usleep(WAIT_MS * 1000);
	while (!waits_shared->stopped)
		usleep(200);
}

/* Runs what ends the wait from outside, after the stops. */
static void help_later(void (*help)(void))
{
	pid_t self = getpid();
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != self)
			_exit(5); /* it has ended already */
		wait_for_stops();
		help();
		_exit(5);
	}
	waits_shared->helper = pid;
}

/* The descriptor to wait at; later, one byte comes out of it. */
static void write_byte(void)
{
	if (write(ends[1], "x", 1) != 1)
		_exit(1);
}

static void ready(void)
{
	waits_shared->ready = 1;
}

static long in_nanosleep(void)
{
	ready();
	return syscall(SYS_nanosleep, &span, NULL);
}

static long in_clock_nanosleep_until(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	ready();
	return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static long in_poll(void)
{
	ready();
	return poll(NULL, 0, WAIT_MS);
}

static long in_ppoll(void)
{
	sigset_t set;

	sigemptyset(&set);
	ready();
	return ppoll(NULL, 0, &span, &set);
}

static long in_select(void)
{
	struct timeval time = {.tv_usec = WAIT_MS * 1000};

	ready();
	return select(0, NULL, NULL, NULL, &time);
}

static long in_epoll_wait(void)
{
	struct epoll_event event;
	int queue = epoll_create1(0);

	ready();
	return epoll_wait(queue, &event, 1, WAIT_MS);
}

static long in_epoll_wait_for_ever(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int queue = epoll_create1(0);

	if (pipe(ends) || epoll_ctl(queue, EPOLL_CTL_ADD, ends[0], &event))
		return -2;
	help_later(write_byte);
	ready();
	return epoll_wait(queue, &event, 1, -1) - 1;
}

static long in_futex_timed(void)
{
	ready();
	return syscall(SYS_futex, &waits_shared->word, FUTEX_WAIT, 0, &span, NULL, 0) == -1 && errno == ETIMEDOUT ? 0 : -1;
}

static void wake(void)
{
	waits_shared->word = 1;
	syscall(SYS_futex, &waits_shared->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static long in_futex(void)
{
	help_later(wake);
	ready();
	return syscall(SYS_futex, &waits_shared->word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static long in_read_pipe(void)
{
	char byte;

	if (pipe(ends))
		return -2;
	help_later(write_byte);
	ready();
	return read(ends[0], &byte, 1) - 1;
}

static void drain(void)
{
	size_t left = 2 * BIG;

	for (ssize_t got = 1; left && got > 0; left -= (size_t)got)
		got = read(ends[0], buffer, left < BIG ? left : BIG);
}

/* A part was written before the wait: that is what any interruption gives back. */
static long in_write_pipe(void)
{
	if (pipe(ends))
		return -2;
	help_later(drain);
	ready();
	return write(ends[1], buffer, BIG) - BIG;
}

static long in_write_full_pipe(void)
{
	if (pipe(ends) || fcntl(ends[1], F_SETFL, O_NONBLOCK))
		return -2;
	while (write(ends[1], buffer, 4096) > 0)
		;
	fcntl(ends[1], F_SETFL, 0);
	help_later(drain);
	ready();
	return write(ends[1], buffer, 1) - 1;
}

static long in_recv(void)
{
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return -2;
	help_later(write_byte);
	ready();
	return recv(ends[0], &byte, 1, 0) - 1;
}

static long in_recv_timed(void)
{
	struct timeval time = {.tv_sec = 60};
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) ||
	    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)))
		return -2;
	help_later(write_byte);
	ready();
	return recv(ends[0], &byte, 1, 0) - 1;
}

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int listener;

static int listen_somewhere(void)
{
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "ksmalloc-keeper-%d", (int)getpid());
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 0);
}

static void connect_once(void)
{
	if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof(address)))
		_exit(1);
}

static long in_accept(void)
{
	if (listen_somewhere())
		return -2;
	help_later(connect_once);
	ready();
	return accept(listener, NULL, NULL) < 0 ? -1 : 0;
}

static long in_accept_timed(void)
{
	struct timeval time = {.tv_sec = 60};

	if (listen_somewhere() || setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)))
		return -2;
	help_later(connect_once);
	ready();
	return accept(listener, NULL, NULL) < 0 ? -1 : 0;
}

static void accept_all(void)
{
	accept(listener, NULL, NULL);
	accept(listener, NULL, NULL);
}

static long in_connect(void)
{
	if (listen_somewhere())
		return -2;
	connect_once();
	help_later(accept_all);
	ready();
	return connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof(address));
}

static void nothing(void)
{
}

static long in_wait4(void)
{
	int status;

	help_later(nothing);
	ready();
	return wait4(waits_shared->helper, &status, 0, NULL) == waits_shared->helper && WEXITSTATUS(status) == 5 ? 0 : -1;
}

static long in_waitid(void)
{
	siginfo_t info;

	help_later(nothing);
	ready();
	return waitid(P_PID, (id_t)waits_shared->helper, &info, WEXITED);
}

static int set;

static void raise_semaphore(void)
{
	struct sembuf up = {.sem_op = 1};

	semop(set, &up, 1);
}

static long in_semop(void)
{
	struct sembuf down = {.sem_op = -1};
	long got;

	set = semget(IPC_PRIVATE, 1, 0600);
	help_later(raise_semaphore);
	ready();
	got = semop(set, &down, 1);
	waits_shared->error = errno;
	semctl(set, 0, IPC_RMID);
	errno = waits_shared->error;
	return got;
}

static void send_message(void)
{
	struct {
		long type;
		char text[1];
	} message = {.type = 1};

	msgsnd(set, &message, 1, 0);
}

static long in_msgrcv(void)
{
	struct {
		long type;
		char text[1];
	} message;
	long got;

	set = msgget(IPC_PRIVATE, 0600);
	help_later(send_message);
	ready();
	got = msgrcv(set, &message, 1, 0, 0) - 1;
	msgctl(set, IPC_RMID, NULL);
	return got;
}

static long in_sigtimedwait(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	ready();
	return sigtimedwait(&signals, NULL, &span) == -1 && errno == EAGAIN ? 0 : -1;
}

static void signal_parent(void)
{
	kill(getppid(), SIGUSR1);
}

static long in_sigwaitinfo(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	help_later(signal_parent);
	ready();
	return sigwaitinfo(&signals, NULL) - SIGUSR1;
}

static void on_signal(int number)
{
	(void)number;
}

/* It ends for the handler, and at that time. */
static long in_pause(void)
{
	signal(SIGUSR1, on_signal);
	help_later(signal_parent);
	ready();
	return pause() == -1 && errno == EINTR ? 0 : -1;
}

static int lock_file(void)
{
	char path[] = "/tmp/keeper-calls-XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	return fd;
}

/* The child has the lock for as long as it lives. */
static void wait_for_holder(int fd, bool whole)
{
	struct flock lock = {.l_type = F_WRLCK};
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	waits_shared->word = 0;
	if (fork() == 0) {
		int mine = open(path, O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (whole ? flock(mine, LOCK_EX) : fcntl(mine, F_SETLK, &lock))
			_exit(1);
		waits_shared->word = 1;
		wait_for_stops();
		_exit(0);
	}
	while (!waits_shared->word)
		usleep(100);
}

static long in_flock(void)
{
	int fd = lock_file();

	wait_for_holder(fd, true);
	ready();
	return flock(fd, LOCK_EX);
}

static long in_fcntl(void)
{
	struct flock lock = {.l_type = F_WRLCK};
	int fd = lock_file();

	wait_for_holder(fd, false);
	ready();
	return fcntl(fd, F_SETLKW, &lock);
}

static void count_up(void)
{
	eventfd_write(ends[1], 1);
}

static long in_read_eventfd(void)
{
	eventfd_t value;

	ends[1] = eventfd(0, 0);
	help_later(count_up);
	ready();
	return eventfd_read(ends[1], &value);
}

static long in_read_timerfd(void)
{
	struct itimerspec once = {.it_value = span};
	uint64_t value;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	timerfd_settime(fd, 0, &once, NULL);
	ready();
	return read(fd, &value, sizeof(value)) - (long)sizeof(value);
}

static char folder[] = "/tmp/keeper-calls-XXXXXX";

static void remove_folder(void)
{
	rmdir(folder);
}

static long in_read_inotify(void)
{
	int fd = inotify_init();

	if (!mkdtemp(folder) || inotify_add_watch(fd, folder, IN_DELETE_SELF) < 0)
		return -2;
	help_later(remove_folder);
	ready();
	return read(fd, buffer, BIG) > 0 ? 0 : -1;
}

static long in_io_getevents(void)
{
	aio_context_t context = 0;
	struct io_event event;

	if (syscall(SYS_io_setup, 1, &context))
		return 0; /* a kernel without it */
	ready();
	return syscall(SYS_io_getevents, context, 1, 1, &event, &span);
}

const struct wait waits[] = {
	{"nanosleep", in_nanosleep, false},
	{"clock_nanosleep until", in_clock_nanosleep_until, false},
	{"poll", in_poll, false},
	{"ppoll", in_ppoll, false},
	{"select", in_select, false},
	{"epoll_wait with a time", in_epoll_wait, true},
	{"epoll_wait", in_epoll_wait_for_ever, false},
	{"futex with a time", in_futex_timed, false},
	{"futex", in_futex, false},
	{"read of a pipe", in_read_pipe, false},
	{"write to a full pipe", in_write_full_pipe, false},
	{"write of more than a pipe takes", in_write_pipe, true},
	{"recv", in_recv, false},
	{"recv with SO_RCVTIMEO", in_recv_timed, true},
	{"accept", in_accept, false},
	{"accept with SO_RCVTIMEO", in_accept_timed, true},
	{"connect", in_connect, false},
	{"wait4", in_wait4, false},
	{"waitid", in_waitid, false},
	{"semop", in_semop, false},
	{"msgrcv", in_msgrcv, false},
	{"sigtimedwait", in_sigtimedwait, true},
	{"sigwaitinfo", in_sigwaitinfo, false},
	{"pause", in_pause, false},
	{"flock", in_flock, false},
	{"fcntl(F_SETLKW)", in_fcntl, false},
	{"read of an eventfd", in_read_eventfd, false},
	{"read of a timerfd", in_read_timerfd, false},
	{"read of inotify", in_read_inotify, false},
	{"io_getevents", in_io_getevents, true},
	{NULL, NULL, false},
};
