/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "partner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_NEW 2000

/* The youngest process or thread of this namespace, or -errno. */
static pid_t youngest(void)
{
	char text[128];
	int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	const char *last;
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	last = strrchr(text, ' ');
	return last ? atoi(last) : -EPROTO;
}

/* 1 where both have the same memory, 0 where not, or the other one is not there or another user's; else -errno. */
static int have_same(pid_t pid, pid_t other)
{
	long result = syscall(SYS_kcmp, pid, other, KCMP_VM, 0, 0);

	if (result < 0)
		return errno == ESRCH || errno == EPERM || errno == EACCES ? 0 : -errno;
	return result == 0;
}

int ksr_partner_begin(struct ksr_partner *partner, pid_t pid)
{
	struct dirent *entry;
	DIR *folder;
	int error = 0;

	*partner = (struct ksr_partner){.pid = pid, .last = youngest()};
	if (partner->last < 0)
		return partner->last;
	/* It says 0 of a process and itself, where it says anything. */
	error = have_same(pid, pid);
	if (error != 1)
		return error ? error : -EPERM;
	error = 0;
	folder = opendir("/proc");
	if (!folder)
		return -errno;
	while (!error && (entry = readdir(folder))) {
		pid_t other = (pid_t)atoi(entry->d_name);

		if (other > 0 && other != pid)
			error = have_same(pid, other);
	}
	closedir(folder);
	return error == 1 ? -EUSERS : error;
}

static bool is_thread(const struct ksr_stop *stop, pid_t tid)
{
	for (size_t i = 0; i < stop->count; i++)
		if (stop->threads[i].tid == tid)
			return true;
	return false;
}

int ksr_partner_check(const struct ksr_partner *partner, const struct ksr_stop *stop)
{
	pid_t now = youngest();

	if (now < 0)
		return now;
	/* Numbers begin anew at their limit. */
	if (now < partner->last || now - partner->last > MOST_NEW)
		return -EAGAIN;
	for (pid_t other = partner->last + 1; other <= now; other++) {
		int same = is_thread(stop, other) ? 0 : have_same(partner->pid, other);

		if (same)
			return same == 1 ? -EUSERS : same;
	}
	return 0;
}
