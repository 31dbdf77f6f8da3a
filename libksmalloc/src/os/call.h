/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call: how the files of os make system calls.
 *
 * What it is: syscall(2), with -errno for a failure and the caller's errno put back, because
 * free() must preserve it whatever is done on its behalf.
 * Why not libc's functions: many of them are cancellation points (open, close, read, write,
 * openat, pwrite and their like), and a thread that is cancelled in malloc never lets go of
 * its locks; malloc(3) is none. And some the library interposes itself (mmap).
 * tests/lint/cancellation knows the names.
 */
#ifndef KSM_OS_CALL_H
#define KSM_OS_CALL_H

#include "base.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Turns the -1 and errno of a call into -errno and restores what errno was. */
KSM_INLINE long ksm_os_result(long value, int saved_errno)
{
	if (value == -1)
		value = -errno;
	errno = saved_errno;
	return value;
}

#define KSM_OS_CALL(...)                                                                           \
	({                                                                                         \
		int call_saved_errno = errno;                                                      \
		ksm_os_result(syscall(__VA_ARGS__), call_saved_errno);                             \
	})

KSM_INLINE int ksm_os_open_at(int folder, const char *path, int flags, unsigned int mode)
{
	return (int)KSM_OS_CALL(SYS_openat, folder, path, flags, mode);
}

KSM_INLINE long ksm_os_read_some(int file, void *buffer, size_t room)
{
	long length;

	do {
		length = KSM_OS_CALL(SYS_read, file, buffer, room);
	} while (length == -EINTR);
	return length;
}

#endif
