/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rights: with its own mapping, which is equal in all such workers; for each line on its standard input it makes a pass and says what that
 * gained. For the line "protect" it takes the right to write from its mapping, and at the system call itself a signal handler makes a
 * pass: what the mapping was known to be before the call is not what it is after it. Given back, the mapping has to be zeros that
 * cannot be written to.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "ksmalloc/ksmalloc.h"

#define BYTES ((size_t)4 << 20)

static long gained = -1;

/* The call is made by another number, which the filter lets through. */
static void answer(int number, siginfo_t *info, void *data)
{
	greg_t *registers = ((ucontext_t *)data)->uc_mcontext.gregs;
	long result;

	(void)number;
	(void)info;
	gained = ksmalloc_share();
	result = syscall(SYS_pkey_mprotect, registers[REG_RDI], registers[REG_RSI], registers[REG_RDX], -1);
	registers[REG_RAX] = result < 0 ? -errno : result;
}

static int catch_mprotect(void)
{
	struct sock_filter lines[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(lines) / sizeof(lines[0]), lines };
	const struct sigaction action = { .sa_sigaction = answer, .sa_flags = SA_SIGINFO };

	return sigaction(SIGSYS, &action, NULL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int writable_bytes(const unsigned char *memory)
{
	int ends[2], writable = 0;
	size_t at;

	if (pipe(ends))
		return -1;
	for (at = 0; at < BYTES; at += 4096) {
		/* The kernel says EFAULT where a fault would end the program. */
		if (write(ends[1], "x", 1) != 1)
			return -1;
		if (read(ends[0], (void *)(uintptr_t)(memory + at), 1) == 1)
			writable++;
		else if (read(ends[0], &(char){ 0 }, 1) != 1)
			return -1;
	}
	return writable;
}

static int protect(unsigned char *memory)
{
	size_t wrong = 0;

	if (catch_mprotect())
		return 77;
	if (mprotect(memory, BYTES, PROT_READ) || madvise(memory, BYTES, MADV_DONTNEED))
		return 1;
	for (size_t at = 0; at < BYTES; at++)
		wrong += memory[at] != 0;
	printf("%ld pages, %zu bytes are wrong, %d pages can be written to\n", gained, wrong, writable_bytes(memory));
	fflush(stdout);
	return 0;
}

int main(void)
{
	unsigned char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char line[64];

	if (memory == MAP_FAILED)
		return 1;
	for (size_t at = 0; at < BYTES; at++)
		memory[at] = (unsigned char)(at + at / 4096 * 7 + 1);
	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "protect \n") == 0)
			return protect(memory);
		printf("%ld\n", ksmalloc_share());
		fflush(stdout);
	}
	return 0;
}
