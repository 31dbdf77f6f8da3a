/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "names/perf_map.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "read/clock.h"
#include "read/grow.h"
#include "read/search.h"
#include "read/status.h"

#define MOST_BYTES   (128 * KSM_MIB)
#define MOST_ENTRIES 4000000u
#define NAME_BYTES   1000u

/* How many entries before an address are looked at: code of several sizes may begin before it. */
#define LOOK_BACK 16u

struct entry {
	uint64_t begin;
	uint64_t end;
	uint32_t order; /* of its line */
	enum ksr_perf_kind kind;
	char *function;
	char *place;
};

struct ksr_perf_map {
	char *text;
	struct entry *entries; /* by begin, then by order */
	size_t count;
	size_t room;
};

static int compare(const void *one, const void *other)
{
	const struct entry *a = one;
	const struct entry *b = other;

	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* What engines generate for themselves, in the words of V8 and of HotSpot. */
static const char *const parts_of_engines[] = {
	"Builtin:*", "BytecodeHandler:*", "Handler:*", "Stub:*", "RegExp:*",
	"Interpreter", "StubRoutines*", "I2C/C2I adapters", "vtable chunks", "*Blob", "*[ _]stub", "_*_Java", "jni_fast_*",
	"native signature handlers", "resolve_*_call",
};

static bool is_of_engine(const char *name)
{
	for (size_t i = 0; i < KSM_COUNT_OF(parts_of_engines); i++)
		if (fnmatch(parts_of_engines[i], name, 0) == 0)
			return true;
	return false;
}

/* Drops the column, if there is one behind the line. */
static void drop_column(char *place)
{
	char *colon = strrchr(place, ':');
	char *before = colon;

	if (!colon || colon == place || !isdigit((unsigned char)colon[-1]))
		return;
	while (before > place && isdigit((unsigned char)before[-1]))
		before--;
	if (before > place && before[-1] == ':')
		*colon = '\0';
}

/* V8 writes "kind:*function file:line:column", where the sign tells how the code was made. */
static bool split_v8(char *name, struct entry *entry)
{
	static const char *const kinds[] = { "LazyCompile:", "Function:", "JS:", "Eval:", "Script:" };
	static char anonymous[] = "(anonymous)";
	size_t kind = 0;
	char *space;

	for (; kind < KSM_COUNT_OF(kinds); kind++)
		if (strncmp(name, kinds[kind], strlen(kinds[kind])) == 0)
			break;
	if (kind == KSM_COUNT_OF(kinds))
		return false;
	name += strlen(kinds[kind]);
	name += strspn(name, "~*^+'");
	space = strchr(name, ' ');
	entry->function = name;
	if (!space)
		return true;
	*space = '\0';
	entry->place = space + 1;
	drop_column(entry->place);
	if (!*name)
		entry->function = anonymous;
	return true;
}

/* Of a class that was made at run time there is an address in its name, which is another one in each process. */
static void drop_address(char *name)
{
	char *slash = strstr(name, "/0x");

	if (slash)
		memmove(slash, slash + 3 + strspn(slash + 3, "0123456789abcdef"),
			strlen(slash + 3 + strspn(slash + 3, "0123456789abcdef")) + 1);
}

/* HotSpot writes "type package.Class.method(types)". */
static bool split_java(char *name, struct entry *entry)
{
	char *parameters = strchr(name, '(');
	char *space, *dot;

	if (!parameters || name[strlen(name) - 1] != ')')
		return false;
	*parameters = '\0';
	space = strchr(name, ' ');
	dot = strrchr(name, '.');
	if (!space || space[1] == '\0' || strchr(space + 1, ' ') || !dot || dot < space) {
		*parameters = '(';
		return false;
	}
	entry->kind = KSR_PERF_JAVA;
	entry->function = space + 1;
	drop_address(entry->function);
	return true;
}

/* Others write a name alone. */
static void split(char *name, struct entry *entry)
{
	static char nothing[] = "";

	entry->function = name;
	entry->place = nothing;
	entry->kind = is_of_engine(name) ? KSR_PERF_ENGINE : KSR_PERF_SCRIPT;
	if (entry->kind == KSR_PERF_SCRIPT && !split_v8(name, entry))
		split_java(name, entry);
}

/* One line, which ends with a NUL. What is none is left out. */
static bool add_line(struct ksr_perf_map *map, char *line)
{
	struct entry entry = { .order = (uint32_t)map->count };
	struct entry *larger;
	uint64_t size;
	char *end;

	entry.begin = strtoull(line, &end, 16);
	if (end == line || *end != ' ')
		return true;
	line = end + 1;
	size = strtoull(line, &end, 16);
	if (end == line || *end != ' ' || !size || size > UINT64_MAX - entry.begin || !end[1])
		return true;
	entry.end = entry.begin + size;
	if (strlen(end + 1) > NAME_BYTES)
		end[1 + NAME_BYTES] = '\0';
	split(end + 1, &entry);
	larger = ksr_grow(map->entries, map->count, &map->room, sizeof(*larger));
	if (!larger)
		return false;
	map->entries = larger;
	map->entries[map->count++] = entry;
	return map->count < MOST_ENTRIES;
}

struct ksr_perf_map *ksr_perf_map_parse(char *text, size_t bytes)
{
	struct ksr_perf_map *map = calloc(1, sizeof(*map));
	char *end = text + bytes;
	char *newline;

	if (!map) {
		free(text);
		return NULL;
	}
	map->text = text;
	/* The last line is being written if it has no end. */
	for (char *line = text; line < end; line = newline + 1) {
		newline = memchr(line, '\n', (size_t)(end - line));
		if (!newline)
			break;
		*newline = '\0';
		if (!add_line(map, line))
			break;
	}
	if (map->count)
		qsort(map->entries, map->count, sizeof(map->entries[0]), compare);
	return map;
}

/* When it was started, in seconds since 1970, or somewhat earlier: clocks are read one after the other. */
static int64_t start_of(const struct ksr_status *status)
{
	uint64_t since_boot = status->start_time_ticks / (uint64_t)sysconf(_SC_CLK_TCK) * KSR_CLOCK_SECOND;
	uint64_t now = ksr_clock_of(CLOCK_BOOTTIME);
	uint64_t age = now > since_boot ? now - since_boot : 0;

	return (int64_t)(ksr_clock_of(CLOCK_REALTIME) / KSR_CLOCK_SECOND) - (int64_t)(age / KSR_CLOCK_SECOND) - 1;
}

/*
 * Anybody may write to /tmp, under any number; and what one has written that had the number before stays there, which is usual in
 * containers, where a program has the same one each time that it is started.
 */
static bool is_of(const struct ksr_status *process, const struct stat *file)
{
	return (file->st_uid == process->uid || file->st_uid == 0) && file->st_mtim.tv_sec >= start_of(process);
}

struct ksr_perf_map *ksr_perf_map_create(const struct ksr_fs *fs, pid_t pid)
{
	struct ksr_status process;
	struct ksr_text text;
	struct stat file;
	char path[64];
	int error;
	int fd;

	if (ksr_status_read(fs, pid, &process))
		return NULL;
	/* By what the process calls itself: the last of its ids, in the innermost namespace. */
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)(process.inner_pid ? process.inner_pid : pid));
	fd = ksr_fs_open_in_process(fs, pid, path, &file);
	if (fd < 0)
		return NULL;
	error = !fs->live || is_of(&process, &file) ? ksr_fs_read_fd(fd, MOST_BYTES, &text) : -EPERM;
	close(fd);
	return error ? NULL : ksr_perf_map_parse(text.data, text.size);
}

void ksr_perf_map_destroy(struct ksr_perf_map *map)
{
	if (!map)
		return;
	free(map->entries);
	free(map->text);
	free(map);
}

static uint64_t begin_of(const void *element)
{
	return ((const struct entry *)element)->begin;
}

bool ksr_perf_map_find(const struct ksr_perf_map *map, uint64_t address, struct ksr_perf_name *name)
{
	const struct entry *best = NULL;
	size_t behind = ksr_search_above(map->entries, map->count, sizeof(*map->entries), begin_of, address);

	for (size_t i = behind; i > 0 && behind - i < LOOK_BACK; i--) {
		const struct entry *entry = &map->entries[i - 1];

		if (address < entry->end && (!best || entry->order > best->order))
			best = entry;
	}
	if (!best)
		return false;
	*name = (struct ksr_perf_name){best->kind, best->function, best->place};
	return true;
}
