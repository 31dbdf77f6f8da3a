/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "webhook/desk.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "read/clock.h"
#include "serve/door.h"
#include "serve/listener.h"
#include "serve/rights.h"
#include "webhook/keys.h"

/* For the head of a request and for a part of its body. */
#define CONNECTION_BYTES 32768
#define PROTOCOLS "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define LOOK_SECONDS 5

struct desk {
	const struct ksr_command *command;
	const struct ksr_desk_options *options;
	struct ksr_requests requests;
	struct ksr_door door;
	struct ksr_keys keys;
	uint64_t looked_s;
	int signals;
	int epoll;
};

/* --- the daemon ----------------------------------------------------------------------------- */

static void completed(void *user, struct MHD_Connection *connection, void **request,
		      enum MHD_RequestTerminationCode how)
{
	struct desk *desk = user;

	ksr_door_completed(&desk->door, connection, request, how);
	ksr_requests_forget(&desk->requests, request);
}

/* What the library has to say of clients that speak no TLS is nobody's business. */
static void say_nothing(void *user, const char *format, va_list arguments)
{
	(void)user;
	(void)format;
	(void)arguments;
}

static struct MHD_Daemon *start_daemon(struct desk *desk, const struct ksr_keys *keys)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TLS, 0, NULL, NULL, ksr_requests_answer,
				&desk->requests, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
				MHD_OPTION_HTTPS_MEM_KEY, keys->key, MHD_OPTION_HTTPS_MEM_CERT, keys->certificate,
				MHD_OPTION_HTTPS_PRIORITIES, PROTOCOLS,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned int)KSR_CLIENTS_ROOM,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)KSR_CLIENTS_SECONDS,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
				MHD_OPTION_NOTIFY_CONNECTION, ksr_door_connection, &desk->door,
				MHD_OPTION_NOTIFY_COMPLETED, completed, desk, MHD_OPTION_END);
}

/* Takes the files as they are now, for those who come from now on: who is in the midst of a request goes on with the ones before. */
static int take_keys(struct desk *desk, char why[KSR_KEYS_WHY])
{
	struct MHD_Daemon *daemon;
	struct ksr_keys keys;
	int error = ksr_keys_read(desk->options->certificate, desk->options->key, &keys, why);

	if (error)
		return error;
	daemon = start_daemon(desk, &keys);
	if (!daemon) {
		snprintf(why, KSR_KEYS_WHY, "'%.200s' and '%.200s': they are no certificate and its key", desk->options->certificate,
			 desk->options->key);
		ksr_keys_destroy(&keys);
		return -EINVAL;
	}
	ksr_door_change(&desk->door, daemon);
	ksr_keys_destroy(&desk->keys);
	desk->keys = keys;
	return ksr_door_watch(desk->epoll, ksr_door_daemon_fd(&desk->door));
}

static void look_at_keys(struct desk *desk, bool now)
{
	char why[KSR_KEYS_WHY] = "";
	uint64_t now_s = ksr_clock_seconds();

	if (!now && now_s - desk->looked_s < LOOK_SECONDS)
		return;
	desk->looked_s = now_s;
	if (!now && !ksr_keys_are_old(&desk->keys, desk->options->certificate, desk->options->key))
		return;
	if (take_keys(desk, why))
		fprintf(stderr, "ksmalloc webhook: %s; the ones before stay\n", why);
	else
		fprintf(stderr, "ksmalloc webhook: the certificate was read again\n");
}

/* --- the loop ------------------------------------------------------------------------------- */

static int start(struct desk *desk, char why[KSR_KEYS_WHY])
{
	sigset_t waited;
	int error;

	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGHUP);
	sigprocmask(SIG_BLOCK, &waited, NULL);
	signal(SIGPIPE, SIG_IGN);
	desk->signals = signalfd(-1, &waited, SFD_CLOEXEC | SFD_NONBLOCK);
	desk->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (desk->signals < 0 || desk->epoll < 0)
		error = -errno;
	else
		error = take_keys(desk, why);
	if (!error)
		error = ksr_door_watch(desk->epoll, desk->options->listener);
	if (!error)
		error = ksr_door_watch(desk->epoll, desk->signals);
	if (error && !why[0])
		snprintf(why, KSR_KEYS_WHY, "cannot serve: %s", strerror(-error));
	desk->looked_s = ksr_clock_seconds();
	return error;
}

/* The number of a signal that has come, or 0. */
static int take_signal(const struct desk *desk)
{
	struct signalfd_siginfo info;

	return read(desk->signals, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

static void serve(struct desk *desk)
{
	for (;;) {
		struct epoll_event events[8];
		int count = epoll_wait(desk->epoll, events, (int)KSM_COUNT_OF(events), ksr_door_wait_ms(&desk->door));
		int number = take_signal(desk);

		if (number == SIGTERM || number == SIGINT)
			return;
		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == desk->options->listener)
				ksr_door_accept(&desk->door);
		}
		ksr_door_turn(&desk->door);
		look_at_keys(desk, number == SIGHUP);
	}
}

static void stop(struct desk *desk)
{
	ksr_door_close(&desk->door);
	ksr_keys_destroy(&desk->keys);
	if (desk->signals >= 0)
		close(desk->signals);
	if (desk->epoll >= 0)
		close(desk->epoll);
}

int ksr_desk_run(const struct ksr_command *command, const struct ksr_desk_options *options)
{
	struct desk desk = {.command = command, .options = options, .requests = {.defaults = options->defaults}, .signals = -1, .epoll = -1};
	char why[KSR_KEYS_WHY] = "";
	char name[160];
	int status = KSR_EXIT_OK;

	ksr_rights_drop_all();
	ksr_door_init(&desk.door, options->listener);
	if (start(&desk, why)) {
		status = ksr_failure(command, "%s", why);
	} else {
		ksr_listener_name(options->listener, name, sizeof(name));
		fprintf(stderr, "ksmalloc webhook: listening on https%s\n", strchrnul(name, ':'));
		serve(&desk);
	}
	stop(&desk);
	return status;
}
