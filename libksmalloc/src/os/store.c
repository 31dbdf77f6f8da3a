/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls about memory files, and what sharing them asks of the kernel. */
#include "os/os.h"
#include "os/call.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* The kernel's word of signals, which libc's sigset_t begins with. */
#define SIGNALS_BYTES 8

int ksm_os_open_to_read(const char *path)
{
	return ksm_os_open_at(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
}

int ksm_os_open_folder(const char *path)
{
	return ksm_os_open_at(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_DIRECTORY, 0);
}

int ksm_os_open_table(const char *path)
{
	return ksm_os_open_at(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
}

ssize_t ksm_os_read_at(int file, void *buffer, size_t length, uint64_t offset)
{
	long done;

	do {
		done = KSM_OS_CALL(SYS_pread64, file, buffer, length, offset);
	} while (done == -EINTR);
	return done;
}

int64_t ksm_os_next_data(int file, uint64_t offset)
{
	return KSM_OS_CALL(SYS_lseek, file, offset, SEEK_DATA);
}

int64_t ksm_os_next_hole(int file, uint64_t offset)
{
	return KSM_OS_CALL(SYS_lseek, file, offset, SEEK_HOLE);
}

static void describe(const struct stat *status, struct ksm_os_file *facts)
{
	*facts = (struct ksm_os_file){
		.device = status->st_dev,
		.inode = status->st_ino,
		.bytes = (uint64_t)status->st_size,
		.memory = (uint64_t)status->st_blocks * 512,
		.links = status->st_nlink,
		.owner = status->st_uid,
		.mode = status->st_mode & 07777,
		.is_regular = S_ISREG(status->st_mode),
	};
}

int ksm_os_describe_file(int file, struct ksm_os_file *facts)
{
	int saved_errno = errno;
	struct stat status;
	int error = (int)ksm_os_result(fstat(file, &status), saved_errno);

	if (!error)
		describe(&status, facts);
	return error;
}

int ksm_os_describe_path(const char *path, struct ksm_os_file *facts)
{
	int saved_errno = errno;
	struct stat status;
	int error = (int)ksm_os_result(stat(path, &status), saved_errno);

	if (!error)
		describe(&status, facts);
	return error;
}

bool ksm_os_is_sealed(int file)
{
	const long all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int saved_errno = errno;
	struct statfs system;
	long seals;

	/* Memory files on huge pages have seals, too, and cannot be mapped page by page. */
	if (ksm_os_result(fstatfs(file, &system), saved_errno) != 0 || system.f_type != TMPFS_MAGIC)
		return false;
	seals = KSM_OS_CALL(SYS_fcntl, file, F_GET_SEALS);
	return seals > 0 && (seals & all) == all;
}

int ksm_os_seal(int file)
{
	return (int)KSM_OS_CALL(SYS_fcntl, file, F_ADD_SEALS,
				F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

bool ksm_os_may_write_to(uint64_t end)
{
	int saved_errno = errno;
	struct rlimit limit;

	return ksm_os_result(getrlimit(RLIMIT_FSIZE, &limit), saved_errno) != 0 || end <= limit.rlim_cur;
}

int ksm_os_set_length(int file, uint64_t bytes)
{
	int saved_errno = errno;

	if (!ksm_os_may_write_to(bytes))
		return -EFBIG;
	return (int)ksm_os_result(ftruncate(file, (off_t)bytes), saved_errno);
}

int ksm_os_create_store(const char *name)
{
	/* MFD_NOEXEC_SEAL, as ksm_os_create_memfd(). */
	const unsigned int close_on_exec = 1, may_be_sealed = 2, not_executable = 8;
	int file = (int)KSM_OS_CALL(SYS_memfd_create, name, close_on_exec | may_be_sealed | not_executable);

	return file == -EINVAL ? (int)KSM_OS_CALL(SYS_memfd_create, name, close_on_exec | may_be_sealed) : file;
}

int ksm_os_try_lock(int file)
{
	return (int)KSM_OS_CALL(SYS_flock, file, LOCK_EX | LOCK_NB);
}

void ksm_os_unlock(int file)
{
	KSM_OS_CALL(SYS_flock, file, LOCK_UN);
}

static int set_lock(int file, short type, uint64_t offset, uint64_t length)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = (off_t)length,
	};

	return (int)KSM_OS_CALL(SYS_fcntl, file, F_OFD_SETLK, &lock);
}

int ksm_os_try_lock_part(int file, uint64_t offset, uint64_t length)
{
	return set_lock(file, F_WRLCK, offset, length);
}

void ksm_os_unlock_part(int file, uint64_t offset, uint64_t length)
{
	set_lock(file, F_UNLCK, offset, length);
}

pid_t ksm_os_lock_owner(const char *path, uint64_t offset)
{
	int file = ksm_os_open_at(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = (off_t)offset, .l_len = 1 };
	struct ksm_os_file facts;
	int error;

	if (file < 0)
		return 0;
	error = ksm_os_describe_file(file, &facts);
	if (!error && (!facts.is_regular || facts.owner != ksm_os_user()))
		error = -EPERM;
	if (!error)
		error = (int)KSM_OS_CALL(SYS_fcntl, file, F_GETLK, &lock);
	ksm_os_close(file);
	return error || lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

int ksm_os_keep_high(int file, int lowest)
{
	int high = (int)KSM_OS_CALL(SYS_fcntl, file, F_DUPFD_CLOEXEC, lowest);

	if (high < 0)
		return file;
	ksm_os_close(file);
	return high;
}

int ksm_os_map_store(void *addr, size_t length, int file, uint64_t offset)
{
	int saved_errno = errno;
	void *memory = ksm_os_mmap_raw(addr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
				       file, (off_t)offset);

	return (int)ksm_os_result(memory == MAP_FAILED ? -1 : 0, saved_errno);
}

int ksm_os_map_window(void *addr, size_t length, int file, uint64_t offset)
{
	int saved_errno = errno;
	void *memory = ksm_os_mmap_raw(addr, length, PROT_READ | PROT_WRITE, MAP_SHARED | KSM_MAP_FIXED_NOREPLACE, file,
				       (off_t)offset);
	int error = (int)ksm_os_result(memory == MAP_FAILED ? -1 : 0, saved_errno);

	if (error || memory == addr)
		return error;
	ksm_os_unmap(memory, length);
	return -EEXIST;
}

bool ksm_os_is_mapped(const void *addr, size_t length)
{
	/* With MS_ASYNC, which does nothing else. */
	return KSM_OS_CALL(SYS_msync, addr, length, 1) != -ENOMEM;
}

bool ksm_os_has_partner(void)
{
	/* The kernel does nothing if there is nothing to part with, and else says that it cannot. */
	return KSM_OS_CALL(SYS_unshare, CLONE_VM) == -EINVAL;
}

void ksm_os_block_signals(uint64_t *before)
{
	const uint64_t all = UINT64_MAX;

	*before = 0;
	KSM_OS_CALL(SYS_rt_sigprocmask, SIG_SETMASK, &all, before, SIGNALS_BYTES);
}

void ksm_os_restore_signals(uint64_t before)
{
	KSM_OS_CALL(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, SIGNALS_BYTES);
}

bool ksm_os_is_interrupted(uint64_t before)
{
	int saved_errno = errno;
	uint64_t pending = 0;
	bool found = false;

	KSM_OS_CALL(SYS_rt_sigpending, &pending, SIGNALS_BYTES);
	for (pending &= ~before; pending && !found; pending &= pending - 1) {
		struct sigaction action;

		found = sigaction(__builtin_ctzll(pending) + 1, NULL, &action) == 0 && !(action.sa_flags & SA_RESTART) &&
			action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
	}
	errno = saved_errno;
	return found;
}
