/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "serve/door.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "read/clock.h"

/*
 * So many are accepted before those that are connected have their turn. As many as an address may have end all others of it: one that
 * is being answered has several turns until then, and most answers take two or three.
 */
#define ACCEPT_AT_ONCE (KSR_CLIENTS_EACH / 8)

void ksr_door_init(struct ksr_door *door, int listener)
{
	door->daemon = NULL;
	door->leaving = NULL;
	door->leaves_ms = 0;
	door->listener = listener;
	ksr_clients_init(&door->clients);
}

int ksr_door_fd(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

int ksr_door_daemon_fd(const struct ksr_door *door)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(door->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	return info ? info->epoll_fd : -1;
}

void ksr_door_connection(void *user, struct MHD_Connection *connection, void **context,
			 enum MHD_ConnectionNotificationCode what)
{
	struct ksr_door *door = user;

	(void)context;
	if (what == MHD_CONNECTION_NOTIFY_CLOSED)
		ksr_clients_remove(&door->clients, ksr_door_fd(connection));
}

void ksr_door_completed(void *user, struct MHD_Connection *connection, void **request,
			enum MHD_RequestTerminationCode how)
{
	struct ksr_door *door = user;

	(void)request;
	if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		ksr_clients_touch(&door->clients, ksr_door_fd(connection), ksr_clock_ms());
}

int ksr_door_watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* false when nobody else waits. */
static bool accept_one(struct ksr_door *door)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t bytes = sizeof(address);
	int fd = accept4(door->listener, (struct sockaddr *)&address, &bytes, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR;
	if (!ksr_clients_add(&door->clients, fd, (struct sockaddr *)&address, ksr_clock_ms())) {
		close(fd);
		return true;
	}
	/* On failure the library closes the descriptor, and may have told of it already. */
	if (MHD_add_connection(door->daemon, fd, (struct sockaddr *)&address, bytes) != MHD_YES)
		ksr_clients_remove(&door->clients, fd);
	return true;
}

void ksr_door_accept(struct ksr_door *door)
{
	for (int i = 0; i < ACCEPT_AT_ONCE && door->clients.taken < KSR_CLIENTS_ROOM; i++) {
		if (!accept_one(door))
			return;
	}
}

static void stop_leaving(struct ksr_door *door)
{
	if (door->leaving)
		MHD_stop_daemon(door->leaving);
	door->leaving = NULL;
}

void ksr_door_change(struct ksr_door *door, struct MHD_Daemon *daemon)
{
	stop_leaving(door);
	door->leaving = door->daemon;
	door->leaves_ms = ksr_clock_ms() + KSR_CLIENTS_SECONDS * 1000;
	door->daemon = daemon;
}

void ksr_door_close(struct ksr_door *door)
{
	stop_leaving(door);
	if (door->daemon)
		MHD_stop_daemon(door->daemon);
	door->daemon = NULL;
}

static int shorter_wait(struct MHD_Daemon *daemon, int most)
{
	MHD_UNSIGNED_LONG_LONG wait;

	return daemon && MHD_get_timeout(daemon, &wait) == MHD_YES && wait < (unsigned int)most ? (int)wait : most;
}

int ksr_door_wait_ms(const struct ksr_door *door)
{
	return shorter_wait(door->leaving, shorter_wait(door->daemon, KSR_DOOR_SWEEP_MS));
}

void ksr_door_turn(struct ksr_door *door)
{
	const union MHD_DaemonInfo *info;

	ksr_clients_sweep(&door->clients, ksr_clock_ms());
	MHD_run(door->daemon);
	if (!door->leaving)
		return;
	MHD_run(door->leaving);
	info = MHD_get_daemon_info(door->leaving, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
	if (!info || !info->num_connections || ksr_clock_ms() >= door->leaves_ms)
		stop_leaving(door);
}
