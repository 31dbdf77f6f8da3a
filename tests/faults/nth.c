/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nth CALL ERRNO PROGRAM ARGUMENT...: runs the program again and again, and lets
 * the first, second, third ... call of that kind fail, once each. The program
 * must end well every time. Only calls between the marks of workload.c count.
 *
 * How: the tracer changes the number of the call to one that does not exist,
 * and puts the error into the result when the kernel comes back.
 */
#include "test.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#define BEGIN_MARK	(-4711)
#define END_MARK	(-4712)
#define MAX_RUNS	400

#if defined(__x86_64__)
struct target {
	unsigned long long call;
	int error;
	int wanted;	/* which call is to fail, from 1 on */
	int seen;
	bool counting;
	bool failing;	/* between entry and exit of the call that fails */
};

static void at_entry(pid_t child, struct target *target, struct user_regs_struct *registers)
{
	if (registers->orig_rax == SYS_close && (int)registers->rdi == BEGIN_MARK)
		target->counting = true;
	else if (registers->orig_rax == SYS_close && (int)registers->rdi == END_MARK)
		target->counting = false;
	if (!target->counting || registers->orig_rax != target->call)
		return;
	if (++target->seen != target->wanted)
		return;
	registers->orig_rax = (unsigned long long)-1;
	CHECK(ptrace(PTRACE_SETREGS, child, NULL, registers) == 0);
	target->failing = true;
}

static void at_exit_of_call(pid_t child, struct target *target, struct user_regs_struct *registers)
{
	if (!target->failing)
		return;
	target->failing = false;
	registers->rax = (unsigned long long)-(long long)target->error;
	CHECK(ptrace(PTRACE_SETREGS, child, NULL, registers) == 0);
}

/* Returns how the program ended, as waitpid says. */
static int run_once(struct target *target, char **argv)
{
	struct user_regs_struct registers;
	bool entry = true;
	int status, signal = 0;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		/* Its answers are checked by itself; four hundred lines help nobody. */
		if (!freopen("/dev/null", "w", stdout))
			_exit(126);
		raise(SIGSTOP);
		execv(argv[0], argv);
		_exit(126);
	}
	CHECK(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	if (ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0)
		test_skip("ptrace cannot be used here: %s", strerror(errno));
	for (;;) {
		CHECK(ptrace(PTRACE_SYSCALL, child, NULL, (void *)(intptr_t)signal) == 0);
		CHECK(waitpid(child, &status, 0) == child);
		if (!WIFSTOPPED(status))
			return status;
		signal = 0;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
			/* The SIGTRAP of exec is the tracer's, everything else the program's. */
			signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
			continue;
		}
		CHECK(ptrace(PTRACE_GETREGS, child, NULL, &registers) == 0);
		if (entry)
			at_entry(child, target, &registers);
		else
			at_exit_of_call(child, target, &registers);
		entry = !entry;
	}
}

static unsigned long long call_number(const char *name)
{
	static const struct {
		const char *name;
		unsigned long long number;
	} calls[] = { { "mmap", SYS_mmap }, { "munmap", SYS_munmap }, { "mremap", SYS_mremap },
		      { "madvise", SYS_madvise }, { "prctl", SYS_prctl }, { "openat", SYS_openat },
		      { "ftruncate", SYS_ftruncate }, { "memfd_create", SYS_memfd_create } };

	for (size_t i = 0; i < TEST_COUNT_OF(calls); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].number;
	test_fail(__FILE__, __LINE__, "unknown call %s", name);
}

int main(int argc, char **argv)
{
	int injected = 0;

	CHECK_MSG(argc > 3, "usage: nth CALL ERRNO PROGRAM ARGUMENT...");
	if (getenv("NTH_PRELOAD"))
		setenv("LD_PRELOAD", getenv("NTH_PRELOAD"), 1);
	for (int wanted = 1; wanted <= MAX_RUNS; wanted++) {
		struct target target = { .call = call_number(argv[1]), .error = atoi(argv[2]), .wanted = wanted };
		int status = run_once(&target, argv + 3);

		CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0,
			  "with call %d of %s failing, the program ended with status %x", wanted, argv[1], status);
		if (target.seen < wanted)
			break;
		injected++;
	}
	printf("%d calls of %s failed, one at a time\n", injected, argv[1]);
	CHECK_MSG(injected > 0, "the program never called %s", argv[1]);
	return 0;
}
#else
int main(void)
{
	test_skip("registers are known for x86-64 only");
}
#endif
