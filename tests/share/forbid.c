/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forbid ptrace|personality|kcmp PROGRAM...: runs it where that call is forbidden, as by a container's filter of system calls. Of
 * personality(2) the question what it is stays allowed, as there.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *call = argc > 1 ? argv[1] : "";
	const bool personality = strcmp(call, "personality") == 0;
	const unsigned int number = personality ? SYS_personality : strcmp(call, "kcmp") == 0 ? SYS_kcmp : SYS_ptrace;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, personality ? 0xffffffffu : 0xfffffffeu, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (argc < 3 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		perror("forbid");
		return 1;
	}
	execvp(argv[2], argv + 2);
	return 1;
}
