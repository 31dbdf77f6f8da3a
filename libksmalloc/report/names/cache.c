/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file: a head line "ksmalloc-symbols VERSION KEY", a line "places HEX", then
 * one line for each address: "HEXADDRESS ANSWER", or "HEXADDRESS?ANSWER" for one
 * that holds while the places are these. In memory the answers are a sorted
 * array; new ones are inserted in place, since a report asks for a few hundred.
 */
#define _GNU_SOURCE
#include "names/cache.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "read/grow.h"
#include "read/search.h"

#define CACHE_VERSION 3
#define CACHE_LIMIT (8 * KSM_MIB)
#define CACHE_MOST_ANSWERS 65536
/* Of the whole folder. What was written longest ago goes first; then so much is free again. */
#define FOLDER_LIMIT (64 * KSM_MIB)
#define FOLDER_MOST_FILES 1024
#define FOLDER_LEFT(limit) ((limit) - (limit) / 4)

struct answer {
	uint64_t address;
	char *text;
	bool whole;
};

struct ksr_cache {
	char path[PATH_MAX]; /* empty: memory only */
	char key[256];
	uint64_t places;
	struct answer *answers; /* ascending */
	size_t count;
	size_t room;
	bool changed;
};

/* Can only the caller, or root, write to it? A shared one must keep others off one's own files. */
static bool is_safe(const struct stat *status, bool shared)
{
	bool own = status->st_uid == geteuid() || (shared && status->st_uid == 0);

	return own && S_ISDIR(status->st_mode) &&
	       ((status->st_mode & 022) == 0 || (shared && (status->st_mode & S_ISVTX)));
}

/* Makes a folder whose nearest parent that is there leaves no doubt whose it will be. */
static void make_missing(const char *folder)
{
	struct stat status;
	char parent[PATH_MAX];
	char *slash;

	if (snprintf(parent, sizeof(parent), "%s", folder) >= (int)sizeof(parent))
		return;
	while (stat(parent, &status)) {
		slash = strrchr(parent, '/');
		if (errno != ENOENT || !slash)
			return;
		slash[slash == parent] = '\0';
	}
	if (is_safe(&status, true))
		(void)ksr_fs_make_folder(folder);
}

void ksr_cache_folder(char *folder, size_t bytes)
{
	const char *base = getenv("XDG_CACHE_HOME");
	const char *below = "";
	struct stat status;

	folder[0] = '\0';
	if (base && base[0] == '/') {
		make_missing(base);
	} else {
		base = getenv("HOME");
		below = "/.cache";
	}
	/*
	 * Under sudo HOME may still be the caller's: writing as root into a folder
	 * that somebody else controls would let him choose where the file goes.
	 */
	if (!base || base[0] != '/' || stat(base, &status) || !is_safe(&status, false))
		return;
	if (snprintf(folder, bytes, "%s%s/ksmalloc/symbols", base, below) >= (int)bytes)
		folder[0] = '\0';
}

static uint64_t address_of(const void *element)
{
	return ((const struct answer *)element)->address;
}

/* Where the address is or belongs. */
static size_t position_of(const struct ksr_cache *cache, uint64_t address)
{
	return ksr_search_from(cache->answers, cache->count, sizeof(*cache->answers), address_of, address);
}

const char *ksr_cache_get(const struct ksr_cache *cache, uint64_t address)
{
	size_t at = position_of(cache, address);

	if (at < cache->count && cache->answers[at].address == address)
		return cache->answers[at].text;
	return NULL;
}

static void insert(struct ksr_cache *cache, uint64_t address, const char *text, size_t bytes,
		   bool whole)
{
	size_t at = position_of(cache, address);
	struct answer *larger;
	char *copy;

	if (cache->count == CACHE_MOST_ANSWERS ||
	    (at < cache->count && cache->answers[at].address == address))
		return;
	larger = ksr_grow(cache->answers, cache->count, &cache->room, sizeof(*larger));
	if (!larger)
		return;
	cache->answers = larger;
	copy = strndup(text, bytes);
	if (!copy)
		return;
	/* A newline would end the line, another control character could reach a terminal. */
	for (char *c = copy; *c; c++) {
		if ((unsigned char)*c < 0x20 && *c != '\t')
			*c = '?';
	}
	memmove(&cache->answers[at + 1], &cache->answers[at],
		(cache->count - at) * sizeof(*cache->answers));
	cache->answers[at] = (struct answer){address, copy, whole};
	cache->count++;
}

void ksr_cache_put(struct ksr_cache *cache, uint64_t address, const char *answer, bool whole)
{
	insert(cache, address, answer, strlen(answer), whole);
	cache->changed = true;
}

static bool is_line(const char *line, size_t bytes, const char *expected)
{
	return bytes == strlen(expected) && memcmp(line, expected, bytes) == 0;
}

static void parse(struct ksr_cache *cache, const struct ksr_text *text)
{
	char head[320];
	size_t position = 0;
	const char *line;
	size_t bytes;
	bool same;

	snprintf(head, sizeof(head), "ksmalloc-symbols %d %s", CACHE_VERSION, cache->key);
	if (!ksr_text_line(text, &position, &line, &bytes) || !is_line(line, bytes, head) ||
	    !ksr_text_line(text, &position, &line, &bytes))
		return;
	snprintf(head, sizeof(head), "places %" PRIx64, cache->places);
	same = is_line(line, bytes, head);
	while (ksr_text_line(text, &position, &line, &bytes)) {
		char *end;
		uint64_t address = strtoull(line, &end, 16);
		size_t used = (size_t)(end - line);

		/* strtoull() would skip blanks, and lines, and take a sign. */
		if (bytes == 0 || !isxdigit((unsigned char)line[0]) || used >= bytes ||
		    (*end != ' ' && (*end != '?' || !same)))
			continue;
		insert(cache, address, end + 1, bytes - used - 1, *end == ' ');
	}
}

static void load(struct ksr_cache *cache)
{
	int fd = ksr_fs_open_private(cache->path);
	struct ksr_text text;

	if (fd < 0)
		return;
	if (ksr_fs_read_fd(fd, CACHE_LIMIT, &text) == 0) {
		parse(cache, &text);
		ksr_text_free(&text);
	}
	close(fd);
}

struct ksr_cache *ksr_cache_create(const char *folder, const char *key, uint64_t places)
{
	struct ksr_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	snprintf(cache->key, sizeof(cache->key), "%s", key);
	cache->places = places;
	if (folder[0] && snprintf(cache->path, sizeof(cache->path), "%s/%s", folder, key) <
				 (int)sizeof(cache->path))
		load(cache);
	else
		cache->path[0] = '\0';
	return cache;
}

/* --- the folder ------------------------------------------------------------------------- */

struct kept {
	char name[NAME_MAX + 1];
	struct timespec time;
	uint64_t bytes;
};

static int compare_kept(const void *left, const void *right)
{
	const struct kept *a = left;
	const struct kept *b = right;

	if (a->time.tv_sec != b->time.tv_sec)
		return a->time.tv_sec < b->time.tv_sec ? -1 : 1;
	return a->time.tv_nsec < b->time.tv_nsec ? -1 : a->time.tv_nsec > b->time.tv_nsec;
}

/* The files of the folder; NULL without memory, or if there are none. */
static struct kept *list_kept(DIR *folder, size_t *count, uint64_t *bytes)
{
	struct kept *list = NULL;
	struct kept *larger;
	struct dirent *entry;
	struct stat status;
	size_t room = 0;

	while ((entry = readdir(folder))) {
		if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) || !S_ISREG(status.st_mode))
			continue;
		larger = ksr_grow(list, *count, &room, sizeof(*larger));
		if (!larger)
			break;
		list = larger;
		snprintf(list[*count].name, sizeof(list->name), "%s", entry->d_name);
		list[*count].time = status.st_mtim;
		list[(*count)++].bytes = (uint64_t)status.st_size;
		*bytes += (uint64_t)status.st_size;
	}
	return list;
}

/* Programs are built anew, and containers come and go: their answers would stay for ever. */
static void bound_folder(const char *path)
{
	DIR *folder = opendir(path);
	uint64_t bytes = 0;
	size_t count = 0;
	struct kept *list;

	if (!folder)
		return;
	list = list_kept(folder, &count, &bytes);
	if (list && (bytes > FOLDER_LIMIT || count > FOLDER_MOST_FILES)) {
		size_t left = count;

		qsort(list, count, sizeof(*list), compare_kept);
		for (size_t i = 0; i < count && (bytes > FOLDER_LEFT(FOLDER_LIMIT) ||
						 left > FOLDER_LEFT(FOLDER_MOST_FILES)); i++, left--) {
			(void)unlinkat(dirfd(folder), list[i].name, 0);
			bytes -= list[i].bytes;
		}
	}
	free(list);
	closedir(folder);
}

static void save(const struct ksr_cache *cache)
{
	char folder[PATH_MAX];
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream;

	memcpy(folder, cache->path, sizeof(folder));
	*strrchr(folder, '/') = '\0';
	if (ksr_fs_make_folder(folder))
		return;
	stream = open_memstream(&text, &bytes);
	if (!stream)
		return;
	fprintf(stream, "ksmalloc-symbols %d %s\nplaces %" PRIx64 "\n", CACHE_VERSION, cache->key,
		cache->places);
	for (size_t i = 0; i < cache->count; i++)
		fprintf(stream, "%" PRIx64 "%c%s\n", cache->answers[i].address,
			cache->answers[i].whole ? ' ' : '?', cache->answers[i].text);
	/* A cache that cannot be written costs time at the next report and nothing else. */
	if (fclose(stream) == 0 && bytes <= CACHE_LIMIT)
		(void)ksr_fs_replace(cache->path, text, bytes);
	free(text);
	bound_folder(folder);
}

void ksr_cache_destroy(struct ksr_cache *cache)
{
	if (!cache)
		return;
	if (cache->changed && cache->path[0])
		save(cache);
	for (size_t i = 0; i < cache->count; i++)
		free(cache->answers[i].text);
	free(cache->answers);
	free(cache);
}
