/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "exporter/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exporter/server.h"

/* The one that serves ends at once when it is told to. */
#define PATIENCE_MS 1000

struct children {
	pid_t reader;
	pid_t server;
	int documents[2]; /* of the one that serves, and of the one that reads */
	int orders[2];	  /* of the one that serves, and ours */
	sigset_t waited;
	sigset_t before;
};

/* --- in the children ------------------------------------------------------------------------------- */

/* Whoever signals all processes of a service or of a terminal means the supervisor, which ends the others. */
static bool begin_child(pid_t parent, const struct children *children)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigprocmask(SIG_SETMASK, &children->before, NULL);
	return getppid() == parent;
}

static int read_others(struct ksr_supervisor *supervisor, const struct children *children)
{
	close(supervisor->listener);
	close(children->documents[0]);
	close(children->orders[0]);
	close(children->orders[1]);
	explicit_bzero(&supervisor->token, sizeof(supervisor->token));
	ksr_rights_drop_but_reading();
	return ksr_collector_run(supervisor->reading, children->documents[1]);
}

static int serve(struct ksr_supervisor *supervisor, const struct children *children)
{
	struct ksr_answers answers;
	const struct ksr_server_options options = {
		.answers = &answers,
		.person = supervisor->person,
		.must_become = supervisor->must_become,
		.listener = supervisor->listener,
		.documents = children->documents[0],
		.orders = children->orders[0],
	};

	close(children->documents[1]);
	close(children->orders[1]);
	ksr_answers_init(&answers, &supervisor->token, supervisor->hosts, supervisor->counters,
			 supervisor->reading->interval_ms);
	atomic_store_explicit(&supervisor->counters->server, (uint64_t)getpid(), memory_order_relaxed);
	return ksr_server_run(supervisor->command, &options);
}

static pid_t start_child(struct ksr_supervisor *supervisor, const struct children *children,
			 int (*run)(struct ksr_supervisor *supervisor, const struct children *children))
{
	pid_t parent = getpid();
	pid_t child = fork();

	if (child)
		return child;
	_exit(begin_child(parent, children) ? run(supervisor, children) : 0);
}

/* --- signals ----------------------------------------------------------------------------------------- */

/* A signal that was ignored from the start, as nohup does, stays so. */
static void add_unless_ignored(sigset_t *set, int number)
{
	struct sigaction action;

	if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
		sigaddset(set, number);
}

static void block_signals(struct children *children)
{
	sigemptyset(&children->waited);
	sigaddset(&children->waited, SIGTERM);
	sigaddset(&children->waited, SIGCHLD);
	add_unless_ignored(&children->waited, SIGINT);
	add_unless_ignored(&children->waited, SIGHUP);
	sigprocmask(SIG_BLOCK, &children->waited, &children->before);
}

static void read_token_again(struct ksr_supervisor *supervisor, const struct children *children)
{
	char why[KSR_TOKEN_WHY_BYTES] = "";
	struct ksr_token token;
	int error = ksr_token_read(supervisor->token_file, &token, why);

	if (!error && send(children->orders[1], &token, sizeof(token), MSG_NOSIGNAL) != sizeof(token))
		snprintf(why, sizeof(why), "%s", strerror(errno));
	explicit_bzero(&token, sizeof(token));
	if (why[0])
		fprintf(stderr, "ksmalloc exporter: --token-file '%s': %s; the token before stays\n",
			supervisor->token_file, why);
	else
		fprintf(stderr, "ksmalloc exporter: the token was read again\n");
}

/* -1 as long as both are there, else an exit code. */
static int look_after(struct ksr_supervisor *supervisor, struct children *children)
{
	int status;

	/* Who serves has said himself why he could not begin. */
	if (waitpid(children->server, &status, WNOHANG) == children->server) {
		children->server = -1;
		if (WIFEXITED(status) && WEXITSTATUS(status))
			return WEXITSTATUS(status);
		return ksr_failure(supervisor->command, "the process that serves has ended");
	}
	if (waitpid(children->reader, &status, WNOHANG) != children->reader)
		return -1;
	children->reader = -1;
	return ksr_failure(supervisor->command, "the process that reads has ended");
}

static int wait_for_end(struct ksr_supervisor *supervisor, struct children *children)
{
	for (;;) {
		int number = sigwaitinfo(&children->waited, NULL);
		int status = -1;

		if (number == SIGTERM || number == SIGINT || (number == SIGHUP && !supervisor->token_file))
			return KSR_EXIT_OK;
		if (number == SIGHUP)
			read_token_again(supervisor, children);
		else if (number == SIGCHLD)
			status = look_after(supervisor, children);
		if (status >= 0)
			return status;
	}
}

/* --- the end ------------------------------------------------------------------------------------------- */

static void close_pair(int pair[2])
{
	for (int i = 0; i < 2; i++) {
		if (pair[i] >= 0)
			close(pair[i]);
		pair[i] = -1;
	}
}

/* It may be another user's by now, which is why it is asked to first. */
static void end_server(struct children *children)
{
	int fd = (int)syscall(SYS_pidfd_open, children->server, 0);
	struct pollfd ready = {fd, POLLIN, 0};

	close_pair(children->orders);
	if (fd < 0 || poll(&ready, 1, PATIENCE_MS) != 1)
		kill(children->server, SIGKILL);
	waitpid(children->server, NULL, fd < 0 ? 0 : WNOHANG);
	if (fd >= 0)
		close(fd);
}

static void end_both(struct children *children)
{
	if (children->reader > 0 && kill(children->reader, SIGKILL) == 0)
		waitpid(children->reader, NULL, 0);
	if (children->server > 0)
		end_server(children);
	close_pair(children->orders);
	close_pair(children->documents);
}

int ksr_supervisor_run(struct ksr_supervisor *supervisor)
{
	struct children children = {.reader = -1, .server = -1, .documents = {-1, -1}, .orders = {-1, -1}};
	int status;

	block_signals(&children);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, children.documents) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, children.orders)) {
		status = ksr_failure(supervisor->command, "cannot start: %s", strerror(errno));
	} else {
		children.reader = start_child(supervisor, &children, read_others);
		children.server = children.reader < 0 ? -1 : start_child(supervisor, &children, serve);
		close_pair(children.documents);
		if (children.server < 0)
			status = ksr_failure(supervisor->command, "cannot start a process: %s", strerror(errno));
		else
			status = wait_for_end(supervisor, &children);
	}
	end_both(&children);
	return status;
}
