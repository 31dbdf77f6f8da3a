/* SPDX-License-Identifier: BSD-2-Clause */
#include "exporter/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

int ksr_hosts_add(struct ksr_hosts *hosts, const char *name)
{
	size_t bytes = strlen(name);

	if (!bytes || bytes >= KSR_HOST_BYTES || strspn(name, NAME_LETTERS) != bytes)
		return -EINVAL;
	if (hosts->count == KSR_HOSTS_MOST)
		return -ENOSPC;
	hosts->names[hosts->count++] = name;
	return 0;
}

/* Nothing, or a colon and digits. */
static bool is_port(const char *text)
{
	return !*text || (*text == ':' && strlen(text + 1) <= 5 && strspn(text + 1, "0123456789") == strlen(text + 1));
}

/* The name without brackets, and what comes after it; false where it does not fit. */
static bool split(const char *host, char name[KSR_HOST_BYTES], const char **rest)
{
	bool has_brackets = *host == '[';
	const char *begin = host + has_brackets;
	size_t bytes = strcspn(begin, has_brackets ? "]" : ":");

	if (bytes >= KSR_HOST_BYTES || (has_brackets && begin[bytes] != ']'))
		return false;
	memcpy(name, begin, bytes);
	name[bytes] = '\0';
	*rest = begin + bytes + has_brackets;
	return true;
}

static bool is_known(const struct ksr_hosts *hosts, const char *name)
{
	if (strcasecmp(name, "localhost") == 0 || (hosts->own[0] && strcasecmp(name, hosts->own) == 0))
		return true;
	for (size_t i = 0; i < hosts->count; i++) {
		if (strcasecmp(name, hosts->names[i]) == 0)
			return true;
	}
	return false;
}

bool ksr_hosts_allow(const struct ksr_hosts *hosts, const char *host)
{
	char name[KSR_HOST_BYTES];
	struct in6_addr number;
	const char *rest;
	size_t bytes;

	if (hosts->any || !host)
		return true;
	if (!split(host, name, &rest) || !is_port(rest))
		return false;
	if (*host == '[')
		return inet_pton(AF_INET6, name, &number) == 1;
	if (inet_pton(AF_INET, name, &number) == 1)
		return true;
	/* With a dot at its end a name is the same one. */
	bytes = strlen(name);
	if (bytes && name[bytes - 1] == '.')
		name[bytes - 1] = '\0';
	return is_known(hosts, name);
}
