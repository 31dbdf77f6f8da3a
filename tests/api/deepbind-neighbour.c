/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A library that the program and its plugin are linked with, behind libksmalloc. It has a malloc, which is
 * nobody's, and replaces calls of libc that it looks up as late as it can.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY(definition) definition { abort(); }

NOBODY(void *malloc(size_t size __attribute__((unused))))
NOBODY(void free(void *block __attribute__((unused))))
NOBODY(void *calloc(size_t count __attribute__((unused)), size_t size __attribute__((unused))))
NOBODY(void *realloc(void *block __attribute__((unused)), size_t size __attribute__((unused))))

/* Looked up anew by each call. */
#define NEXT(name) __extension__({						\
	void *next_symbol = dlsym(RTLD_NEXT, #name);				\
	__typeof__(&name) next_function;					\
										\
	if (!next_symbol)							\
		abort();							\
	memcpy(&next_function, &next_symbol, sizeof(next_symbol));		\
	next_function;								\
})

void *dlopen(const char *file, int mode)
{
	return NEXT(dlopen)(file, mode);
}

int dlclose(void *handle)
{
	return NEXT(dlclose)(handle);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *), void *argument)
{
	return NEXT(pthread_create)(thread, attributes, routine, argument);
}
