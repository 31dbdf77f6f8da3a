/* SPDX-License-Identifier: BSD-2-Clause */
/* A library that opens files when the process ends, as libraries that write a trace do. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

__attribute__((destructor)) static void end(void)
{
	static const char *const paths[] = { "/etc/passwd", "/etc/group", "/etc/hosts" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		close(open(paths[i], O_RDONLY));
}
