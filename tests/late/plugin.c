/* SPDX-License-Identifier: BSD-2-Clause */
/* A library through which blocks are asked for; built several times with files of one shape. */
#include <stddef.h>

int plugin_number(void);
int plugin_make(void *(*allocate)(size_t size), void **blocks, size_t count, size_t size);

int plugin_number(void)
{
	return PLUGIN_NUMBER;
}

int plugin_make(void *(*allocate)(size_t size), void **blocks, size_t count, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		blocks[i] = allocate(size);
		if (!blocks[i])
			return -1;
	}
	return 0;
}
