/* SPDX-License-Identifier: BSD-2-Clause */
#include "title.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

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

void krb_title_begin(void)
{
	title_function *next = next_title();

	if (has_begun || !next || argument_count < 1 || !arguments)
		return;
	has_begun = true;
	next(argument_count, arguments);
}

EXPORT void ruby_init_setproctitle(int count, char **vector);
EXPORT void ruby_init_setproctitle(int count, char **vector)
{
	title_function *next = next_title();

	if (!has_begun && next)
		next(count, vector);
	has_begun = true;
}
