/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "serve/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
	struct sockaddr_storage room;
};

static bool parse_port(const char *text, in_port_t *port)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || number > 65535)
		return false;
	*port = htons((uint16_t)number);
	return true;
}

/* The part before the last colon, without brackets. */
static bool parse_address(const char *text, union address *address, socklen_t *bytes)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	size_t length = colon ? (size_t)(colon - text) : 0;
	in_port_t port;

	if (!parse_port(colon ? colon + 1 : text, &port) || length >= sizeof(host))
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	if (!colon || strcmp(host, "localhost") == 0)
		strcpy(host, "127.0.0.1");
	memset(address, 0, sizeof(*address));
	if (host[0] == '[' && length > 2 && host[length - 1] == ']') {
		host[length - 1] = '\0';
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = port;
		*bytes = sizeof(address->v6);
		return inet_pton(AF_INET6, host + 1, &address->v6.sin6_addr) == 1;
	}
	address->v4.sin_family = AF_INET;
	address->v4.sin_port = port;
	*bytes = sizeof(address->v4);
	return inet_pton(AF_INET, host, &address->v4.sin_addr) == 1;
}

static bool set_path(const char *path, union address *address, socklen_t *bytes)
{
	memset(address, 0, sizeof(*address));
	address->local.sun_family = AF_UNIX;
	*bytes = sizeof(address->local);
	if (path[0] != '/' || strlen(path) >= sizeof(address->local.sun_path))
		return false;
	strcpy(address->local.sun_path, path);
	return true;
}

/* Whether somebody listens there is asked by connecting. */
static void remove_stale(const union address *address, socklen_t bytes)
{
	struct stat status;
	int fd;

	if (lstat(address->local.sun_path, &status) || !S_ISSOCK(status.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, &address->any, bytes) && errno == ECONNREFUSED)
		unlink(address->local.sun_path);
	close(fd);
}

static int listen_on(const union address *address, socklen_t bytes)
{
	bool is_local = address->any.sa_family == AF_UNIX;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask = umask(0177);
	int one = 1;
	int error = 0;

	if (fd < 0) {
		error = -errno;
	} else {
		if (!is_local)
			setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, &address->any, bytes) || listen(fd, BACKLOG))
			error = -errno;
	}
	umask(mask);
	if (!error)
		return fd;
	if (fd >= 0)
		close(fd);
	return error;
}

/*
 * The socket was made for its owner alone. It is opened before it is changed, so that what is changed is the socket,
 * whatever is done to its name meanwhile.
 */
static int widen(const char *path, const struct ksr_socket_access *access)
{
	mode_t mode = access->mode ? access->mode : access->has_group ? 0660 : 0600;
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char name[40];
	struct stat status;
	int error = 0;

	if (fd < 0)
		return -errno;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (fstat(fd, &status) || !S_ISSOCK(status.st_mode))
		error = -ESTALE;
	else if (access->has_group && fchownat(fd, "", (uid_t)-1, access->group, AT_EMPTY_PATH))
		error = -errno;
	else if (mode != 0600 && chmod(name, mode))
		error = -errno;
	close(fd);
	return error;
}

bool ksr_listener_is_path(const char *text)
{
	return strncmp(text, "unix:", 5) == 0;
}

int ksr_listener_open(const char *text, const struct ksr_socket_access *access, char why[KSR_LISTENER_WHY_BYTES])
{
	bool is_local = ksr_listener_is_path(text);
	union address address;
	socklen_t bytes = 0;
	int fd;

	if (!(is_local ? set_path(text + 5, &address, &bytes) : parse_address(text, &address, &bytes))) {
		snprintf(why, KSR_LISTENER_WHY_BYTES, "is no address; give ADDRESS:PORT, PORT or unix:/PATH");
		return -EINVAL;
	}
	if (is_local)
		remove_stale(&address, bytes);
	fd = listen_on(&address, bytes);
	if (fd >= 0 && is_local) {
		int error = widen(text + 5, access);

		if (error) {
			close(fd);
			if (error != -ESTALE)
				unlink(text + 5);
			fd = error;
		}
	}
	if (fd < 0)
		snprintf(why, KSR_LISTENER_WHY_BYTES, "%s", strerror(-fd));
	return fd;
}

void ksr_listener_name(int fd, char *name, size_t bytes)
{
	char host[INET6_ADDRSTRLEN];
	union address address;
	socklen_t length = sizeof(address);

	snprintf(name, bytes, "?");
	if (getsockname(fd, &address.any, &length))
		return;
	if (address.any.sa_family == AF_UNIX)
		snprintf(name, bytes, "%s", address.local.sun_path);
	else if (address.any.sa_family == AF_INET6)
		snprintf(name, bytes, "http://[%s]:%d/", inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof(host)),
			 (int)ntohs(address.v6.sin6_port));
	else
		snprintf(name, bytes, "http://%s:%d/", inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof(host)),
			 (int)ntohs(address.v4.sin_port));
}
