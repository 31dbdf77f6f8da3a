/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls by which private mappings of memory files get pages of their own, and the files none (userfaultfd(2)).
 * Who writes to such a mapping where the file has a hole makes the kernel give the file a page of zeros, too, which
 * nobody will see.
 */
#include "os/os.h"
#include "os/call.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

/* Synchronization: atomic; it is set once. */
static atomic_bool cannot_fill;

void ksm_os_stop_filling(void)
{
	atomic_store_explicit(&cannot_fill, true, memory_order_relaxed);
}

int ksm_os_open_filler(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int filler, error;

	if (atomic_load_explicit(&cannot_fill, memory_order_relaxed))
		return -EOPNOTSUPP;
	filler = (int)KSM_OS_CALL(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	error = filler < 0 ? filler : (int)KSM_OS_CALL(SYS_ioctl, filler, UFFDIO_API, &api);
	if (!error)
		return filler;
	if (filler >= 0)
		ksm_os_close(filler);
	/* Not without descriptors or memory at the moment: that may change. */
	if (error != -EMFILE && error != -ENFILE && error != -ENOMEM)
		ksm_os_stop_filling();
	return error;
}

int ksm_os_begin_filling(int filler, void *addr, size_t length)
{
	struct uffdio_register range = {
		.range = { (uintptr_t)addr, length }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return (int)KSM_OS_CALL(SYS_ioctl, filler, UFFDIO_REGISTER, &range);
}

int ksm_os_end_filling(int filler, void *addr, size_t length)
{
	struct uffdio_range range = { (uintptr_t)addr, length };

	return (int)KSM_OS_CALL(SYS_ioctl, filler, UFFDIO_UNREGISTER, &range);
}

int ksm_os_fill(int filler, void *to, const void *from, size_t length)
{
	struct uffdio_copy copy = { .dst = (uintptr_t)to, .src = (uintptr_t)from, .len = length };

	return (int)KSM_OS_CALL(SYS_ioctl, filler, UFFDIO_COPY, &copy);
}
