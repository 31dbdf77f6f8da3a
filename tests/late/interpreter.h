/* SPDX-License-Identifier: BSD-2-Clause */
/* What the interpreter of these tests offers: the calls as they are bound in a library linked with -lksmalloc. */
#ifndef KSM_TEST_INTERPRETER_H
#define KSM_TEST_INTERPRETER_H

#include <stddef.h>

struct interpreter {
	/* ksmalloc_* */
	void *(*own_malloc)(size_t size);
	void *(*own_calloc)(size_t count, size_t size);
	void *(*own_realloc)(void *block, size_t size);
	void *(*own_aligned)(size_t alignment, size_t size);
	void (*own_free)(void *block);
	size_t (*own_usable)(const void *block);
	/* The usual names. */
	void *(*usual_malloc)(size_t size);
	void *(*usual_calloc)(size_t count, size_t size);
	void *(*usual_realloc)(void *block, size_t size);
	void *(*usual_aligned)(size_t alignment, size_t size);
	void (*usual_free)(void *block);
	size_t (*usual_usable)(void *block);
	char *(*duplicate)(const char *text);
};

#endif
