/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/clients.h"

#include <netinet/in.h>
#include <string.h>

void ksr_clients_init(struct ksr_clients *clients)
{
	memset(clients, 0, sizeof(*clients));
	for (size_t i = 0; i < KSR_CLIENTS_ROOM; i++)
		clients->places[i].fd = -1;
}

/* Of IPv6 the network: whoever has one has all addresses in it. */
static void set_address(struct ksr_client *client, const struct sockaddr *address)
{
	memset(client->address, 0, sizeof(client->address));
	if (address->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, address, sizeof(v4));
		client->address[0] = 4;
		memcpy(client->address + 8, &v4.sin_addr, 4);
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, address, sizeof(v6));
		client->address[15] = 6;
		memcpy(client->address, &v6.sin6_addr, 8);
		/* Who comes by IPv4 to a socket of IPv6 has an address of IPv4; all of these are in one network. */
		if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
			client->address[15] = 0;
			client->address[0] = 4;
			memcpy(client->address + 8, v6.sin6_addr.s6_addr + 12, 4);
		}
	}
}

static bool is_live(const struct ksr_client *client)
{
	return client->fd >= 0 && !client->ended;
}

static bool is_same_address(const struct ksr_client *a, const struct ksr_client *b)
{
	return memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

static uint64_t count_of(const struct ksr_clients *clients, const struct ksr_client *like)
{
	uint64_t count = 0;

	for (size_t i = 0; i < KSR_CLIENTS_ROOM; i++)
		count += is_live(&clients->places[i]) && is_same_address(&clients->places[i], like);
	return count;
}

static void end(struct ksr_clients *clients, struct ksr_client *client)
{
	shutdown(client->fd, SHUT_RDWR);
	client->ended = true;
	clients->open--;
	clients->ended_total++;
}

static void end_oldest_like(struct ksr_clients *clients, const struct ksr_client *like)
{
	struct ksr_client *oldest = NULL;

	for (size_t i = 0; i < KSR_CLIENTS_ROOM; i++) {
		struct ksr_client *client = &clients->places[i];

		if (!is_live(client) || !is_same_address(client, like))
			continue;
		if (!oldest || client->since_ms < oldest->since_ms)
			oldest = client;
	}
	if (oldest)
		end(clients, oldest);
}

static const struct ksr_client *most_of_all(const struct ksr_clients *clients)
{
	const struct ksr_client *most = NULL;
	uint64_t most_count = 0;

	for (size_t i = 0; i < KSR_CLIENTS_ROOM; i++) {
		uint64_t count = is_live(&clients->places[i]) ? count_of(clients, &clients->places[i]) : 0;

		if (count <= most_count)
			continue;
		most = &clients->places[i];
		most_count = count;
	}
	return most;
}

static struct ksr_client *free_place(struct ksr_clients *clients)
{
	for (size_t i = 0; i < KSR_CLIENTS_ROOM; i++) {
		if (clients->places[i].fd < 0)
			return &clients->places[i];
	}
	return NULL;
}

struct ksr_client *ksr_clients_add(struct ksr_clients *clients, int fd, const struct sockaddr *address,
				   uint64_t now_ms)
{
	struct ksr_client *client = free_place(clients);

	if (!client)
		return NULL;
	*client = (struct ksr_client){.fd = -1, .since_ms = now_ms};
	set_address(client, address);
	if (count_of(clients, client) >= KSR_CLIENTS_EACH)
		end_oldest_like(clients, client);
	else if (clients->open >= KSR_CLIENTS_MOST)
		end_oldest_like(clients, most_of_all(clients));
	client->fd = fd;
	clients->open++;
	clients->taken++;
	return client;
}

static struct ksr_client *find(struct ksr_clients *clients, int fd)
{
	for (size_t i = 0; i < KSR_CLIENTS_ROOM && fd >= 0; i++) {
		if (clients->places[i].fd == fd)
			return &clients->places[i];
	}
	return NULL;
}

void ksr_clients_remove(struct ksr_clients *clients, int fd)
{
	struct ksr_client *client = find(clients, fd);

	if (!client)
		return;
	if (!client->ended)
		clients->open--;
	clients->taken--;
	client->fd = -1;
}

void ksr_clients_touch(struct ksr_clients *clients, int fd, uint64_t now_ms)
{
	struct ksr_client *client = find(clients, fd);

	if (client)
		client->since_ms = now_ms;
}

void ksr_clients_sweep(struct ksr_clients *clients, uint64_t now_ms)
{
	for (size_t i = 0; i < KSR_CLIENTS_ROOM; i++) {
		struct ksr_client *client = &clients->places[i];

		if (is_live(client) && now_ms - client->since_ms > KSR_CLIENTS_SECONDS * 1000)
			end(clients, client);
	}
}
