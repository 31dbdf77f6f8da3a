/* SPDX-License-Identifier: BSD-2-Clause */
#include "title.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef void title_function(int count, char **arguments);

/* What main() has got. Synchronization: as all here, of the thread that the process began with. */
static int argument_count;
static char **arguments;
static bool has_begun;

/* The C library hands main()'s arguments to constructors, too. */
__attribute__((constructor)) static void keep_arguments(int count, char **vector)
{
	argument_count = count;
	arguments = vector;
}

static title_function *next_title(void)
{
	return (title_function *)dlsym(RTLD_NEXT, "ruby_init_setproctitle");
}

/* Ruby's main program, and none that has ruby within itself: ruby, ruby3.1. */
static bool is_ruby_itself(void)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	const char *name;

	if (length <= 0)
		return false;
	path[length] = '\0';
	name = strrchr(path, '/');
	name = name ? name + 1 : path;
	return !strncmp(name, "ruby", 4) && !name[4 + strspn(name + 4, "0123456789.-")];
}

static void pass_title(int count, char **vector)
{
	title_function *next = next_title();

	if (!has_begun && next)
		next(count, vector);
	has_begun = true;
}

EXPORT void ruby_init_setproctitle(int count, char **vector) __attribute__((alias("pass_title")));

/* Else ruby would do it a second time. The other name says which function this one is, whoever defines one like it. */
static bool is_ours(void)
{
	return (title_function *)dlsym(RTLD_DEFAULT, "ruby_init_setproctitle") == pass_title;
}

void krb_title_begin(void)
{
	title_function *next = next_title();

	if (has_begun || !next || argument_count < 1 || !arguments || !is_ours() || !is_ruby_itself())
		return;
	has_begun = true;
	next(argument_count, arguments);
}
