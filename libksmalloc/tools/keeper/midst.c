/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "keeper/midst.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base.h"

#define ALWAYS (-1)

/* Calls that move a part of their bytes at a time and wait in between; flags: the argument that has MSG_WAITALL, or always. */
static const struct {
	long number;
	int flags;
} calls[] = {
	{SYS_write, ALWAYS},   {SYS_writev, ALWAYS},	 {SYS_pwrite64, ALWAYS}, {SYS_pwritev, ALWAYS},
	{SYS_pwritev2, ALWAYS}, {SYS_sendto, ALWAYS},	 {SYS_sendmsg, ALWAYS},	 {SYS_sendmmsg, ALWAYS},
	{SYS_sendfile, ALWAYS}, {SYS_splice, ALWAYS},	 {SYS_vmsplice, ALWAYS}, {SYS_copy_file_range, ALWAYS},
	{SYS_recvfrom, 3},	{SYS_recvmsg, 2},	 {SYS_recvmmsg, 3},
};

/* text: the number, and six arguments in hexadecimal, or a word where the thread is in no call. */
static bool is_in_call(const char *text)
{
	unsigned long arguments[4];
	long number;

	if (sscanf(text, "%ld %lx %lx %lx %lx", &number, &arguments[0], &arguments[1], &arguments[2], &arguments[3]) != 5)
		return false;
	for (size_t i = 0; i < KSM_COUNT_OF(calls); i++) {
		if (calls[i].number == number)
			return calls[i].flags == ALWAYS || (arguments[calls[i].flags] & MSG_WAITALL);
	}
	return false;
}

static bool is_in_midst(int folder, const char *tid)
{
	char path[64], text[256];
	ssize_t got;
	int file;

	snprintf(path, sizeof(path), "%.20s/syscall", tid);
	file = openat(folder, path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	got = read(file, text, sizeof(text) - 1);
	close(file);
	text[got > 0 ? got : 0] = '\0';
	return is_in_call(text);
}

int ksr_midst_check(const struct ksr_image *image)
{
	char path[64];
	struct dirent *entry;
	bool found = false;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)image->pid);
	folder = opendir(path);
	if (!folder)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!found && (entry = readdir(folder)))
		found = atoi(entry->d_name) > 0 && is_in_midst(dirfd(folder), entry->d_name);
	closedir(folder);
	return found ? -EAGAIN : 0;
}
