/* SPDX-License-Identifier: BSD-2-Clause */
#include "renewal.h"

#include "zend.h"

#include "../symbols.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

/* A limit below this one is left to the script: a chunk is a good part of it. */
#define LEAST_LIMIT ((long long)64 << 20)

typedef int post_startup_function(void);
typedef void *compile_function(void *file, int type);
typedef void import_function(void *array);

/* The sizes of PHP's small blocks, each with a list of free ones of its own: its zend_alloc_sizes.h, since 7.0. */
static const unsigned short small_bytes[] = {
	8,   16,  24,  32,  40,	 48,  56,  64,	 80,   96,   112,  128,	 160,  192,  224,
	256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072,
};

/* What PHP exports: its variables, of which the first three have a function each, or NULL, and a function. */
static struct {
	post_startup_function **post_startup;
	compile_function **compile;
	import_function **import;
	const char **sapi; /* the first member of sapi_module: its name */
	char *(*ini_text)(const char *name, size_t length, int original);
} php;

/* Whose places ours are in. */
static struct {
	post_startup_function *post_startup;
	compile_function *compile;
	import_function *import;
} next;

/* Synchronization: of the thread that the process began with. */
static const struct ksz_zend *zend;
static bool is_due = true; /* PHP has copied something since the last time */

/* --- taking what is left -------------------------------------------------------------------- */

static bool is_in_chunk(const void *block, const void *chunk)
{
	return (uintptr_t)block / KSZ_CHUNK_BYTES == (uintptr_t)chunk / KSZ_CHUNK_BYTES;
}

/* Blocks of this size from the chunk until it has no more; the first one elsewhere, or NULL without memory. */
static void *take(void *heap, size_t bytes)
{
	void *block;

	do {
		block = zend->alloc(heap, bytes);
	} while (block && is_in_chunk(block, heap));
	return block;
}

/* All free pages: halves of what is left, down to the last page. What is elsewhere keeps its chunk until the next one. */
static void *take_pages(void *heap)
{
	void *elsewhere = NULL;

	for (size_t bytes = KSZ_CHUNK_BYTES / 2; bytes >= KSZ_PAGE_BYTES; bytes /= 2) {
		void *block = take(heap, bytes);

		if (elsewhere)
			zend->free(heap, elsewhere);
		elsewhere = block;
	}
	return elsewhere;
}

/*
 * The heap's own tables lie in the chunk. That a list is empty shows when the next block is in a new chunk; what this
 * has begun there is given back, pages and all, so that the script begins with a chunk that nobody has used.
 */
static void take_all(void)
{
	void *heap = zend->heap();
	void *elsewhere = take_pages(heap);
	void *small[KSM_COUNT_OF(small_bytes)];
	void *rest;

	for (size_t i = 0; i < KSM_COUNT_OF(small_bytes); i++)
		small[i] = take(heap, small_bytes[i]);
	for (size_t i = 0; i < KSM_COUNT_OF(small_bytes); i++) {
		if (small[i])
			zend->free(heap, small[i]);
	}
	if (elsewhere)
		zend->free(heap, elsewhere);
	zend->collect(heap);
	rest = ksz_zend_take_empty(zend, heap);
	if (rest)
		zend->free(heap, rest);
}

/* --- when --------------------------------------------------------------------------------------- */

/* -1, or bytes as PHP reads them: 128M. A text that is not understood is a low limit. */
static bool has_room(void)
{
	static const char units[] = "kmg";
	const char *text = php.ini_text("memory_limit", strlen("memory_limit"), 0);
	const char *unit;
	char *end;
	long long limit;

	if (!text)
		return false;
	limit = strtoll(text, &end, 10);
	if (limit < 0)
		return true;
	unit = end[0] ? strchr(units, end[0] | 0x20) : NULL;
	if (end[0] && (!unit || end[1] || limit > INT32_MAX))
		return false;
	return limit << (unit ? 10 * (unit - units + 1) : 0) >= LEAST_LIMIT;
}

static void renew(void)
{
	if (!is_due)
		return;
	is_due = false;
	if (*php.sapi && strcmp(*php.sapi, "cli") == 0 && zend->is_own() && zend->usage(true) == KSZ_CHUNK_BYTES && has_room())
		take_all();
}

/* While a file is compiled its mention of $_ENV may have the environment copied. */
static void *compile(void *file, int type)
{
	void *code;

	renew();
	code = next.compile(file, type);
	renew();
	return code;
}

static void import(void *array)
{
	next.import(array);
	is_due = true;
}

/* PHP has put its own compiler in place by now. */
static int post_startup(void)
{
	if (*php.compile) {
		next.compile = *php.compile;
		*php.compile = compile;
	}
	return next.post_startup ? next.post_startup() : 0;
}

void ksz_renewal_start(const struct ksz_zend *functions)
{
	const struct ksh_symbol symbols[] = {
		{ &php.post_startup, "zend_post_startup_cb" },
		{ &php.compile, "zend_compile_file" },
		{ &php.import, "php_import_environment_variables" },
		{ &php.sapi, "sapi_module" },
		{ &php.ini_text, "zend_ini_string" },
	};

	if (!ksh_find_symbols(RTLD_DEFAULT, symbols, KSM_COUNT_OF(symbols)) || !*php.import)
		return;
	zend = functions;
	next.import = *php.import;
	*php.import = import;
	next.post_startup = *php.post_startup;
	*php.post_startup = post_startup;
}
