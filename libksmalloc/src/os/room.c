/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much more memory there is for this process, of the machine and of its control groups. Who goes beyond is not told
 * so by an error: the kernel ends a process.
 */
#include "os/os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a version of control groups calls things. */
struct names {
	const char *top; /* where all groups are found */
	const char *limit;
	const char *high; /* NULL, or beyond which the kernel makes a group wait and takes from it what it can */
	const char *used;
	const char *inactive, *active; /* in memory.stat: pages of files, groups below included */
	const char *slab; /* NULL, or there, too: the kernel's own that goes where it is in the way, as names of files */
};

static const struct names version1 = { "/sys/fs/cgroup/memory", "memory.limit_in_bytes", NULL, "memory.usage_in_bytes",
				       "\ntotal_inactive_file ", "\ntotal_active_file ", NULL };
static const struct names version2 = { "/sys/fs/cgroup", "memory.max", "memory.high", "memory.current",
				       "\ninactive_file ", "\nactive_file ", "\nslab_reclaimable " };

/* Not on the stack, of which a keeper has little. One thread asks at a time (os.h). */
static char text[8192];
static char path[1024], file[sizeof(path) + 64];

/* The number that follows this in the text; other if it is not there. */
static uint64_t number_after(const char *name, uint64_t other)
{
	const char *found = strstr(text, name);

	return found ? strtoul(found + strlen(name), NULL, 10) : other;
}

/* A file of the group that path names; false if it cannot be read. */
static bool read_of_group(const struct names *names, const char *name)
{
	int length = snprintf(file, sizeof(file), "%s%s/%s", names->top, path, name);

	return length > 0 && (size_t)length < sizeof(file) && ksm_os_read_file(file, text, sizeof(text)) > 0;
}

/* UINT64_MAX where there is none, or it is not known. */
static uint64_t limit_of_group(const struct names *names, const char *name)
{
	if (!name || !read_of_group(names, name) || text[0] < '0' || text[0] > '9')
		return UINT64_MAX;
	return strtoul(text, NULL, 10);
}

/* Pages of files go where they are in the way; of those that are in use half are counted, and half of the kernel's own. */
static uint64_t room_of_group(const struct names *names)
{
	uint64_t limit = ksm_min(limit_of_group(names, names->limit), limit_of_group(names, names->high));
	uint64_t used, files;

	if (limit == UINT64_MAX)
		return UINT64_MAX;
	if (!read_of_group(names, names->used))
		return UINT64_MAX;
	used = strtoul(text, NULL, 10);
	if (!read_of_group(names, "memory.stat"))
		text[0] = '\0';
	files = number_after(names->inactive, 0) + number_after(names->active, 0) / 2;
	files += names->slab ? number_after(names->slab, 0) / 2 : 0;
	used -= ksm_min(files, used);
	return limit > used ? limit - used : 0;
}

/* Of the group that path names and all above it: each has a limit of its own. */
static uint64_t room_of_groups(const struct names *names)
{
	uint64_t room = UINT64_MAX;
	char *end = path + strlen(path);

	do {
		*end = '\0';
		room = ksm_min(room, room_of_group(names));
		end = strrchr(path, '/');
	} while (end);
	return room;
}

/* True if the line of /proc/self/cgroup, "number:controllers:path", is of the memory's group. */
static bool is_of_memory(const char *controllers, const char *end)
{
	const char *memory = strstr(controllers, "memory");

	return memory && memory < end && (memory[-1] == ':' || memory[-1] == ',') && (memory[6] == ':' || memory[6] == ',');
}

/* Puts the path of this process's group where others look for it; NULL if there is none. */
static const struct names *find_group(void)
{
	const struct names *names = NULL;
	char *line = text;

	if (ksm_os_read_file("/proc/self/cgroup", text, sizeof(text)) <= 0)
		return NULL;
	while (line && names != &version1) {
		char *next = strchr(line, '\n');
		char *controllers = strchr(line, ':');
		char *group = controllers ? strchr(controllers + 1, ':') : NULL;

		if (next)
			*next++ = '\0';
		if (group && (group == controllers + 1 || is_of_memory(controllers, group)) && strlen(group + 1) < sizeof(path)) {
			names = group == controllers + 1 ? &version2 : &version1;
			/* The topmost one is no name: "/". */
			strcpy(path, group[2] ? group + 1 : "");
		}
		line = next;
	}
	return names;
}

uint64_t ksm_os_memory_room(void)
{
	const struct names *names = find_group();
	uint64_t room = names ? room_of_groups(names) : UINT64_MAX;

	if (ksm_os_read_file("/proc/meminfo", text, sizeof(text)) > 0)
		room = ksm_min(room, number_after("MemAvailable:", UINT64_MAX / KSM_KIB) * KSM_KIB);
	return room;
}
