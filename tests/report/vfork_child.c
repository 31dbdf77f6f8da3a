/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfork_child: allocates from one place, makes a child that shares its memory, and prints the child's
 * pid; both end with the standard input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT 64
#define SIZE  (64 * 1024)

static char *volatile blocks[COUNT];

int main(void)
{
	char line[32];
	int length;
	pid_t child;

	for (int i = 0; i < COUNT; i++) {
		blocks[i] = malloc(SIZE);
		if (!blocks[i])
			return 1;
		memset(blocks[i], i, SIZE);
	}
	child = vfork();
	if (child == 0) {
		/* The parent is suspended: it cannot tell. */
		length = snprintf(line, sizeof(line), "ready %d\n", (int)getpid());
		if (write(STDOUT_FILENO, line, (size_t)length) != length)
			_exit(1);
		while (read(STDIN_FILENO, line, 1) > 0)
			;
		_exit(0);
	}
	return child < 0;
}
