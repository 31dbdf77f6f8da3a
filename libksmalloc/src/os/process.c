/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls about the process as a whole. */
#include "os/os.h"
#include "os/call.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif

#define ASK_PERSONALITY 0xffffffffUL

uid_t ksm_os_user(void)
{
	return geteuid();
}

bool ksm_os_may_be_user(uid_t user)
{
	uid_t real, effective, saved;

	return getresuid(&real, &effective, &saved) == 0 && (real == user || effective == user || saved == user);
}

pid_t ksm_os_pid(void)
{
	return getpid();
}

bool ksm_os_process_exists(pid_t pid)
{
	int saved_errno = errno;
	bool exists = kill(pid, 0) == 0 || errno != ESRCH;

	errno = saved_errno;
	return exists;
}

bool ksm_os_is_randomised(void)
{
	return (personality(ASK_PERSONALITY) & ADDR_NO_RANDOMIZE) == 0;
}

int ksm_os_randomise(bool on)
{
	int saved_errno = errno;
	unsigned long now = (unsigned long)personality(ASK_PERSONALITY);
	unsigned long wanted = on ? now & ~(unsigned long)ADDR_NO_RANDOMIZE :
				    now | ADDR_NO_RANDOMIZE;

	return (int)ksm_os_result(personality(wanted), saved_errno);
}

int ksm_os_stack_limit(uint64_t *bytes)
{
	int saved_errno = errno;
	struct rlimit limit;
	int error = (int)ksm_os_result(getrlimit(RLIMIT_STACK, &limit), saved_errno);

	if (!error)
		*bytes = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
	return error;
}

int ksm_os_set_stack_limit(uint64_t bytes)
{
	int saved_errno = errno;
	struct rlimit limit;
	int error = (int)ksm_os_result(getrlimit(RLIMIT_STACK, &limit), saved_errno);

	if (error)
		return error;
	limit.rlim_cur = bytes == UINT64_MAX ? RLIM_INFINITY : bytes;
	return (int)ksm_os_result(setrlimit(RLIMIT_STACK, &limit), saved_errno);
}

static bool has_limit(int resource)
{
	struct rlimit limit;

	return getrlimit((__rlimit_resource_t)resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

bool ksm_os_memory_is_limited(void)
{
	int saved_errno = errno;
	bool limited = has_limit(RLIMIT_AS) || has_limit(RLIMIT_DATA);

	errno = saved_errno;
	return limited;
}

bool ksm_os_is_under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "/vgpreload_");
}

bool ksm_os_is_loaders_argument(void)
{
	return getauxval(AT_BASE) == 0;
}

int ksm_os_execute_self(char *const *argv, char *const *environment)
{
	static const char self[] = "/proc/self/exe";
	int saved_errno = errno;
	char path[PATH_MAX];
	struct stat named, running;
	ssize_t length = readlink(self, path, sizeof(path) - 1);

	if (length > 0) {
		path[length] = '\0';
		if (stat(path, &named) == 0 && stat(self, &running) == 0 &&
		    named.st_dev == running.st_dev && named.st_ino == running.st_ino)
			execve(path, argv, environment);
		else
			execve(self, argv, environment);
	}
	return (int)ksm_os_result(-1, saved_errno);
}

int ksm_os_merge_process(bool merge)
{
	int saved_errno = errno;

	return (int)ksm_os_result(prctl(PR_SET_MEMORY_MERGE, merge, 0, 0, 0), saved_errno);
}

bool ksm_os_process_merges(void)
{
	int saved_errno = errno;

	/* A kernel that has not the call fails. */
	return ksm_os_result(prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0), saved_errno) == 1;
}

int ksm_os_let_trace(pid_t pid)
{
	int saved_errno = errno;

	return (int)ksm_os_result(prctl(PR_SET_PTRACER, pid, 0, 0, 0), saved_errno);
}
