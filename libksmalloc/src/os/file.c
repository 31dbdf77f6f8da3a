/* SPDX-License-Identifier: BSD-2-Clause */
/* Files: those that the kernel shows, and the file of a segment. */
#include "os/os.h"
#include "os/call.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

ssize_t ksm_os_read_file(const char *path, char *buffer, size_t room)
{
	int file = ksm_os_open_at(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	ssize_t length;

	if (file < 0)
		return file;
	length = ksm_os_read_some(file, buffer, room - 1);
	ksm_os_close(file);
	if (length >= 0)
		buffer[length] = '\0';
	return length;
}

ssize_t ksm_os_read_link(const char *path, char *buffer, size_t room)
{
	ssize_t length = KSM_OS_CALL(SYS_readlinkat, AT_FDCWD, path, buffer, room - 1);

	if (length >= 0)
		buffer[length] = '\0';
	return length;
}

int ksm_os_map_file(const char *path, const void **result, size_t *length)
{
	int saved_errno = errno;
	int file = ksm_os_open_at(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	struct stat status;
	void *memory = NULL;
	int error;

	if (file < 0)
		return file;
	error = (int)ksm_os_result(fstat(file, &status), saved_errno);
	if (!error && (!S_ISREG(status.st_mode) || status.st_size == 0))
		error = -EINVAL;
	if (!error) {
		memory = ksm_os_mmap_raw(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE,
					 file, 0);
		error = (int)ksm_os_result(memory == MAP_FAILED ? -1 : 0, saved_errno);
	}
	ksm_os_close(file);
	if (error)
		return error;
	*result = memory;
	*length = (size_t)status.st_size;
	return 0;
}

int ksm_os_open_private_folder(const char *path)
{
	int saved_errno = errno;
	struct stat status;
	int folder;
	int error;

	error = (int)ksm_os_result(mkdir(path, 0700), saved_errno);
	if (error && error != -EEXIST)
		return error;
	folder = ksm_os_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (folder < 0)
		return folder;
	error = (int)ksm_os_result(fstat(folder, &status), saved_errno);
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
	ksm_os_unlink(folder, name);
	file = ksm_os_open_at(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			      0600);
	if (file < 0)
		return file;
	if (group != (gid_t)-1)
		error = (int)ksm_os_result(fchown(file, (uid_t)-1, group), saved_errno);
	if (!error)
		error = (int)ksm_os_result(fchmod(file, mode), saved_errno);
	if (!error)
		error = (int)ksm_os_result(ftruncate(file, (off_t)length), saved_errno);
	if (error) {
		ksm_os_unlink(folder, name);
		ksm_os_close(file);
		return error;
	}
	return file;
}

int ksm_os_create_memfd(const char *name)
{
	/* MFD_NOEXEC_SEAL, of Linux 6.3, which a machine may insist on (sysctl vm.memfd_noexec). */
	const unsigned int close_on_exec = 1, not_executable = 8;
	int file = (int)KSM_OS_CALL(SYS_memfd_create, name, close_on_exec | not_executable);

	return file == -EINVAL ? (int)KSM_OS_CALL(SYS_memfd_create, name, close_on_exec) : file;
}

int ksm_os_write(int file, const void *from, size_t length, off_t offset)
{
	const char *next = from;

	while (length > 0) {
		long done = offset < 0 ? KSM_OS_CALL(SYS_write, file, next, length) :
					 KSM_OS_CALL(SYS_pwrite64, file, next, length, offset);

		if (done == -EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? (int)done : -EIO;
		next += done;
		offset += offset < 0 ? 0 : done;
		length -= (size_t)done;
	}
	return 0;
}

/* readdir(3) would allocate, and this may be called inside of malloc. */
int ksm_os_each_name(int folder, void (*visit)(const char *name, void *argument), void *argument)
{
	_Alignas(struct dirent64) char buffer[2048];
	long length;

	while ((length = KSM_OS_CALL(SYS_getdents64, folder, buffer, sizeof(buffer))) > 0) {
		const struct dirent64 *entry;

		for (long at = 0; at < length; at += entry->d_reclen) {
			entry = (const struct dirent64 *)(buffer + at);
			visit(entry->d_name, argument);
		}
	}
	return (int)length;
}

ssize_t ksm_os_read_in(int folder, const char *name, void *buffer, size_t room)
{
	int file = ksm_os_open_at(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
	ssize_t length;

	if (file < 0)
		return file;
	length = ksm_os_read_some(file, buffer, room);
	ksm_os_close(file);
	return length;
}

ssize_t ksm_os_read_owned(const char *path, void *buffer, size_t room, struct stat *status)
{
	int saved_errno = errno;
	int file = ksm_os_open_at(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
	ssize_t length;

	if (file < 0)
		return file;
	length = ksm_os_result(fstat(file, status), saved_errno);
	if (length == 0)
		length = ksm_os_read_some(file, buffer, room);
	ksm_os_close(file);
	return length;
}

void ksm_os_close(int descriptor)
{
	KSM_OS_CALL(SYS_close, descriptor);
}

void ksm_os_unlink(int folder, const char *name)
{
	KSM_OS_CALL(SYS_unlinkat, folder, name, 0);
}

void ksm_os_unlink_path(const char *path)
{
	KSM_OS_CALL(SYS_unlinkat, AT_FDCWD, path, 0);
}
