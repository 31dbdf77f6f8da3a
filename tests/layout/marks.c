/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocates, frees and reallocates small blocks in a fixed order, and prints where each lies in the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 40000
#define TURNS  400000

int main(void)
{
	static char *blocks[BLOCKS];
	unsigned int random = 1;

	for (unsigned int i = 0; i < TURNS; i++) {
		char **one = &blocks[(random = random * 1103515245 + 12345) / 65536 % BLOCKS];
		size_t size = (random / 7) % 8 ? 16 + random / 3 % 200 : random / 5 % 9000;

		if (*one && random % 3 == 0) {
			free(*one);
			*one = NULL;
			continue;
		}
		*one = realloc(*one, size + 1);
		if (!*one)
			return 1;
		memset(*one, 1, size + 1);
	}
	for (unsigned int i = 0; i < BLOCKS; i++)
		printf("%p\n", (void *)blocks[i]);
	return 0;
}
