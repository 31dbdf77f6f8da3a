/* SPDX-License-Identifier: BSD-2-Clause */
/* plugin: what a file that plugins.c loads tells of its data segment. */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stddef.h>

/* Writes to all of its variables: the same in each process, and something else in each version. */
void plugin_fill(int version);

/* How many bytes are wrong, of variables and of relocated pointers. */
unsigned int plugin_count_wrong(int version);

struct plugin_range {
	const void *begin;
	size_t bytes;
};

/* Its variables, and its pointers, which nobody may write to. */
void plugin_describe(struct plugin_range *variables, struct plugin_range *pointers);

#endif
