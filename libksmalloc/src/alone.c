/* SPDX-License-Identifier: BSD-2-Clause */
#include "alone.h"

#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Reads 0 in the child of a fork, not in one that borrows its parent's memory. Synchronization: one thread. */
static pid_t *owner;

/* What is open where something else than the process's threads writes to its memory. */
static const char *const writers[] = {
	"anon_inode:[io_uring]", "anon_inode:[userfaultfd]", "anon_inode:[vfio", "anon_inode:kvm", "/dev/vfio/", "/dev/infiniband/",
	"/dev/nvidia", "/dev/kfd", "/dev/dri/", "/dev/accel/", "/dev/vhost-", "/dev/video",
};

int ksm_alone_init(void)
{
	void *page;
	int error = ksm_os_map(&page, KSM_PAGE, false);

	if (!error)
		error = ksm_os_madvise(page, KSM_PAGE, MADV_WIPEONFORK);
	owner = error ? NULL : page;
	return error;
}

/* The number behind a name in /proc/PID/status, or what is given if there is none. */
static unsigned long number_of(const char *status, const char *name, unsigned long otherwise)
{
	const char *found = strstr(status, name);

	return found ? strtoul(found + strlen(name), NULL, 10) : otherwise;
}

static int check_status(bool stopped)
{
	char status[4096];
	ssize_t length = ksm_os_read_file("/proc/self/status", status, sizeof(status));

	if (length < 0)
		return (int)length;
	if (!stopped && (number_of(status, "\nThreads:", 2) != 1 || number_of(status, "\nTracerPid:", 1) != 0))
		return -EBUSY;
	if (number_of(status, "\nVmLck:", 1) != 0 || number_of(status, "\nVmPin:", 1) != 0)
		return -EPERM;
	/* clone(2) with CLONE_VM makes processes, not threads. Where it cannot be told (a sandbox), there is none. */
	return !stopped && ksm_os_has_partner() ? -EBUSY : 0;
}

static bool is_writer(const char *name)
{
	for (size_t i = 0; i < KSM_COUNT_OF(writers); i++) {
		if (strncmp(name, writers[i], strlen(writers[i])) == 0)
			return true;
	}
	return false;
}

static void look_at_file(const char *name, void *argument)
{
	bool *found = argument;
	char path[64], link[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%.20s", name);
	if (ksm_os_read_link(path, link, sizeof(link)) < 0)
		return;
	*found |= is_writer(link);
}

static int check_files(void)
{
	int folder = ksm_os_open_folder("/proc/self/fd");
	bool found = false;
	int error;

	if (folder < 0)
		return folder;
	error = ksm_os_each_name(folder, look_at_file, &found);
	ksm_os_close(folder);
	return error ? error : found ? -EPERM : 0;
}

static bool look_at_mapping(const struct ksm_os_mapping *mapping, void *argument)
{
	bool *found = argument;

	/* A ring goes on when its descriptor was closed, until it is unmapped. */
	*found |= strncmp(mapping->name, "/[aio]", sizeof("/[aio]") - 1) == 0 || is_writer(mapping->name);
	return !*found;
}

static int check_mappings(void)
{
	bool found = false;
	int error = ksm_os_each_mapping(look_at_mapping, &found);

	return error ? error : found ? -EPERM : 0;
}

int ksm_alone_check(bool stopped)
{
	pid_t pid = ksm_os_pid();
	int error;

	if (!owner)
		return -EOPNOTSUPP;
	if (*owner == 0)
		*owner = pid;
	if (*owner != pid)
		return -EBUSY;
	error = check_status(stopped);
	if (!error)
		error = check_files();
	return error ? error : check_mappings();
}
