/* SPDX-License-Identifier: BSD-2-Clause */
#include "system/alone.h"

#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FILTERS "\nSeccomp_filters:"

/* Reads 0 in the child of a fork, not in one that borrows its parent's memory. Synchronization: one thread. */
static pid_t *owner;

/* What is open where something else than the process's threads writes to its memory. */
static const struct writer {
	const char *name;
	enum ksmalloc_aside reason;
} writers[] = {
	{ "anon_inode:[io_uring]", KSMALLOC_ASIDE_IO_URING },
	{ "anon_inode:[userfaultfd]", KSMALLOC_ASIDE_USERFAULTFD },
	{ "anon_inode:[vfio", KSMALLOC_ASIDE_DEVICE },
	{ "anon_inode:kvm", KSMALLOC_ASIDE_DEVICE },
	{ "/dev/vfio/", KSMALLOC_ASIDE_DEVICE },
	{ "/dev/infiniband/", KSMALLOC_ASIDE_DEVICE },
	{ "/dev/nvidia", KSMALLOC_ASIDE_DEVICE },
	{ "/dev/kfd", KSMALLOC_ASIDE_DEVICE },
	{ "/dev/dri/", KSMALLOC_ASIDE_DEVICE },
	{ "/dev/accel/", KSMALLOC_ASIDE_DEVICE },
	{ "/dev/vhost-", KSMALLOC_ASIDE_DEVICE },
	{ "/dev/video", KSMALLOC_ASIDE_DEVICE },
};

/* The same of what is mapped: rings whose descriptors do not tell. */
static const struct writer rings[] = {
	{ "/[aio]", KSMALLOC_ASIDE_AIO },
	/* Of AF_XDP, which has packets written to memory that is pinned, but not counted as pinned. */
	{ "socket:[", KSMALLOC_ASIDE_DEVICE },
};

/* The number behind a name in /proc/PID/status, or what is given if there is none. */
static unsigned long number_of(const char *status, const char *name, unsigned long otherwise)
{
	const char *found = strstr(status, name);

	return found ? strtoul(found + strlen(name), NULL, 10) : otherwise;
}

/* Filters of system calls that the process had when it was started: what the program adds may kill it for a call. */
static unsigned long filters;

int ksm_alone_init(void)
{
	char status[4096];
	void *page;
	int error = ksm_os_map(&page, KSM_PAGE, false);

	if (!error)
		error = ksm_os_madvise(page, KSM_PAGE, MADV_WIPEONFORK);
	owner = error ? NULL : page;
	if (ksm_os_read_file("/proc/self/status", status, sizeof(status)) >= 0)
		filters = number_of(status, FILTERS, 0);
	return error;
}

static enum ksmalloc_aside look_at_status(const char *status, bool stopped)
{
	if (!stopped && number_of(status, "\nThreads:", 2) != 1)
		return KSMALLOC_ASIDE_THREADS;
	if (!stopped && number_of(status, "\nTracerPid:", 1) != 0)
		return KSMALLOC_ASIDE_TRACED;
	if (number_of(status, "\nVmLck:", 1) != 0)
		return KSMALLOC_ASIDE_LOCKED;
	if (number_of(status, "\nVmPin:", 1) != 0)
		return KSMALLOC_ASIDE_PINNED;
	/* clone(2) with CLONE_VM makes processes, not threads. Where it cannot be told (a sandbox), there is none. */
	return !stopped && ksm_os_has_partner() ? KSMALLOC_ASIDE_PARTNER : KSMALLOC_ASIDE_NOT;
}

static int check_status(bool stopped, enum ksmalloc_aside *why)
{
	char status[4096];
	ssize_t length = ksm_os_read_file("/proc/self/status", status, sizeof(status));

	if (length < 0)
		return (int)length;
	if (number_of(status, FILTERS, 0) != filters)
		ksm_os_stop_asking_for_mappings();
	/* Filters that it was started with may end it for userfaultfd(2), too, which few programs call. */
	if (number_of(status, FILTERS, 1) != 0)
		ksm_os_stop_filling();
	*why = look_at_status(status, stopped);
	return 0;
}

static enum ksmalloc_aside reason_among(const struct writer *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strncmp(name, list[i].name, strlen(list[i].name)) == 0)
			return list[i].reason;
	}
	return KSMALLOC_ASIDE_NOT;
}

static enum ksmalloc_aside reason_of(const char *name)
{
	return reason_among(writers, KSM_COUNT_OF(writers), name);
}

static void look_at_file(const char *name, void *argument)
{
	enum ksmalloc_aside *why = argument;
	char path[64], link[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%.20s", name);
	if (*why == KSMALLOC_ASIDE_NOT && ksm_os_read_link(path, link, sizeof(link)) >= 0)
		*why = reason_of(link);
}

static int check_files(enum ksmalloc_aside *why)
{
	int folder = ksm_os_open_folder("/proc/self/fd");
	int error;

	if (folder < 0)
		return folder;
	error = ksm_os_each_name(folder, look_at_file, why);
	ksm_os_close(folder);
	return error;
}

struct search {
	enum ksmalloc_aside *why;
	const struct ksm_alone_visitor *visitor;
};

static bool look_at_mapping(const struct ksm_os_mapping *mapping, void *argument)
{
	const struct search *search = argument;

	/* A ring goes on when its descriptor was closed, until it is unmapped. */
	*search->why = reason_of(mapping->name);
	if (*search->why == KSMALLOC_ASIDE_NOT)
		*search->why = reason_among(rings, KSM_COUNT_OF(rings), mapping->name);
	if (search->visitor)
		search->visitor->visit(mapping, search->visitor->argument);
	return *search->why == KSMALLOC_ASIDE_NOT;
}

/* 0, with what was found, or -errno. */
static int look(bool stopped, enum ksmalloc_aside *why, const struct ksm_alone_visitor *visitor)
{
	struct search search = { why, visitor };
	int error = check_status(stopped, why);

	if (!error && *why == KSMALLOC_ASIDE_NOT)
		error = check_files(why);
	if (!error && *why == KSMALLOC_ASIDE_NOT)
		error = visitor ? ksm_os_each_mapping(look_at_mapping, &search) : ksm_os_each_shared_mapping(look_at_mapping, &search);
	return error;
}

static int error_of(enum ksmalloc_aside why)
{
	switch (why) {
	case KSMALLOC_ASIDE_NOT:
		return 0;
	case KSMALLOC_ASIDE_THREADS:
	case KSMALLOC_ASIDE_TRACED:
	case KSMALLOC_ASIDE_PARTNER:
	case KSMALLOC_ASIDE_BORROWED:
		return -EBUSY;
	default:
		return -EPERM;
	}
}

int ksm_alone_check(bool stopped, enum ksmalloc_aside *why, const struct ksm_alone_visitor *visitor)
{
	pid_t pid = ksm_os_pid();
	int error;

	*why = KSMALLOC_ASIDE_BEGINNING;
	if (!owner)
		return -EOPNOTSUPP;
	if (*owner == 0)
		*owner = pid;
	*why = KSMALLOC_ASIDE_BORROWED;
	if (*owner != pid)
		return -EBUSY;
	*why = KSMALLOC_ASIDE_NOT;
	error = look(stopped, why, visitor);
	if (error) {
		*why = error == -EMFILE || error == -ENFILE ? KSMALLOC_ASIDE_DESCRIPTORS : KSMALLOC_ASIDE_PROC;
		return error;
	}
	return error_of(*why);
}

pid_t ksm_alone_tracer(void)
{
	char status[4096];

	if (ksm_os_read_file("/proc/self/status", status, sizeof(status)) < 0)
		return 0;
	return (pid_t)number_of(status, "\nTracerPid:", 0);
}
