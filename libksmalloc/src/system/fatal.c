/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line is put together on the stack and written at once, so that lines of
 * several processes do not mix. vsnprintf of integers and strings does not
 * allocate in glibc and musl.
 */
#include "system/fatal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char prefix[] = "ksmalloc: ";

static void write_line(const char *line, size_t length)
{
	while (length > 0) {
		/* write(3) would be a cancellation point, see os/call.h. */
		long done = syscall(SYS_write, STDERR_FILENO, line, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		line += done;
		length -= (size_t)done;
	}
}

void ksm_fatal(const char *what)
{
	char line[128];
	size_t length = strlen(what);

	if (length > sizeof(line) - sizeof(prefix) - 1)
		length = sizeof(line) - sizeof(prefix) - 1;
	memcpy(line, prefix, sizeof(prefix) - 1);
	memcpy(line + sizeof(prefix) - 1, what, length);
	length += sizeof(prefix) - 1;
	line[length++] = '\n';
	write_line(line, length);
	abort();
}

void ksm_warn(const char *format, ...)
{
	int saved_errno = errno;
	char line[512];
	va_list arguments;
	size_t room = sizeof(line) - sizeof(prefix);
	int length;

	memcpy(line, prefix, sizeof(prefix) - 1);
	va_start(arguments, format);
	length = vsnprintf(line + sizeof(prefix) - 1, room, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if ((size_t)length >= room)
		length = (int)room - 1;
	length += (int)sizeof(prefix) - 1;
	line[length++] = '\n';
	write_line(line, (size_t)length);
	errno = saved_errno;
}
