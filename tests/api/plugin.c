/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A library that allocates, for the dlopen tests. Built several times with
 * another PLUGIN_NUMBER, it gives files of one size and shape but of different
 * content, so that they are mapped at the same address one after the other.
 */
#include <stddef.h>
#include <stdlib.h>

int plugin_alloc(void **blocks, size_t count, size_t size);
void plugin_free(void **blocks, size_t count);
int plugin_number(void);

int plugin_alloc(void **blocks, size_t count, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		blocks[i] = malloc(size);
		if (!blocks[i])
			return -1;
	}
	return 0;
}

void plugin_free(void **blocks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(blocks[i]);
}

int plugin_number(void)
{
	return PLUGIN_NUMBER;
}
