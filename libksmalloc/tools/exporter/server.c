/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "exporter/server.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "serve/door.h"
#include "serve/listener.h"

struct server {
	const struct ksr_command *command;
	const struct ksr_server_options *options;
	struct ksr_door door;
	int epoll;
};

static void publish_counts(struct server *server)
{
	struct ksr_exporter_counters *counters = server->options->answers->counters;

	atomic_store_explicit(&counters->connections, server->door.clients.open, memory_order_relaxed);
	atomic_store_explicit(&counters->ended, server->door.clients.ended_total, memory_order_relaxed);
}

/* --- documents --------------------------------------------------------------------------------------- */

/* false when the process that reads has ended. */
static bool take_documents(const struct server *server)
{
	enum ksr_document which;
	uint64_t bytes;
	int error;
	int fd;

	while ((error = ksr_document_receive(server->options->documents, &which, &fd, &bytes)) == 0)
		(void)ksr_answers_take(server->options->answers, which, fd, bytes);
	return error != -EPIPE;
}

/* A token that replaces the one before; false when it is time to end. */
static bool take_orders(const struct server *server)
{
	struct ksr_token token;
	ssize_t got = recv(server->options->orders, &token, sizeof(token), MSG_DONTWAIT);

	if (got == sizeof(token) && token.bytes < sizeof(token.text))
		server->options->answers->token = token;
	explicit_bzero(&token, sizeof(token));
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

/* --- set-up ------------------------------------------------------------------------------------------- */

/* What talks to the network needs no right to read others, and no files of root's. */
static int give_up_rights(const struct server *server)
{
	const struct ksr_person *person = server->options->person;
	int error = person ? ksr_rights_become(person) : 0;

	if (error && server->options->must_become)
		return ksr_failure(server->command, "cannot become user %u: %s", (unsigned int)person->user,
				   strerror(-error));
	if (error)
		fprintf(stderr, "ksmalloc exporter: it serves as root, without capabilities: cannot become user %u: %s\n",
			(unsigned int)person->user, strerror(-error));
	ksr_rights_drop_all();
	/* The change of the user has taken this back, if it was asked for before. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return KSR_EXIT_OK;
}

static void say_where(const struct server *server)
{
	char name[160];

	ksr_listener_name(server->options->listener, name, sizeof(name));
	fprintf(stderr, "ksmalloc exporter: listening on %s%s\n", name,
		server->options->answers->token.bytes ? ", with a token" : "");
}

static struct MHD_Daemon *start_daemon(struct server *server)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, ksr_answer, server->options->answers,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned int)KSR_CLIENTS_ROOM,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)KSR_CLIENTS_SECONDS,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)KSR_SERVER_MEMORY,
				MHD_OPTION_NOTIFY_CONNECTION, ksr_door_connection, &server->door,
				MHD_OPTION_NOTIFY_COMPLETED, ksr_door_completed, &server->door, MHD_OPTION_END);
}

static int start(struct server *server)
{
	int error;

	signal(SIGPIPE, SIG_IGN);
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->door.daemon = start_daemon(server);
	if (server->epoll < 0 || !server->door.daemon)
		return -ENOMEM;
	error = ksr_door_watch(server->epoll, ksr_door_daemon_fd(&server->door));
	if (!error)
		error = ksr_door_watch(server->epoll, server->options->listener);
	if (!error)
		error = ksr_door_watch(server->epoll, server->options->documents);
	return error ? error : ksr_door_watch(server->epoll, server->options->orders);
}

static void stop(struct server *server)
{
	if (server->door.daemon)
		MHD_stop_daemon(server->door.daemon);
	ksr_answers_fini(server->options->answers);
	if (server->epoll >= 0)
		close(server->epoll);
}

/* --- the loop -------------------------------------------------------------------------------------------- */

static void serve(struct server *server)
{
	const struct ksr_server_options *options = server->options;

	for (;;) {
		struct epoll_event events[8];
		int count = epoll_wait(server->epoll, events, (int)KSM_COUNT_OF(events), ksr_door_wait_ms(&server->door));

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;

			if (fd == options->orders && !take_orders(server))
				return;
			if (fd == options->listener)
				ksr_door_accept(&server->door);
			/* That it has ended is the supervisor's to say, and to end this one. */
			else if (fd == options->documents && !take_documents(server))
				epoll_ctl(server->epoll, EPOLL_CTL_DEL, fd, NULL);
		}
		ksr_door_turn(&server->door);
		publish_counts(server);
	}
}

int ksr_server_run(const struct ksr_command *command, const struct ksr_server_options *options)
{
	struct server server = {.command = command, .options = options, .epoll = -1};
	int status = give_up_rights(&server);
	int error;

	if (status)
		return status;
	ksr_door_init(&server.door, options->listener);
	error = start(&server);
	if (error) {
		status = ksr_failure(command, "cannot serve: %s", strerror(-error));
	} else {
		say_where(&server);
		serve(&server);
	}
	stop(&server);
	return status;
}
