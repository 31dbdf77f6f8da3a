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

/* Each name has a next one of its own: a library that comes after this one may take over some of them. */
static struct {
	open_function *open, *open64;
	openat_function *openat, *openat64;
	checked_open_function *open_2, *open64_2;
	checked_openat_function *openat_2, *openat64_2;
	fopen_function *fopen, *fopen64;
} next;

__attribute__((constructor(101))) static void find_next(void)
{
	next.open = (open_function *)dlsym(RTLD_NEXT, "open");
	next.open64 = (open_function *)dlsym(RTLD_NEXT, "open64");
	next.openat = (openat_function *)dlsym(RTLD_NEXT, "openat");
	next.openat64 = (openat_function *)dlsym(RTLD_NEXT, "openat64");
	next.open_2 = (checked_open_function *)dlsym(RTLD_NEXT, "__open_2");
	next.open64_2 = (checked_open_function *)dlsym(RTLD_NEXT, "__open64_2");
	next.openat_2 = (checked_openat_function *)dlsym(RTLD_NEXT, "__openat_2");
	next.openat64_2 = (checked_openat_function *)dlsym(RTLD_NEXT, "__openat64_2");
	next.fopen = (fopen_function *)dlsym(RTLD_NEXT, "fopen");
	next.fopen64 = (fopen_function *)dlsym(RTLD_NEXT, "fopen64");
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

/* A function that may have a mode behind its flags; the arguments are those of the next one. */
#define OPEN(name, PARAMETERS, ARGUMENTS)					\
	EXPORT int name PARAMETERS						\
	{									\
		va_list list;							\
		mode_t mode;							\
										\
		va_start(list, flags);						\
		mode = mode_of(flags, list);					\
		va_end(list);							\
		if (!next.name)							\
			find_next();						\
		return told(next.name ARGUMENTS, path, flags);			\
	}

/* What _FORTIFY_SOURCE makes of calls without a mode. */
#define CHECKED_OPEN(name, PARAMETERS, ARGUMENTS)				\
	EXPORT int __##name PARAMETERS;						\
	EXPORT int __##name PARAMETERS						\
	{									\
		if (!next.name)							\
			find_next();						\
		return told(next.name ARGUMENTS, path, flags);			\
	}

#define FOPEN(name)								\
	EXPORT FILE *name(const char *path, const char *mode)			\
	{									\
		FILE *file;							\
										\
		if (!next.name)							\
			find_next();						\
		file = next.name(path, mode);					\
		if (file && mode[0] == 'r' && !strchr(mode, '+'))		\
			tell(path);						\
		return file;							\
	}

OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPEN(openat64, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
CHECKED_OPEN(open_2, (const char *path, int flags), (path, flags))
CHECKED_OPEN(open64_2, (const char *path, int flags), (path, flags))
CHECKED_OPEN(openat_2, (int folder, const char *path, int flags), (folder, path, flags))
CHECKED_OPEN(openat64_2, (int folder, const char *path, int flags), (folder, path, flags))
FOPEN(fopen)
FOPEN(fopen64)
