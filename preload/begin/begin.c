/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "begin.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define ERROR_OUTPUT 2

/* The last two are 0 but for one call. */
static long call_6(long number, long first, long second, long third, long fourth, long fifth)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = fourth;
	register long r8 __asm__("r8") = fifth;
	register long r9 __asm__("r9") = 0;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = first;
	register long x1 __asm__("x1") = second;
	register long x2 __asm__("x2") = third;
	register long x3 __asm__("x3") = fourth;
	register long x4 __asm__("x4") = fifth;
	register long x5 __asm__("x5") = 0;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
#error "no system calls for this processor"
#endif
}

static long call(long number, long first, long second, long third, long fourth)
{
	return call_6(number, first, second, third, fourth, 0);
}

void *ksm_begin_memory(size_t bytes)
{
	long got = call_6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	return got < 0 && got > -4096 ? NULL : (void *)got;
}

long ksm_begin_execute(const char *path, const char *const *argv, const char *const *environment)
{
	return call(SYS_execve, (long)path, (long)argv, (long)environment, 0);
}

bool ksm_begin_file(const char *path, struct ksm_begin_file *file)
{
	struct stat status;

	if (call(SYS_newfstatat, AT_FDCWD, (long)path, (long)&status, 0))
		return false;
	*file = (struct ksm_begin_file){status.st_dev, status.st_ino};
	return true;
}

bool ksm_begin_link(const char *path, char *text, size_t bytes)
{
	long got = call(SYS_readlinkat, AT_FDCWD, (long)path, (long)text, (long)bytes);

	if (got <= 0 || (size_t)got >= bytes)
		return false;
	text[got] = '\0';
	return true;
}

void ksm_begin_say(const char *text)
{
	call(SYS_write, ERROR_OUTPUT, (long)text, (long)ksm_begin_length(text), 0);
}

bool ksm_begin_is_first(void)
{
	return call(SYS_getppid, 0, 0, 0, 0) == 0;
}

size_t ksm_begin_length(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

bool ksm_begin_equal(const char *text, const char *other, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] != other[i])
			return false;
	}
	return true;
}

const char *ksm_begin_value(const char *entry, const char *name)
{
	size_t i = 0;

	for (; name[i]; i++) {
		if (entry[i] != name[i])
			return NULL;
	}
	return entry + i;
}

bool ksm_begin_append(char **at, const char *end, const char *text, size_t bytes)
{
	if ((size_t)(end - *at) <= bytes)
		return false;
	for (size_t i = 0; i < bytes; i++)
		(*at)[i] = text[i];
	*at += bytes;
	**at = '\0';
	return true;
}
