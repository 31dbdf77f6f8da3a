/* SPDX-License-Identifier: BSD-2-Clause */
/* A plugin that allocates by all of the family, and by libc's functions that allocate for their caller. */
#define _GNU_SOURCE
#include "deepbind-plugin.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What wrappers call. */
void *__libc_malloc(size_t size);
void *__libc_memalign(size_t alignment, size_t size);

extern struct deepbind_plugin plugin;

#ifndef DEEPBIND_WITHOUT_VERSION
const char *version(void)
{
	return "plugin";
}
#endif

static const char *calls_version(void)
{
	return version();
}

static void *by_duplicate(size_t size)
{
	char *text = malloc(size), *copy;

	memset(text, 'x', size - 1);
	text[size - 1] = '\0';
	copy = strdup(text);
	free(text);
	return copy;
}

/* getline makes a block of ours longer, or frees it. */
static void *by_line(size_t size)
{
	char *text = by_duplicate(size), *line = malloc(16);
	FILE *stream = fmemopen(text, size, "r");
	size_t room = 16;

	if (getline(&line, &room, stream) < 0)
		abort();
	fclose(stream);
	free(text);
	return line;
}

static void *by_print(size_t size)
{
	char *text = NULL;

	return asprintf(&text, "%*d", (int)size, 7) < 0 ? NULL : text;
}

static void *by_stream(size_t size)
{
	char *text = NULL;
	FILE *stream = open_memstream(&text, &(size_t){ 0 });

	for (size_t i = 0; i < size; i++)
		fputc('x', stream);
	fclose(stream);
	return text;
}

static const char *const kind_names[] = {
	"malloc", "calloc", "realloc", "reallocarray", "posix_memalign", "aligned_alloc", "memalign",
	"valloc", "pvalloc", "strdup", "getline", "asprintf", "open_memstream", "__libc_malloc",
	"__libc_memalign", "the dependency's malloc",
};

static void *make(size_t kind, size_t size)
{
	void *block = NULL;

	switch (kind) {
	case 0: return malloc(size);
	case 1: return calloc(size, 1);
	case 2: return realloc(malloc(16), size);
	case 3: return reallocarray(NULL, size, 1);
	case 4: return posix_memalign(&block, 64, size) ? NULL : block;
	case 5: return aligned_alloc(64, size);
	case 6: return memalign(64, size);
	case 7: return valloc(size);
	case 8: return pvalloc(size);
	case 9: return by_duplicate(size);
	case 10: return by_line(size);
	case 11: return by_print(size);
	case 12: return by_stream(size);
	case 13: return __libc_malloc(size);
	case 14: return __libc_memalign(64, size);
	default: return library_make(size);
	}
}

static const char *name_of(size_t kind)
{
	return kind_names[kind];
}

static void *in_thread(void *argument)
{
	(void)argument;
	for (size_t kind = 0; kind < sizeof(kind_names) / sizeof(kind_names[0]); kind++)
		free(make(kind, 50000));
	return malloc(100);
}

static void run_thread(void)
{
	pthread_t thread;
	void *block;

	if (pthread_create(&thread, NULL, in_thread, NULL) || pthread_join(thread, &block))
		abort();
	free(block);
}

static void *constructed[DEEPBIND_CONSTRUCTED];

struct deepbind_plugin plugin = {
	.kinds = sizeof(kind_names) / sizeof(kind_names[0]),
	.name = name_of, .make = make, .resize = realloc, .usable = malloc_usable_size, .release = free,
	.constructed = constructed, .version = calls_version, .library_version = library_calls_version,
	.run_thread = run_thread,
};

__attribute__((constructor)) static void construct(void)
{
	constructed[0] = malloc(100);
	constructed[1] = malloc(70000);
	constructed[2] = strdup("a text of libc's");
}
