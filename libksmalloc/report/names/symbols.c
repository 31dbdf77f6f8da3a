/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Per module there are up to two caches of answers: the one of its build-id,
 * asked before any file is opened, so that a report whose answers are all known
 * opens no ELF file; and, for files that are not trusted, one of that very file.
 */
#define _GNU_SOURCE
#include "names/symbols.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "names/cache.h"
#include "names/elf.h"
#include "names/places.h"
#include "names/plumbing.h"

enum file_state {
	FILE_UNOPENED,
	FILE_READY,
	FILE_CHANGED, /* another build-id than the segment says */
	FILE_FAILED,
};

struct symbol_file {
	struct symbol_file *next;
	char *path;
	const char *module; /* last component of path */
	char build_id[2 * KSMALLOC_BUILD_ID_BYTES + 1];
	pid_t pid; /* through whose root it is opened */
	enum file_state state;
	struct ksr_elf *elf;
	struct ksr_cache *by_build_id; /* trusted answers; NULL without a build-id */
	struct ksr_cache *by_file;
	uint64_t places; /* where its debug information may be, before anything was looked up */
	bool trusted;
	size_t unnamed; /* frames */
};

/* A result and what it points to. */
struct result {
	struct result *next;
	struct ksr_stack stack;
	char **owned;
	size_t owned_count;
	char *name;
};

struct ksr_symbols {
	const struct ksr_fs *fs;
	bool resolve;
	char folder[PATH_MAX];
	struct symbol_file *files;
	struct result *results;
};

struct ksr_symbols *ksr_symbols_create(const struct ksr_fs *fs, bool resolve)
{
	struct ksr_symbols *symbols = calloc(1, sizeof(*symbols));

	if (!symbols)
		return NULL;
	symbols->fs = fs;
	symbols->resolve = resolve;
	/* Answers about a recorded tree must not depend on what was asked before. */
	if (resolve && fs->live)
		ksr_cache_folder(symbols->folder, sizeof(symbols->folder));
	return symbols;
}

static void destroy_result(struct result *result)
{
	for (size_t i = 0; i < result->owned_count; i++)
		free(result->owned[i]);
	free(result->owned);
	free(result->stack.lines);
	free(result->name);
	free(result);
}

void ksr_symbols_destroy(struct ksr_symbols *symbols)
{
	if (!symbols)
		return;
	while (symbols->files) {
		struct symbol_file *file = symbols->files;

		symbols->files = file->next;
		ksr_cache_destroy(file->by_build_id);
		ksr_cache_destroy(file->by_file);
		ksr_elf_destroy(file->elf);
		free(file->path);
		free(file);
	}
	while (symbols->results) {
		struct result *result = symbols->results;

		symbols->results = result->next;
		destroy_result(result);
	}
	free(symbols);
}

/* --- files ------------------------------------------------------------------ */

static void to_hex(char *text, const unsigned char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	text[2 * count] = '\0';
}

static struct symbol_file *create_file(struct ksr_symbols *symbols, pid_t pid, const char *path,
				       const char *build_id)
{
	struct symbol_file *file = calloc(1, sizeof(*file));
	const char *slash;

	if (!file)
		return NULL;
	file->path = strdup(path);
	if (!file->path) {
		free(file);
		return NULL;
	}
	slash = strrchr(file->path, '/');
	file->module = slash && slash[1] ? slash + 1 : file->path[0] ? file->path : "?";
	snprintf(file->build_id, sizeof(file->build_id), "%s", build_id);
	file->pid = pid;
	if (build_id[0] && symbols->resolve) {
		file->places = ksr_debug_places(path, build_id);
		file->by_build_id = ksr_cache_create(symbols->folder, build_id, file->places);
	}
	file->next = symbols->files;
	symbols->files = file;
	return file;
}

/* Equal build-ids and paths are one file; without a build-id only within one process. */
static struct symbol_file *get_file(struct ksr_symbols *symbols,
				    const struct ksr_snapshot *snapshot, uint32_t index)
{
	char build_id[2 * KSMALLOC_BUILD_ID_BYTES + 1] = "";
	struct ksmalloc_segment_module module;
	const char *path = "";

	if (ksr_snapshot_module(snapshot, index, &module)) {
		path = ksr_snapshot_string(snapshot, module.path_string);
		to_hex(build_id, module.build_id, module.build_id_bytes);
	}
	for (struct symbol_file *file = symbols->files; file; file = file->next) {
		if (strcmp(file->path, path) == 0 && strcmp(file->build_id, build_id) == 0 &&
		    (build_id[0] || file->pid == snapshot->pid))
			return file;
	}
	return create_file(symbols, snapshot->pid, path, build_id);
}

/* Same mount namespace, and written by nobody but root and the caller: see the header file. */
static bool is_trusted(const struct ksr_fs *fs, pid_t pid, const struct stat *status)
{
	char theirs[64] = "";
	char ours[64] = "-";

	if (!fs->live || (status->st_uid != 0 && status->st_uid != geteuid()) ||
	    (status->st_mode & 022))
		return false;
	if (ksr_fs_read_link(fs, theirs, sizeof(theirs), "proc/%d/ns/mnt", (int)pid) < 0 ||
	    ksr_fs_read_link(fs, ours, sizeof(ours), "proc/self/ns/mnt") < 0)
		return false;
	return strcmp(theirs, ours) == 0;
}

static void open_own_cache(const struct ksr_symbols *symbols, struct symbol_file *file,
			   const struct stat *status)
{
	char key[2 * KSMALLOC_BUILD_ID_BYTES + 128];

	if (!file->build_id[0])
		return;
	snprintf(key, sizeof(key), "%s-%" PRIx64 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64,
		 file->build_id, (uint64_t)status->st_dev, (uint64_t)status->st_ino,
		 (uint64_t)status->st_ctim.tv_sec, (uint64_t)status->st_ctim.tv_nsec);
	file->by_file = ksr_cache_create(symbols->folder, key, file->places);
}

static void open_file(const struct ksr_symbols *symbols, struct symbol_file *file)
{
	char found[2 * KSMALLOC_BUILD_ID_BYTES + 1] = "";
	const unsigned char *id;
	struct stat status;
	size_t id_bytes;
	int fd;

	file->state = FILE_FAILED;
	if (file->path[0] != '/')
		return;
	fd = ksr_fs_open_in_process(symbols->fs, file->pid, file->path, &status);
	if (fd < 0)
		return;
	file->elf = ksr_elf_create(fd, file->path);
	if (!file->elf)
		return;
	id_bytes = ksr_elf_build_id(file->elf, &id);
	if (id_bytes && id_bytes <= KSMALLOC_BUILD_ID_BYTES)
		to_hex(found, id, id_bytes);
	if (strcmp(found, file->build_id) != 0) {
		file->state = FILE_CHANGED;
		return;
	}
	file->state = FILE_READY;
	file->trusted = is_trusted(symbols->fs, file->pid, &status);
	if (!file->trusted)
		open_own_cache(symbols, file, &status);
}

/* The answer for an address; NULL when the file gives none. The caller frees it. */
static char *ask(const struct ksr_symbols *symbols, struct symbol_file *file, uint64_t address)
{
	const char *known = file->by_build_id ? ksr_cache_get(file->by_build_id, address) : NULL;
	struct ksr_cache *cache;
	char *answer;
	bool whole;

	if (known)
		return strdup(known);
	if (file->state == FILE_UNOPENED)
		open_file(symbols, file);
	if (file->state != FILE_READY)
		return NULL;
	cache = file->trusted ? file->by_build_id : file->by_file;
	known = cache ? ksr_cache_get(cache, address) : NULL;
	if (known)
		return strdup(known);
	answer = ksr_elf_lookup(file->elf, address, &whole);
	if (answer && cache)
		ksr_cache_put(cache, address, answer, whole);
	return answer;
}

/* --- stacks ------------------------------------------------------------------ */

static bool own(struct result *result, char *text)
{
	char **larger = reallocarray(result->owned, result->owned_count + 1, sizeof(*larger));

	if (!text || !larger) {
		result->owned = larger ? larger : result->owned;
		free(text);
		return false;
	}
	result->owned = larger;
	larger[result->owned_count++] = text;
	return true;
}

static bool add_line(struct result *result, const char *function, const char *place,
		     const char *module)
{
	struct ksr_stack *stack = &result->stack;
	struct ksr_line *larger = reallocarray(stack->lines, stack->count + 1, sizeof(*larger));

	if (!larger)
		return false;
	stack->lines = larger;
	larger[stack->count++] = (struct ksr_line){function, place, module};
	return true;
}

/* Splits "function TAB place TAB function TAB place" in place; false when it names nothing. */
static bool add_answer(struct result *result, char *answer, const char *module)
{
	char *rest = answer;
	bool added = false;

	if (!own(result, answer))
		return false;
	while (rest) {
		const char *function = strsep(&rest, "\t");
		const char *place = rest ? strsep(&rest, "\t") : "";

		if (function[0])
			added |= add_line(result, function, place, module);
	}
	return added;
}

static void add_frame(struct ksr_symbols *symbols, struct result *result,
		      const struct ksr_snapshot *snapshot, uint64_t frame)
{
	uint32_t index = (uint32_t)(frame >> KSMALLOC_FRAME_MODULE_SHIFT);
	uint64_t address = frame & KSMALLOC_FRAME_OFFSET_MASK;
	struct symbol_file *file = get_file(symbols, snapshot, index);
	char *answer = NULL;
	char *fallback;

	if (!file)
		return;
	/* A return address may be the first byte of the next line or function. */
	if (symbols->resolve && address)
		answer = ask(symbols, file, address - 1);
	if (answer && add_answer(result, answer, file->module))
		return;
	file->unnamed += address != 0;
	if (asprintf(&fallback, "%s+0x%" PRIx64 "%s", file->module, address,
		     file->state == FILE_CHANGED ? " (file changed)" : "") < 0)
		return;
	if (own(result, fallback))
		add_line(result, fallback, "", file->module);
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void name_stack(struct result *result)
{
	struct ksr_stack *stack = &result->stack;
	const struct ksr_line *line;
	const char *caller;

	while (stack->deciding < stack->count &&
	       ksr_is_plumbing(stack->lines[stack->deciding].function,
			       stack->lines[stack->deciding].module))
		stack->deciding++;
	/* All of it plumbing: the outermost frame says most. */
	if (stack->deciding == stack->count && stack->count)
		stack->deciding = stack->count - 1;
	if (stack->count == 0) {
		result->name = strdup("unknown");
		return;
	}
	line = &stack->lines[stack->deciding];
	caller = stack->deciding + 1 < stack->count ? line[1].function : NULL;
	if (asprintf(&result->name, "%s%s%s%s%s%s", line->function, line->place[0] ? " (" : "",
		     last_component(line->place), line->place[0] ? ")" : "", caller ? " < " : "",
		     caller ? caller : "") < 0)
		result->name = NULL;
}

const struct ksr_stack *ksr_symbols_stack(struct ksr_symbols *symbols,
					  const struct ksr_snapshot *snapshot, uint32_t site)
{
	struct result *result = calloc(1, sizeof(*result));
	struct ksmalloc_segment_site entry;

	if (!result)
		return NULL;
	ksr_snapshot_site(snapshot, site, &entry);
	for (uint32_t i = 0; i < entry.frame_count && i < KSMALLOC_MAX_FRAMES; i++)
		add_frame(symbols, result, snapshot, entry.frames[i]);
	if (entry.flags & KSMALLOC_SITE_OTHER)
		result->name = strdup("other");
	else if (entry.flags & KSMALLOC_SITE_LABEL)
		result->name = strdup(ksr_snapshot_string(snapshot, entry.label_string));
	else
		name_stack(result);
	if (!result->name) {
		destroy_result(result);
		return NULL;
	}
	result->stack.name = result->name;
	result->next = symbols->results;
	symbols->results = result;
	return &result->stack;
}

size_t ksr_symbols_unnamed(const struct ksr_symbols *symbols, struct ksr_unnamed *list, size_t room)
{
	size_t count = 0;

	for (const struct symbol_file *file = symbols->files; file; file = file->next) {
		size_t at = count;

		if (file->unnamed == 0 || file->state == FILE_CHANGED || file->path[0] != '/')
			continue;
		while (at > 0 && list[at - 1].frames < file->unnamed)
			at--;
		if (at == room)
			continue;
		count = ksm_min(count + 1, room);
		memmove(&list[at + 1], &list[at], (count - at - 1) * sizeof(*list));
		list[at] = (struct ksr_unnamed){file->path, file->build_id, file->unnamed};
	}
	return count;
}
