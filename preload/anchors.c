/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libksmalloc-anchors.so: a library of its own, which `ksmalloc run --layout=shared` loads.
 *
 * It tells libksmalloc.so which files the program opens for reading, as these are events that equal
 * processes share (ksmalloc_anchor()). It is not a part of libksmalloc.so, since there the
 * functions would be taken over in every program, in the private layout and by static linking, too.
 *
 * open(2) may be called from a signal handler and is a cancellation point: beside the call itself
 * nothing is done that allocates, locks or waits. The next function is looked up before main.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "ksmalloc/ksmalloc.h"

#define EXPORT __attribute__((visibility("default")))

/* Where the program has another ksmalloc, or none, there is nobody to tell. */
extern __typeof__(ksmalloc_anchor) ksmalloc_anchor __attribute__((weak));

typedef int open_function(const char *path, int flags, ...);
typedef int openat_function(int folder, const char *path, int flags, ...);
typedef int checked_open_function(const char *path, int flags);
typedef int checked_openat_function(int folder, const char *path, int flags);
typedef FILE *fopen_function(const char *path, const char *mode);

static struct {
	open_function *open;
	openat_function *openat;
	checked_open_function *checked_open;
	checked_openat_function *checked_openat;
	fopen_function *fopen;
} next;

__attribute__((constructor(101))) static void find_next(void)
{
	next.open = (open_function *)dlsym(RTLD_NEXT, "open64");
	next.openat = (openat_function *)dlsym(RTLD_NEXT, "openat64");
	next.checked_open = (checked_open_function *)dlsym(RTLD_NEXT, "__open64_2");
	next.checked_openat = (checked_openat_function *)dlsym(RTLD_NEXT, "__openat64_2");
	next.fopen = (fopen_function *)dlsym(RTLD_NEXT, "fopen64");
}

static bool begins(const char *path, const char *folder)
{
	return strncmp(path, folder, strlen(folder)) == 0;
}

/* What lies in these is not the program's: it differs from process to process and from time to time. */
static bool is_of_the_system(const char *path)
{
	return begins(path, "/proc/") || begins(path, "/sys/") || begins(path, "/dev/") || begins(path, "/run/");
}

static void tell(const char *path)
{
	int saved_errno = errno;

	if (ksmalloc_anchor && !is_of_the_system(path))
		ksmalloc_anchor(path, strlen(path));
	errno = saved_errno;
}

static int told(int fd, const char *path, int flags)
{
	if (fd >= 0 && (flags & (O_ACCMODE | O_DIRECTORY | O_PATH)) == O_RDONLY)
		tell(path);
	return fd;
}

/* True if a call with these flags has a mode. */
static bool has_mode(int flags)
{
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

static mode_t mode_of(int flags, va_list list)
{
	return has_mode(flags) ? va_arg(list, mode_t) : 0;
}

EXPORT int open(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = mode_of(flags, list);
	va_end(list);
	if (!next.open)
		find_next();
	return told(next.open(path, flags, mode), path, flags);
}

EXPORT int openat(int folder, const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = mode_of(flags, list);
	va_end(list);
	if (!next.openat)
		find_next();
	return told(next.openat(folder, path, flags, mode), path, flags);
}

/* What _FORTIFY_SOURCE makes of calls without a mode. */
EXPORT int __open_2(const char *path, int flags);
EXPORT int __openat_2(int folder, const char *path, int flags);

EXPORT int __open_2(const char *path, int flags)
{
	if (!next.checked_open)
		find_next();
	return told(next.checked_open(path, flags), path, flags);
}

EXPORT int __openat_2(int folder, const char *path, int flags)
{
	if (!next.checked_openat)
		find_next();
	return told(next.checked_openat(folder, path, flags), path, flags);
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
	FILE *file;

	if (!next.fopen)
		find_next();
	file = next.fopen(path, mode);
	if (file && mode[0] == 'r' && !strchr(mode, '+'))
		tell(path);
	return file;
}

/* With 64 bits an off_t has one size, and the names with 64 in them are the same functions. */
#define ALSO(name, known) \
	EXPORT extern __typeof__(known) name __attribute__((alias(#known), nothrow))

ALSO(open64, open);
ALSO(openat64, openat);
ALSO(__open64_2, __open_2);
ALSO(__openat64_2, __openat_2);
ALSO(fopen64, fopen);
