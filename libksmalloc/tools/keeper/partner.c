/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "keeper/partner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ksmalloc/room.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
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

/* False where the other one is not there, is another user's, or has nothing at that address. */
static bool read_sign(const struct ksr_partner *partner, pid_t other, uint64_t *number)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)other);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = pread(fd, number, sizeof(*number), (off_t)partner->sign);
	close(fd);
	return got == (ssize_t)sizeof(*number);
}

static int write_sign(struct ksr_partner *partner)
{
	partner->number++;
	return ksr_image_write(partner->image, partner->sign, &partner->number, sizeof(partner->number));
}

/* A child that was forked since has a copy of what was written last, and not of what is written now. */
static int have_same_sign(struct ksr_partner *partner, pid_t other)
{
	uint64_t number;
	int error;

	if (!read_sign(partner, other, &number) || number != partner->number)
		return 0;
	error = write_sign(partner);
	if (error)
		return error;
	return read_sign(partner, other, &number) && number == partner->number;
}

/* 1 where both have the same memory, 0 where not, or the other one is not there or another user's; else -errno. */
static int have_same(struct ksr_partner *partner, pid_t other)
{
	long result;

	if (partner->by_sign)
		return have_same_sign(partner, other);
	result = syscall(SYS_kcmp, partner->image->pid, other, KCMP_VM, 0, 0);
	if (result < 0)
		return errno == ESRCH || errno == EPERM || errno == EACCES ? 0 : -errno;
	return result == 0;
}

/* How it is told here: the kernel says 0 of a process and itself, where it says anything. */
static int choose_way(struct ksr_partner *partner)
{
	int error;

	if (have_same(partner, partner->image->pid) == 1)
		return 0;
	partner->by_sign = true;
	if (getrandom(&partner->number, sizeof(partner->number), GRND_NONBLOCK) < 0)
		return -errno;
	error = write_sign(partner);
	if (error)
		return error;
	error = have_same(partner, partner->image->pid);
	return error == 1 ? 0 : error ? error : -EPERM;
}

int ksr_partner_begin(struct ksr_partner *partner, const struct ksr_image *image, uint64_t room)
{
	struct dirent *entry;
	DIR *folder;
	int error;

	*partner = (struct ksr_partner){.image = image, .sign = room + KSR_ROOM_SIGN, .last = youngest()};
	if (partner->last < 0)
		return partner->last;
	error = choose_way(partner);
	if (error)
		return error;
	folder = opendir("/proc");
	if (!folder)
		return -errno;
	while (!error && (entry = readdir(folder))) {
		pid_t other = (pid_t)atoi(entry->d_name);

		if (other > 0 && other != image->pid)
			error = have_same(partner, other);
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

int ksr_partner_check(struct ksr_partner *partner, const struct ksr_stop *stop)
{
	pid_t now = youngest();

	if (now < 0)
		return now;
	/* Numbers begin anew at their limit. */
	if (now < partner->last || now - partner->last > MOST_NEW)
		return -EAGAIN;
	for (pid_t other = partner->last + 1; other <= now; other++) {
		int same = is_thread(stop, other) ? 0 : have_same(partner, other);

		if (same)
			return same == 1 ? -EUSERS : same;
	}
	return 0;
}
