/* SPDX-License-Identifier: BSD-2-Clause */
/* A library that is linked with -lksmalloc, allocates in its constructor, and is opened by a plain program. */
#include "interpreter.h"

#include <ksmalloc/ksmalloc.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

extern struct interpreter interpreter;

/* Functions of its own, since the address of malloc may be the program's while calls of it are not. */
static void *call_malloc(size_t size)
{
	return malloc(size);
}

static void call_free(void *block)
{
	free(block);
}

struct interpreter interpreter = {
	ksmalloc_malloc, ksmalloc_calloc, ksmalloc_realloc, ksmalloc_aligned_alloc, ksmalloc_free,
	ksmalloc_usable_size, call_malloc, calloc, realloc, memalign, call_free, malloc_usable_size, strdup,
};

__attribute__((constructor)) static void construct(void)
{
	char *text = strdup("of libc"), *block = malloc(100000), *own = ksmalloc_malloc(100000);

	text = realloc(text, 50000);
	free(text);
	free(block);
	ksmalloc_free(own);
}
