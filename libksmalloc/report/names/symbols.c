/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Per module there are up to two caches of answers: the one of its build-id,
 * asked before any file is opened, so that a report whose answers are all known
 * opens no ELF file; and, for files that are not trusted, one of that very file.
 */
#define _GNU_SOURCE
#include "names/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "names/cache.h"
#include "names/elf.h"
#include "names/perf_map.h"
#include "names/places.h"

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
};

/* Names of code that a process has made itself. */
struct made_code {
	struct made_code *next;
	pid_t pid;
	struct ksr_perf_map *map; /* NULL: it has none */
};

struct ksr_symbols {
	const struct ksr_fs *fs;
	struct ksr_machinery *machinery;
	struct ksr_fs sysroot; /* of another machine */
	char *sysroot_path;    /* NULL: there is none */
	bool resolve;
	char folder[PATH_MAX];
	struct symbol_file *files;
	struct result *results;
	struct made_code *made_code;
};

struct ksr_symbols *ksr_symbols_create(const struct ksr_fs *fs, bool resolve)
{
	struct ksr_symbols *symbols = calloc(1, sizeof(*symbols));

	if (!symbols)
		return NULL;
	symbols->machinery = ksr_machinery_create();
	if (!symbols->machinery) {
		free(symbols);
		return NULL;
	}
	symbols->fs = fs;
	symbols->resolve = resolve;
	/* Answers about a recorded tree must not depend on what was asked before. */
	if (resolve && fs->live)
		ksr_cache_folder(symbols->folder, sizeof(symbols->folder));
	return symbols;
}

struct ksr_symbols *ksr_symbols_create_for(const struct ksr_fs *fs, const struct ksr_naming *naming)
{
	struct ksr_symbols *symbols = ksr_symbols_create(fs, naming->resolve);
	int error = symbols ? 0 : -ENOMEM;
	char why[512];

	if (!error && naming->sysroot)
		error = ksr_symbols_sysroot(symbols, naming->sysroot);
	if (!error && naming->machinery)
		error = ksr_machinery_add(symbols->machinery, naming->machinery, naming->machinery_bytes, why, sizeof(why));
	if (!error)
		return symbols;
	ksr_symbols_destroy(symbols);
	return NULL;
}

struct ksr_machinery *ksr_symbols_machinery(struct ksr_symbols *symbols)
{
	return symbols->machinery;
}

int ksr_symbols_sysroot(struct ksr_symbols *symbols, const char *folder)
{
	char *path = realpath(folder, NULL);
	int error = path ? ksr_fs_init(&symbols->sysroot, path) : -errno;

	if (error) {
		free(path);
		return error;
	}
	symbols->sysroot_path = path;
	/* Answers of this machine's files are not those of another's. */
	symbols->folder[0] = '\0';
	return 0;
}

static void destroy_result(struct result *result)
{
	for (size_t i = 0; i < result->owned_count; i++)
		free(result->owned[i]);
	free(result->owned);
	free(result->stack.lines);
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
	while (symbols->made_code) {
		struct made_code *made = symbols->made_code;

		symbols->made_code = made->next;
		ksr_perf_map_destroy(made->map);
		free(made);
	}
	while (symbols->results) {
		struct result *result = symbols->results;

		symbols->results = result->next;
		destroy_result(result);
	}
	if (symbols->sysroot_path)
		ksr_fs_fini(&symbols->sysroot);
	free(symbols->sysroot_path);
	ksr_machinery_destroy(symbols->machinery);
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

static struct ksr_elf *open_in_process(const struct ksr_symbols *symbols, const struct symbol_file *file,
				       struct stat *status)
{
	int fd = ksr_fs_open_in_process(symbols->fs, file->pid, file->path, status);

	return fd < 0 ? NULL : ksr_elf_create(fd, file->path, NULL);
}

/* The program's own file, else its debug file, which has all that names need. */
static struct ksr_elf *open_in_sysroot(const struct ksr_symbols *symbols, const struct symbol_file *file)
{
	char path[2 * PATH_MAX];
	int fd = ksr_fs_open(&symbols->sysroot, O_RDONLY | O_NONBLOCK, "%s", file->path + 1);

	snprintf(path, sizeof(path), "%s%s", symbols->sysroot_path, file->path);
	if (fd < 0 && strlen(file->build_id) > 2) {
		fd = ksr_fs_open(&symbols->sysroot, O_RDONLY | O_NONBLOCK, "usr/lib/debug/.build-id/%.2s/%s.debug",
				 file->build_id, file->build_id + 2);
	}
	return fd < 0 ? NULL : ksr_elf_create(fd, path, symbols->sysroot_path);
}

static void open_file(const struct ksr_symbols *symbols, struct symbol_file *file)
{
	char found[2 * KSMALLOC_BUILD_ID_BYTES + 1] = "";
	const unsigned char *id;
	struct stat status;
	size_t id_bytes;

	file->state = FILE_FAILED;
	if (file->path[0] != '/')
		return;
	file->elf = symbols->sysroot_path ? open_in_sysroot(symbols, file) : open_in_process(symbols, file, &status);
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
	file->trusted = symbols->sysroot_path || is_trusted(symbols->fs, file->pid, &status);
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
	larger[stack->count++] = (struct ksr_line){.function = function, .place = place, .module = module, .build_id = ""};
	return true;
}

/* Of a path that is longer than a name may be, its end. */
static const char *shorten_path(const char *path)
{
	size_t bytes = strlen(path);

	return bytes < KSR_NAME_BYTES ? path : path + bytes - KSR_NAME_BYTES + 1;
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

		char *name = function[0] ? ksr_name_shorten(function) : NULL;

		if (name && own(result, name))
			added |= add_line(result, name, shorten_path(place), module);
	}
	return added;
}

static void set_build_id(struct result *result, size_t first, const struct symbol_file *file)
{
	for (size_t i = first; i < result->stack.count; i++)
		result->stack.lines[i].build_id = file->build_id;
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The map of the process, which is read once. */
static const struct ksr_perf_map *get_map(struct ksr_symbols *symbols, const struct ksr_snapshot *snapshot)
{
	struct made_code *made = symbols->made_code;

	while (made && made->pid != snapshot->pid)
		made = made->next;
	if (made || !symbols->resolve)
		return made ? made->map : NULL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return NULL;
	made->pid = snapshot->pid;
	made->map = ksr_perf_map_create(symbols->fs, snapshot->pid);
	made->next = symbols->made_code;
	symbols->made_code = made;
	return made->map;
}

/* A frame outside of every file. */
static void add_made_code(struct ksr_symbols *symbols, struct result *result, const struct ksr_snapshot *snapshot,
			  uint64_t address)
{
	const struct ksr_perf_map *map = get_map(symbols, snapshot);
	struct ksr_perf_name name;
	char *fallback;

	if (map && address && ksr_perf_map_find(map, address - 1, &name)) {
		char *function = name.kind == KSR_PERF_SCRIPT ? ksr_name_shorten(name.function) :
								strndup(name.function, KSR_NAME_BYTES - 1);
		char *place = strdup(name.place);
		const char *module = name.kind == KSR_PERF_ENGINE ? "(engine)" : "(made at run time)";

		if (own(result, function) & own(result, place) &&
		    add_line(result, function, place, name.place[0] ? last_component(place) : module) &&
		    name.kind != KSR_PERF_ENGINE)
			result->stack.lines[result->stack.count - 1].language = KSMALLOC_LANGUAGE_SCRIPT;
		return;
	}
	/* Without an address, which is another one in each process. */
	fallback = strdup("(code made at run time)");
	if (own(result, fallback))
		add_line(result, fallback, "", "(made at run time)");
}

static void add_frame(struct ksr_symbols *symbols, struct result *result,
		      const struct ksr_snapshot *snapshot, uint64_t frame)
{
	uint32_t index = (uint32_t)(frame >> KSMALLOC_FRAME_MODULE_SHIFT);
	uint64_t address = frame & KSMALLOC_FRAME_OFFSET_MASK;
	struct symbol_file *file;
	size_t first = result->stack.count;
	char *answer = NULL;
	char *fallback;

	if (index == KSMALLOC_FRAME_NO_MODULE) {
		add_made_code(symbols, result, snapshot, address);
		return;
	}
	file = get_file(symbols, snapshot, index);
	if (!file)
		return;
	/* A return address may be the first byte of the next line or function. */
	if (symbols->resolve && address)
		answer = ask(symbols, file, address - 1);
	if (answer && add_answer(result, answer, file->module)) {
		set_build_id(result, first, file);
		return;
	}
	file->unnamed += address != 0;
	if (asprintf(&fallback, "%s+0x%" PRIx64 "%s", file->module, address,
		     file->state == FILE_CHANGED ? " (file changed)" : "") < 0)
		return;
	if (own(result, fallback))
		add_line(result, fallback, "", file->module);
	set_build_id(result, first, file);
}

/* Takes both names over; without memory the stack has none. */
static void set_names(struct result *result, char *where, char *name)
{
	bool have = own(result, where);

	have = own(result, name) && have;
	result->stack.where = have ? where : NULL;
	result->stack.name = have ? name : NULL;
}

static void name_stack(const struct ksr_symbols *symbols, struct result *result)
{
	struct ksr_stack *stack = &result->stack;
	char *where;

	ksr_naming_decide(symbols->machinery, stack);
	where = ksr_naming_where(symbols->machinery, stack);
	set_names(result, where, where ? ksr_naming_name(stack, where) : NULL);
}

static void name_by(struct result *result, const char *name)
{
	set_names(result, strndup(name, KSR_NAME_BYTES - 1), strndup(name, KSR_NAME_BYTES - 1));
}

static const struct ksr_stack *keep(struct ksr_symbols *symbols, struct result *result)
{
	if (!result->stack.name) {
		destroy_result(result);
		return NULL;
	}
	result->next = symbols->results;
	symbols->results = result;
	return &result->stack;
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
		name_by(result, "other");
	else if (entry.flags & KSMALLOC_SITE_LABEL)
		name_by(result, ksr_snapshot_string(snapshot, entry.label_string));
	else
		name_stack(symbols, result);
	return keep(symbols, result);
}

static void add_script_frame(struct result *result, const struct ksr_snapshot *snapshot,
			     const struct ksmalloc_segment_script_frame *frame)
{
	const char *file = shorten_path(ksr_snapshot_string(snapshot, frame->file_string));
	char *function = strndup(ksr_snapshot_string(snapshot, frame->function_string), KSR_NAME_BYTES - 1);
	char *place;

	if (!own(result, function) || asprintf(&place, "%s:%" PRIu32, file, frame->line) < 0)
		return;
	if (!frame->line)
		place[strlen(file)] = '\0';
	if (own(result, place) && add_line(result, function, place, last_component(file)))
		result->stack.lines[result->stack.count - 1].language =
			frame->language < KSMALLOC_LANGUAGE_COUNT ? frame->language :
								    KSMALLOC_LANGUAGE_SCRIPT;
}

const struct ksr_stack *ksr_symbols_origin(struct ksr_symbols *symbols,
					   const struct ksr_snapshot *snapshot, uint32_t origin)
{
	struct result *result = calloc(1, sizeof(*result));
	struct ksr_origin_entry entry;

	if (!result)
		return NULL;
	ksr_snapshot_origin(snapshot, origin, &entry);
	for (uint32_t i = 0; i < entry.script_frame_count; i++)
		add_script_frame(result, snapshot, &entry.script_frames[i]);
	for (uint32_t i = 0; i < entry.frame_count; i++)
		add_frame(symbols, result, snapshot, entry.frames[i]);
	name_stack(symbols, result);
	return keep(symbols, result);
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
