/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes one byte behind a block, for tools that are to find this under the library. */
#include <stdlib.h>

int main(void)
{
	/* volatile: else the compiler sees the mistake and leaves it out. */
	volatile size_t size = 40000;
	volatile char *block = malloc(size);

	if (!block)
		return 1;
	block[size] = 1;
	free((void *)(size_t)block);
	return 0;
}
