/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "keeper/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base.h"
#include "read/clock.h"

#define TEXT_BYTES 8192 /* status has some 1500 */

static int read_text(char *text, const char *format, ...) KSM_PRINTF(2, 3);

/* No memory is taken: the process may be standing. */
static int read_text(char *text, const char *format, ...)
{
	char path[64];
	va_list arguments;
	size_t size = 0;
	ssize_t got;
	int fd;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	do {
		got = read(fd, text + size, TEXT_BYTES - 1 - size);
		size += got > 0 ? (size_t)got : 0;
	} while (got > 0 && size < TEXT_BYTES - 1);
	close(fd);
	text[size] = '\0';
	return size ? 0 : -ESRCH;
}

/* The field of a stat file, counted as in proc(5), or NULL. The name may hold anything, but no later field a ')'. */
static const char *stat_field(const char *text, int wanted)
{
	const char *place = strrchr(text, ')');

	for (int field = 2; place && field < wanted; field++)
		place = strchr(place + 1, ' ');
	return place ? place + 1 : NULL;
}

char ksr_image_state(const struct ksr_image *image, pid_t tid)
{
	char text[TEXT_BYTES];
	const char *state;

	if (read_text(text, "/proc/%d/task/%d/stat", (int)image->pid, (int)tid))
		return '?';
	state = stat_field(text, 3);
	return state && *state ? *state : '?';
}

int ksr_image_alive(const struct ksr_image *image)
{
	return syscall(SYS_pidfd_send_signal, image->pidfd, 0, NULL, 0) ? -errno : 0;
}

static int find_start(struct ksr_image *image, uint64_t started)
{
	char text[TEXT_BYTES];
	const char *field;
	int error = read_text(text, "/proc/%d/stat", (int)image->pid);

	if (error)
		return error;
	field = stat_field(text, 22);
	if (!field)
		return -EPROTO;
	image->started = strtoull(field, NULL, 10);
	/* The pid was read twice, by both ways: only one that still lives had it both times. */
	if (started && started != image->started)
		return -ESRCH;
	return ksr_image_alive(image);
}

/* By any of its threads: a main thread that has ended before the others has no memory any more. */
static int open_memory(const struct ksr_image *image)
{
	char path[64];
	struct dirent *entry;
	DIR *folder;
	int fd = -ESRCH;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)image->pid);
	folder = opendir(path);
	if (!folder)
		return errno == ENOENT ? -ESRCH : -errno;
	while (fd < 0 && (entry = readdir(folder))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d/mem", (int)image->pid, atoi(entry->d_name));
		if (entry->d_name[0] == '.')
			continue;
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			fd = errno == ENOENT ? -ESRCH : errno == EACCES ? -EPERM : -errno;
	}
	closedir(folder);
	return fd;
}

int ksr_image_open(struct ksr_image *image, pid_t pid, uint64_t started)
{
	int error;

	*image = (struct ksr_image){.pid = pid, .pidfd = -1, .memory = -1};
	image->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (image->pidfd < 0)
		return -errno;
	image->memory = open_memory(image);
	error = image->memory < 0 ? image->memory : find_start(image, started);
	if (error)
		ksr_image_close(image);
	return error;
}

void ksr_image_close(struct ksr_image *image)
{
	if (image->pidfd >= 0)
		close(image->pidfd);
	if (image->memory >= 0)
		close(image->memory);
	image->pidfd = -1;
	image->memory = -1;
}

/* The file moves nothing in one call where the address is bad, and says 0 where the program has gone. */
static int moved(ssize_t got)
{
	if (got < 0)
		return errno == EIO ? -EFAULT : -errno;
	return got ? 0 : -ESRCH;
}

int ksr_image_read(const struct ksr_image *image, uint64_t address, void *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t got = pread(image->memory, (char *)bytes + done, size - done, (off_t)(address + done));
		int error = moved(got);

		if (error)
			return error;
		done += (size_t)got;
	}
	return 0;
}

int ksr_image_write(const struct ksr_image *image, uint64_t address, const void *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t got = pwrite(image->memory, (const char *)bytes + done, size - done,
				     (off_t)(address + done));
		int error = moved(got);

		if (error)
			return error;
		done += (size_t)got;
	}
	return 0;
}

/* The number after a name at the start of a line, 0 where it is missing. */
static uint64_t number_of(const char *text, const char *name, int base)
{
	const char *place = strstr(text, name);

	return place ? strtoull(place + strlen(name), NULL, base) : 0;
}

int ksr_image_status(const struct ksr_image *image, pid_t tid, struct ksr_image_status *status)
{
	char text[TEXT_BYTES];
	const char *features;
	int error = read_text(text, "/proc/%d/task/%d/status", (int)image->pid, (int)tid);

	if (error)
		return error;
	status->pending = number_of(text, "\nShdPnd:", 16);
	status->pending_here = number_of(text, "\nSigPnd:", 16);
	status->ignored = number_of(text, "\nSigIgn:", 16);
	status->caught = number_of(text, "\nSigCgt:", 16);
	status->tracer = (pid_t)number_of(text, "\nTracerPid:", 10);
	status->filters = (unsigned int)number_of(text, "\nSeccomp_filters:", 10);
	status->strict = number_of(text, "\nSeccomp:", 10) == SECCOMP_MODE_STRICT;
	features = strstr(text, "\nx86_Thread_features:");
	status->shadow_stack = features && strncmp(strchr(features, ':') + 1, "\tshstk", 6) == 0;
	return 0;
}

static uint64_t tick_ns(void)
{
	return KSR_CLOCK_SECOND / (uint64_t)sysconf(_SC_CLK_TCK);
}

uint64_t ksr_image_started_ns(const struct ksr_image *image)
{
	return image->started * tick_ns();
}

uint64_t ksr_image_cpu_ns(const struct ksr_image *image)
{
	clockid_t clock;

	return clock_getcpuclockid(image->pid, &clock) ? 0 : ksr_clock_of(clock);
}

int ksr_image_usage(const struct ksr_image *image, struct ksr_image_usage *usage)
{
	char text[TEXT_BYTES];
	const char *state;
	int error = read_text(text, "/proc/%d/status", (int)image->pid);

	if (error)
		return error;
	state = strstr(text, "\nState:\t");
	usage->sleeps = state && state[sizeof("\nState:\t") - 1] == 'S';
	usage->threads = (unsigned int)number_of(text, "\nThreads:", 10);
	usage->pages = number_of(text, "\nRssAnon:", 10) * 1024 / (uint64_t)sysconf(_SC_PAGESIZE);
	usage->cpu_ns = ksr_image_cpu_ns(image);
	return ksr_image_alive(image);
}
