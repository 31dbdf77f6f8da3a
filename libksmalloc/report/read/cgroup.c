/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A part of a path that names a container is its id, or has it behind a word: "0123...", "libpod-0123....scope",
 * "cri-containerd-0123....scope". That of the program that watches over one has the id, too, behind "conmon".
 */
#define _GNU_SOURCE
#include "read/cgroup.h"

#include <string.h>

#define ID_DIGITS 64

static bool is_hex(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (!strchr("0123456789abcdef", text[i]) || text[i] == '\0')
			return false;
	}
	return true;
}

static void parse_part(const char *part, size_t bytes, char container[KSR_CONTAINER_BYTES])
{
	static const char scope[] = ".scope";
	const char *id;

	if (bytes > strlen(scope) && memcmp(part + bytes - strlen(scope), scope, strlen(scope)) == 0)
		bytes -= strlen(scope);
	if (bytes < ID_DIGITS || memmem(part, bytes, "conmon", strlen("conmon")))
		return;
	id = part + bytes - ID_DIGITS;
	if (!is_hex(id, ID_DIGITS) || (id > part && id[-1] != '-'))
		return;
	memcpy(container, id, KSR_CONTAINER_BYTES - 1);
	container[KSR_CONTAINER_BYTES - 1] = '\0';
}

static void parse_line(const char *line, size_t bytes, char container[KSR_CONTAINER_BYTES])
{
	const char *end = line + bytes;
	const char *part = memchr(line, '/', bytes);

	while (part) {
		const char *next = memchr(part + 1, '/', (size_t)(end - part - 1));

		parse_part(part + 1, (size_t)((next ? next : end) - part - 1), container);
		part = next;
	}
}

void ksr_cgroup_parse(const struct ksr_text *text, char container[KSR_CONTAINER_BYTES])
{
	size_t position = 0;
	const char *line;
	size_t bytes;

	container[0] = '\0';
	while (ksr_text_line(text, &position, &line, &bytes))
		parse_line(line, bytes, container);
}

void ksr_cgroup_read(const struct ksr_fs *fs, pid_t pid, char container[KSR_CONTAINER_BYTES])
{
	struct ksr_text text;

	container[0] = '\0';
	if (ksr_fs_read(fs, &text, "proc/%d/cgroup", (int)pid))
		return;
	ksr_cgroup_parse(&text, container);
	ksr_text_free(&text);
}
