/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory, time and what the kernel is told about memory; files are in os/file.c. */
#include "os/os.h"
#include "os/call.h"
#include "os/clock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
/* Of kernel/, not yet of Linux. */
#define PR_SET_VMA_KSM_HINT 0x4b53
#define PR_KSM_MERGE	    0x4b534d47
#define PR_KSM_MERGE_TRY    1UL
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

size_t ksm_os_page_size(void)
{
	return (size_t)getauxval(AT_PAGESZ);
}

void *ksm_os_mmap_raw(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
#ifdef SYS_mmap
	return (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset);
#else
	if (offset & 4095) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap2, addr, length, prot, flags, fd, offset >> 12);
#endif
}

int ksm_os_munmap_raw(void *addr, size_t length)
{
	return (int)syscall(SYS_munmap, addr, length);
}

void *ksm_os_mremap_raw(void *old, size_t old_length, size_t new_length, int flags, void *to)
{
	return (void *)syscall(SYS_mremap, old, old_length, new_length, flags, to);
}

int ksm_os_madvise_raw(void *addr, size_t length, int advice)
{
	return (int)syscall(SYS_madvise, addr, length, advice);
}

int ksm_os_mprotect_raw(void *addr, size_t length, int prot)
{
	return (int)syscall(SYS_mprotect, addr, length, prot);
}

int ksm_os_pkey_mprotect_raw(void *addr, size_t length, int prot, int key)
{
	return (int)syscall(SYS_pkey_mprotect, addr, length, prot, key);
}

static int map(void **result, void *addr, size_t length, int prot, int flags, int fd)
{
	int saved_errno = errno;
	void *memory = ksm_os_mmap_raw(addr, length, prot, flags, fd, 0);
	int error = 0;

	if (memory == MAP_FAILED)
		error = -errno;
	else
		*result = memory;
	errno = saved_errno;
	return error;
}

int ksm_os_map(void **result, size_t length, bool noreserve)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (noreserve ? MAP_NORESERVE : 0);

	return map(result, NULL, length, PROT_READ | PROT_WRITE, flags, -1);
}

/*
 * The address is given as a hint, which the kernel follows where nothing lies: sandboxes know
 * which flags there were when they were written, and end a program that uses a newer one
 * (Chromium's and MAP_FIXED_NOREPLACE of 2018).
 */
int ksm_os_map_place(void *addr, size_t length, int prot, int flags)
{
	void *memory = NULL;
	int error = map(&memory, addr, length, prot, flags, -1);

	if (error)
		return error;
	if (memory != addr) {
		ksm_os_unmap(memory, length);
		return -EEXIST;
	}
	return 0;
}

int ksm_os_map_at(void *addr, size_t length)
{
	return ksm_os_map_place(addr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
}

int ksm_os_map_over(void *addr, size_t length)
{
	return ksm_os_map_instead(addr, length, PROT_READ | PROT_WRITE);
}

int ksm_os_map_instead(void *addr, size_t length, int prot)
{
	void *memory;

	return map(&memory, addr, length, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1);
}

int ksm_os_map_anew(void *addr, size_t length)
{
	void *memory;

	return map(&memory, addr, length, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1);
}

int ksm_os_map_file_over(void *addr, size_t length, int prot, int sharing, int fd)
{
	void *memory;

	return map(&memory, addr, length, prot, sharing | MAP_FIXED, fd);
}

int ksm_os_unmap(void *addr, size_t length)
{
	int saved_errno = errno;

	return (int)ksm_os_result(ksm_os_munmap_raw(addr, length), saved_errno);
}

int ksm_os_move_over(void *from, size_t length, void *to)
{
	int saved_errno = errno;
	void *moved = ksm_os_mremap_raw(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to);

	return (int)ksm_os_result(moved == MAP_FAILED ? -1 : 0, saved_errno);
}

int ksm_os_extend(void *end, size_t more)
{
	int saved_errno = errno;
	char *last = (char *)end - KSM_PAGE;
	void *moved = ksm_os_mremap_raw(last, KSM_PAGE, KSM_PAGE + more, 0, NULL);

	return (int)ksm_os_result(moved == MAP_FAILED ? -1 : 0, saved_errno);
}

int ksm_os_madvise(void *addr, size_t length, int advice)
{
	int saved_errno = errno;

	return (int)ksm_os_result(ksm_os_madvise_raw(addr, length, advice), saved_errno);
}

int ksm_os_protect(void *addr, size_t length, int prot)
{
	return (int)KSM_OS_CALL(SYS_mprotect, addr, length, prot);
}

int ksm_os_populate(void *addr, size_t length)
{
	int error = ksm_os_madvise(addr, length, MADV_POPULATE_WRITE);

	return error == -EINVAL ? 0 : error;
}

int ksm_os_name(void *addr, size_t length, const char *name)
{
	return (int)KSM_OS_CALL(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr, length, name);
}

int ksm_os_hint(void *addr, size_t length, uint64_t hint)
{
	return (int)KSM_OS_CALL(SYS_prctl, PR_SET_VMA, PR_SET_VMA_KSM_HINT, addr, length, hint);
}

long ksm_os_merge_now(void *addr, size_t length, bool try_only)
{
	return KSM_OS_CALL(SYS_prctl, PR_KSM_MERGE, addr, length, try_only ? PR_KSM_MERGE_TRY : 0, 0);
}

void ksm_os_random(void *buffer, size_t length)
{
	int saved_errno = errno;
	const unsigned char *seed = (const unsigned char *)getauxval(AT_RANDOM);
	unsigned char *bytes = buffer;
	uint64_t now;

	if (syscall(SYS_getrandom, buffer, length, 1 /* GRND_NONBLOCK */) != (long)length) {
		now = ksm_clock_of(CLOCK_MONOTONIC);
		for (size_t i = 0; i < length; i++)
			bytes[i] = (unsigned char)((seed ? seed[i % 16] : 0) ^
						   now >> (i % 24));
	}
	errno = saved_errno;
}

void ksm_os_wait(const uint32_t *word, uint32_t value, uint64_t most_us)
{
	struct timespec most = { .tv_sec = (time_t)(most_us / 1000000),
				 .tv_nsec = (long)(most_us % 1000000) * 1000 };

	KSM_OS_CALL(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, most_us ? &most : NULL, NULL, 0);
}

bool ksm_os_can_read(const void *address)
{
	/* Hardly any word is this; where one is, the time is over at once. */
	const uint32_t hardly_any = UINT32_C(0x9e3779b9);
	const struct timespec none = { 0 };

	return KSM_OS_CALL(SYS_futex, address, FUTEX_WAIT_PRIVATE, hardly_any, &none, NULL, 0) != -EFAULT;
}

void ksm_os_wake(const uint32_t *word)
{
	KSM_OS_CALL(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void ksm_os_pause(void)
{
	/* Nobody wakes it. Short, since whoever waits here waits for a few instructions of another. */
	static const uint32_t never_changed;

	ksm_os_wait(&never_changed, 0, 20);
}

uint64_t ksm_os_now_ms(void)
{
	return ksm_clock_of(CLOCK_MONOTONIC_COARSE) / 1000000;
}

uint64_t ksm_os_now_us(void)
{
	return ksm_clock_of(CLOCK_MONOTONIC) / 1000;
}

bool ksm_os_is_resident(const void *address)
{
	int saved_errno = errno;
	unsigned char in_memory = 0;
	int result = mincore((void *)(uintptr_t)address, KSM_PAGE, &in_memory);

	errno = saved_errno;
	return result == 0 && (in_memory & 1);
}

int ksm_os_read_page(const void *address, void *buffer)
{
	int saved_errno = errno;
	struct iovec to = { buffer, KSM_PAGE };
	struct iovec from = { (void *)(uintptr_t)address, KSM_PAGE };
	long done = ksm_os_result(syscall(SYS_process_vm_readv, getpid(), &to, 1, &from, 1, 0),
			      saved_errno);

	if (done < 0)
		return (int)done;
	return done == (long)KSM_PAGE ? 0 : -EFAULT;
}

bool ksm_os_is_secure(void)
{
	return getauxval(AT_SECURE) != 0;
}
