/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syscall(2) is used for the calls that the library itself interposes. Each
 * function puts the caller's errno back, because free() must preserve it
 * whatever we do on its behalf.
 */
#include "os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

/* Turns the -1 and errno of a libc call into -errno and restores what errno was. */
static long result_of(long value, int saved_errno)
{
	if (value == -1)
		value = -errno;
	errno = saved_errno;
	return value;
}

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

int ksm_os_map_place(void *addr, size_t length, int prot, int flags)
{
	void *memory = NULL;
	int error = map(&memory, addr, length, prot, flags | KSM_MAP_FIXED_NOREPLACE, -1);

	if (error)
		return error;
	if (memory != addr) {
		/* A kernel before 4.17 takes the address for a hint only. */
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
	void *memory;

	return map(&memory, addr, length, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1);
}

int ksm_os_map_file_over(void *addr, size_t length, int fd)
{
	void *memory;

	return map(&memory, addr, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd);
}

int ksm_os_unmap(void *addr, size_t length)
{
	int saved_errno = errno;

	return (int)result_of(ksm_os_munmap_raw(addr, length), saved_errno);
}

int ksm_os_move_over(void *from, size_t length, void *to)
{
	int saved_errno = errno;
	void *moved = ksm_os_mremap_raw(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to);

	return (int)result_of(moved == MAP_FAILED ? -1 : 0, saved_errno);
}

int ksm_os_extend(void *end, size_t more)
{
	int saved_errno = errno;
	char *last = (char *)end - KSM_PAGE;
	void *moved = ksm_os_mremap_raw(last, KSM_PAGE, KSM_PAGE + more, 0, NULL);

	return (int)result_of(moved == MAP_FAILED ? -1 : 0, saved_errno);
}

int ksm_os_madvise(void *addr, size_t length, int advice)
{
	int saved_errno = errno;

	return (int)result_of(ksm_os_madvise_raw(addr, length, advice), saved_errno);
}

int ksm_os_populate(void *addr, size_t length)
{
	int error = ksm_os_madvise(addr, length, MADV_POPULATE_WRITE);

	return error == -EINVAL ? 0 : error;
}

int ksm_os_name(void *addr, size_t length, const char *name)
{
	int saved_errno = errno;

	return (int)result_of(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr, length, name),
			      saved_errno);
}

int ksm_os_hint(void *addr, size_t length, uint64_t hint)
{
	int saved_errno = errno;

	return (int)result_of(prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT, addr, length, hint), saved_errno);
}

long ksm_os_merge_now(void *addr, size_t length, bool try_only)
{
	int saved_errno = errno;

	return result_of(syscall(SYS_prctl, PR_KSM_MERGE, addr, length,
				 try_only ? PR_KSM_MERGE_TRY : 0, 0), saved_errno);
}

void ksm_os_random(void *buffer, size_t length)
{
	int saved_errno = errno;
	const unsigned char *seed = (const unsigned char *)getauxval(AT_RANDOM);
	unsigned char *bytes = buffer;
	struct timespec now;

	if (syscall(SYS_getrandom, buffer, length, 1 /* GRND_NONBLOCK */) != (long)length) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		for (size_t i = 0; i < length; i++)
			bytes[i] = (unsigned char)((seed ? seed[i % 16] : 0) ^
						   (unsigned long)now.tv_nsec >> (i % 24));
	}
	errno = saved_errno;
}

uint64_t ksm_os_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

size_t ksm_os_peek(const void *address, void *buffer, size_t length)
{
	enum { PIECES = 8 };
	int saved_errno = errno;
	struct iovec to = { buffer, length };
	struct iovec from[PIECES];
	uintptr_t at = (uintptr_t)address;
	size_t left = length;
	int pieces = 0;
	ssize_t done;

	/* One piece a page: a transfer that fails ends at a whole piece (process_vm_readv(2)). */
	while (left > 0 && pieces < PIECES) {
		size_t piece = ksm_min(left, KSM_PAGE - (at & (KSM_PAGE - 1)));

		from[pieces].iov_base = (void *)at;
		from[pieces].iov_len = piece;
		pieces++;
		at += piece;
		left -= piece;
	}
	done = syscall(SYS_process_vm_readv, getpid(), &to, 1, from, pieces, 0);
	errno = saved_errno;
	return done > 0 ? (size_t)done : 0;
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
	long done = result_of(syscall(SYS_process_vm_readv, getpid(), &to, 1, &from, 1, 0),
			      saved_errno);

	if (done < 0)
		return (int)done;
	return done == (long)KSM_PAGE ? 0 : -EFAULT;
}

ssize_t ksm_os_read_file(const char *path, char *buffer, size_t room)
{
	int saved_errno = errno;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (file < 0)
		return result_of(-1, saved_errno);
	do {
		length = read(file, buffer, room - 1);
	} while (length < 0 && errno == EINTR);
	length = result_of(length, saved_errno);
	close(file);
	errno = saved_errno;
	if (length >= 0)
		buffer[length] = '\0';
	return length;
}

ssize_t ksm_os_read_link(const char *path, char *buffer, size_t room)
{
	int saved_errno = errno;
	ssize_t length = result_of(readlink(path, buffer, room - 1), saved_errno);

	if (length >= 0)
		buffer[length] = '\0';
	return length;
}

int ksm_os_map_file(const char *path, const void **result, size_t *length)
{
	int saved_errno = errno;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *memory = NULL;
	int error;

	if (file < 0)
		return (int)result_of(-1, saved_errno);
	error = (int)result_of(fstat(file, &status), saved_errno);
	if (!error && (!S_ISREG(status.st_mode) || status.st_size == 0))
		error = -EINVAL;
	if (!error)
		error = map(&memory, NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file);
	ksm_os_close(file);
	if (error)
		return error;
	*result = memory;
	*length = (size_t)status.st_size;
	return 0;
}

uint64_t ksm_os_file_size(const char *path)
{
	int saved_errno = errno;
	struct stat status;
	uint64_t size = stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;

	errno = saved_errno;
	return size;
}

int ksm_os_open_private_folder(const char *path)
{
	int saved_errno = errno;
	struct stat status;
	int folder;
	int error;

	error = (int)result_of(mkdir(path, 0700), saved_errno);
	if (error && error != -EEXIST)
		return error;
	folder = (int)result_of(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
				saved_errno);
	if (folder < 0)
		return folder;
	error = (int)result_of(fstat(folder, &status), saved_errno);
	if (!error && (status.st_uid != geteuid() || (status.st_mode & 0022) != 0))
		error = -EPERM;
	if (error) {
		ksm_os_close(folder);
		return error;
	}
	return folder;
}

void ksm_os_share_folder(int folder, gid_t group)
{
	int saved_errno = errno;

	if (fchown(folder, (uid_t)-1, group) == 0)
		fchmod(folder, 0750);
	errno = saved_errno;
}

/* Beyond the limit ftruncate would end the program with SIGXFSZ (setrlimit(2)). */
static bool may_be_long(size_t length)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) != 0 || length <= limit.rlim_cur;
}

int ksm_os_create_file(int folder, const char *name, mode_t mode, gid_t group, size_t length)
{
	int saved_errno = errno;
	int file;
	int error = 0;

	if (!may_be_long(length))
		return -EFBIG;
	unlinkat(folder, name, 0);
	file = (int)result_of(
		openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600),
		saved_errno);
	if (file < 0)
		return file;
	if (group != (gid_t)-1)
		error = (int)result_of(fchown(file, (uid_t)-1, group), saved_errno);
	if (!error)
		error = (int)result_of(fchmod(file, mode), saved_errno);
	if (!error)
		error = (int)result_of(ftruncate(file, (off_t)length), saved_errno);
	if (error) {
		ksm_os_unlink(folder, name);
		ksm_os_close(file);
		return error;
	}
	return file;
}

int ksm_os_create_memfd(const char *name, size_t length)
{
	int saved_errno = errno;
	int file;
	int error;

	if (!may_be_long(length))
		return -EFBIG;
	file = (int)result_of(syscall(SYS_memfd_create, name, 1 /* MFD_CLOEXEC */), saved_errno);
	if (file < 0)
		return file;
	error = (int)result_of(ftruncate(file, (off_t)length), saved_errno);
	if (error) {
		ksm_os_close(file);
		return error;
	}
	return file;
}

/* readdir(3) would allocate, and this may be called inside of malloc. */
int ksm_os_each_name(int folder, void (*visit)(const char *name, void *argument), void *argument)
{
	_Alignas(struct dirent64) char buffer[2048];
	int saved_errno = errno;
	long length;

	while ((length = syscall(SYS_getdents64, folder, buffer, sizeof(buffer))) > 0) {
		const struct dirent64 *entry;

		for (long at = 0; at < length; at += entry->d_reclen) {
			entry = (const struct dirent64 *)(buffer + at);
			visit(entry->d_name, argument);
		}
	}
	return (int)result_of(length, saved_errno);
}

ssize_t ksm_os_read_in(int folder, const char *name, void *buffer, size_t room)
{
	int saved_errno = errno;
	int file = (int)result_of(
		openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK), saved_errno);
	ssize_t length;

	if (file < 0)
		return file;
	length = result_of(read(file, buffer, room), saved_errno);
	ksm_os_close(file);
	return length;
}

void ksm_os_close(int descriptor)
{
	int saved_errno = errno;

	close(descriptor);
	errno = saved_errno;
}

void ksm_os_unlink(int folder, const char *name)
{
	int saved_errno = errno;

	unlinkat(folder, name, 0);
	errno = saved_errno;
}

void ksm_os_unlink_path(const char *path)
{
	int saved_errno = errno;

	unlink(path);
	errno = saved_errno;
}

bool ksm_os_is_secure(void)
{
	return getauxval(AT_SECURE) != 0;
}
