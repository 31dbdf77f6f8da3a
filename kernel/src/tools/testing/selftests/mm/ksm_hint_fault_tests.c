// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of hints to KSM and of merging on request when something goes wrong: no
 * slab memory, a caller that is being killed or is a 32 bit program, an mm that
 * exits meanwhile. A hint may be lost then, but never a page. Run as root.
 */
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "ksm_hint_common.h"

#define DEBUG "/sys/kernel/debug/failslab/"

#define PAGES 64UL

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool done = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return done;
}

static bool content_is(char *addr, unsigned long len, unsigned long seed)
{
	unsigned long i;

	for (i = 0; i < len; i += page) {
		if (*(unsigned long *)(addr + i) != seed ||
		    *(unsigned long *)(addr + i + 8) != i ||
		    addr[i + page - 1] != 0x5a)
			return false;
	}
	return true;
}

#ifdef __x86_64__
/* A system call as a 32 bit program makes it. */
static long syscall_32(long nr, long a, long b, long c, long d, long e)
{
	long ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (nr), "b" (a), "c" (b), "d" (c), "S" (d), "D" (e)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

#define NR_GETPID_32 20
#define NR_PRCTL_32 172

/* 0: both prctls have failed with EINVAL, though they are valid for 64 bit. */
static int caller_32(void)
{
	char *addr = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			  MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (syscall_32(NR_GETPID_32, 0, 0, 0, 0, 0) != getpid())
		return KSFT_SKIP;
	fill(addr, page, 1);
	madvise(addr, page, MADV_MERGEABLE);
	ksm_set("run", "1");
	if (hint(addr, page, 1) || merge_now(addr, page, 0) != 1)
		return 1;
	if (syscall_32(NR_PRCTL_32, PR_SET_VMA, PR_SET_VMA_KSM_HINT, (long)addr,
		       page, 2) != -EINVAL)
		return 2;
	if (syscall_32(NR_PRCTL_32, PR_KSM_MERGE, (long)addr, page, 0, 0) !=
	    -EINVAL)
		return 3;
	return HAS_HINTS(addr, page, 1) ? 0 : 4;
}
#else
static int caller_32(void)
{
	return KSFT_SKIP;
}
#endif

static void test_caller_32(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(caller_32());
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status) || WEXITSTATUS(status) == KSFT_SKIP)
		ksft_test_result_skip("32 bit caller: this kernel has none\n");
	else
		ksft_test_result(!status, "32 bit caller: EINVAL (%d)\n",
				 WEXITSTATUS(status));
}

#ifdef __x86_64__
static void endless_hints(char *addr, unsigned long len)
{
	uint64_t i;

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (i = 1;; i++)
		hint(addr, len, word(1 + i % 2, 1, 0));
}

static void endless_merges(char *addr, unsigned long len)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (;;)
		merge_now(addr, len, 0);
}

/*
 * Kill a process inside of this prctl, and see what that was about to return.
 * Returns 0 if it was not in it.
 */
static long killed_in(void (*endless)(char *, unsigned long), char *addr,
		      unsigned long len, unsigned int microsecs)
{
	struct user_regs_struct regs = {};
	long result = 0;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		endless(addr, len);
	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXIT);
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	usleep(microsecs);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (WIFSTOPPED(status) &&
	    !ptrace(PTRACE_GETREGS, pid, NULL, &regs) &&
	    regs.orig_rax == __NR_prctl)
		result = regs.rax;
	if (!WIFSIGNALED(status)) {
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		waitpid(pid, &status, 0);
	}
	return result;
}

static void test_killed(void)
{
	unsigned long i, pages = 20000;
	char *addr = map_alone(pages * page);
	long ret = 0;

	/* Many VMAs, so that a hint for all of them takes its time. */
	for (i = 0; i < pages; i += 2)
		mprotect(addr + i * page, page, PROT_READ);
	for (i = 0; i < 50 && ret != -EINTR; i++)
		ret = killed_in(endless_hints, addr, pages * page, 5000 + i * 100);
	if (ret != -EINTR && !i)
		ret = 0;
	if (ret == -EINTR)
		ksft_test_result_pass("killed in a hint: EINTR\n");
	else
		ksft_test_result_skip("killed in a hint: never was in it (%ld)\n",
				      ret);
	munmap(addr, pages * page);

	addr = map_alone(4096 * page);
	fill(addr, 4096 * page, 2);
	madvise(addr, 4096 * page, MADV_MERGEABLE);
	ksm_set("run", "1");
	ret = 0;
	for (i = 0; i < 50 && !(ret == -EINTR || (ret > 0 && ret < 4096)); i++)
		ret = killed_in(endless_merges, addr, 4096 * page,
				3000 + i * 100);
	if (ret == -EINTR || (ret > 0 && ret < 4096))
		ksft_test_result_pass("killed in a merge: pages so far, or EINTR (%ld)\n",
				      ret);
	else
		ksft_test_result_skip("killed in a merge: never was in it (%ld)\n",
				      ret);
	ksft_test_result(content_is(addr, 4096 * page, 2),
			 "killed in a merge: nothing was lost\n");
	munmap(addr, 4096 * page);
}
#else
static void test_killed(void)
{
	ksft_test_result_skip("killed in a hint: not on this architecture\n");
	ksft_test_result_skip("killed in a merge: not on this architecture\n");
	ksft_test_result_skip("killed in a merge: not on this architecture\n");
}
#endif

/* Others of the same content exit while ksmd and we merge with them. */
static void test_exit_meanwhile(void)
{
	unsigned long len = 256 * page;
	char *addr = map_alone(len);
	pid_t pids[8];
	int i, round;

	fill(addr, len, 3);
	madvise(addr, len, MADV_MERGEABLE);
	hint(addr, len, word(51, 15, 2));
	ksm_set("run", "1");
	ksm_set("sleep_millisecs", "0");
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 8; i++) {
			pids[i] = fork();
			if (pids[i])
				continue;
			fill(addr, len, 3);
			hint(addr, len / 2, word(52 + i, 15, 0));
			for (;;)
				merge_now(addr, len, 0);
		}
		usleep(10 * 1000);
		for (i = 0; i < 8; i++)
			kill(pids[i], SIGKILL);
		merge_now(addr, len, 0);
		for (i = 0; i < 8; i++)
			waitpid(pids[i], NULL, 0);
	}
	ksm_set("sleep_millisecs", "20");
	ksft_test_result(content_is(addr, len, 3),
			 "others exit meanwhile: nothing was lost\n");
	munmap(addr, len);
}

/* Let the nth allocation of this task fail, then call; true if it was reached. */
static bool fail_nth(int nth, void (*call)(char *addr, int *error), char *addr,
		     int *error)
{
	char text[32] = "";
	int fd = open("/proc/thread-self/fail-nth", O_RDWR);

	if (fd < 0)
		return false;
	snprintf(text, sizeof(text), "%d", nth);
	if (write(fd, text, strlen(text)) < 0) {
		close(fd);
		return false;
	}
	call(addr, error);
	memset(text, 0, sizeof(text));
	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		text[0] = '1';
	(void)!pwrite(fd, "0", 1, 0);
	close(fd);
	return atoi(text) == 0;
}

static void call_hint(char *addr, int *error)
{
	*error = hint(addr + page, 2 * page, word(61, 5, 0));
}

static void call_mergeable(char *addr, int *error)
{
	*error = madvise(addr, PAGES * page, MADV_MERGEABLE) ? errno : 0;
}

static void call_merge_now(char *addr, int *error)
{
	long ret = merge_now(addr, PAGES * page, 0);

	*error = ret < 0 ? -ret : 0;
}

static void call_fork(char *addr, int *error)
{
	pid_t pid = fork();

	*error = pid < 0 ? errno : 0;
	if (!pid)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* Has all of it this hint still? It may have been split already. */
static bool still_hinted(char *addr, unsigned long len, uint64_t word)
{
	uint64_t found[16];
	int count = hints(getpid(), addr, addr + len, found, 16);
	int i;

	for (i = 0; i < count && found[i] == word; i++)
		;
	return count > 0 && i == count;
}

/* Fail each allocation of a call in turn. The errors are those it may have. */
static void try_faults(const char *name, void (*call)(char *addr, int *error),
		       int allowed, bool hinted)
{
	bool reached = true, good = true;
	int nth, error = 0, faults = 0;
	uint64_t old, w = word(61, 5, 0);
	char *addr;

	for (nth = 1; reached && nth < 200; nth++) {
		addr = map_alone(PAGES * page);
		fill(addr, PAGES / 2 * page, 4);
		fill(addr + PAGES / 2 * page, PAGES / 2 * page, 4);
		old = word(60, 3, 0);
		hint(addr, PAGES * page, old);
		if (call == call_merge_now)
			madvise(addr, PAGES * page, MADV_MERGEABLE);
		error = 0;
		reached = fail_nth(nth, call, addr, &error);
		faults += reached;
		good = good && (!error || error == allowed) &&
			content_is(addr, PAGES / 2 * page, 4) &&
			content_is(addr + PAGES / 2 * page, PAGES / 2 * page, 4);
		if (hinted)
			good = good && (error ? still_hinted(addr, PAGES * page, old) :
				HAS_HINTS(addr, PAGES * page, old, w, old));
		munmap(addr, PAGES * page);
	}
	ksft_test_result(good && faults && !reached,
			 "%s: %d allocations failed in turn (error %d)\n", name,
			 faults, error);
}

/* While a part of all allocations fails, ksmd goes on and loses nothing. */
static void test_faults_of_ksmd(void)
{
	unsigned long len = 1024 * page, i;
	char *addr = map_alone(2 * len);
	int fd = open(DEBUG "probability", O_WRONLY);

	fill(addr, len, 5);
	fill(addr + len, len, 5);
	hint(addr, len, word(62, 9, 2));
	madvise(addr, 2 * len, MADV_MERGEABLE);
	ksm_set("sleep_millisecs", "0");
	ksm_set("run", "1");
	write_text(DEBUG "task-filter", "N");
	write_text(DEBUG "times", "-1");
	write_text(DEBUG "verbose", "0");
	(void)!write(fd, "30", 2);
	for (i = 0; i < 100; i++) {
		usleep(5000);
		memset(addr + i * page, 0x5a, page);
		hint(addr + i * page, page, word(63 + i, 9, 0));
	}
	for (i = 0; i < 10000 && write(fd, "0", 1) < 0; i++)
		;
	close(fd);
	for (i = 0; i < 100; i++) {
		*(unsigned long *)(addr + i * page) = 5;
		*(unsigned long *)(addr + i * page + 8) = i * page;
	}
	hint(addr, len, word(62, 9, 2));
	ksm_set("smart_scan", "0");
	wait_scans(4);
	ksm_set("smart_scan", "1");
	ksm_set("sleep_millisecs", "20");
	ksft_test_result(content_is(addr, len, 5) && content_is(addr + len, len, 5),
			 "ksmd without memory: nothing was lost\n");
	ksft_test_result(own_site(62, "merged") >= 1000,
			 "ksmd without memory: merged afterwards (%ld of 1024)\n",
			 own_site(62, "merged"));
	munmap(addr, 2 * len);
}

static void test_faults(void)
{
	mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (access(DEBUG "probability", W_OK) ||
	    access("/proc/thread-self/fail-nth", W_OK)) {
		ksft_test_result_skip("no memory: no failslab in this kernel\n");
		ksft_test_result_skip("no memory: no failslab in this kernel\n");
		ksft_test_result_skip("no memory: no failslab in this kernel\n");
		ksft_test_result_skip("no memory: no failslab in this kernel\n");
		ksft_test_result_skip("no memory: no failslab in this kernel\n");
		ksft_test_result_skip("no memory: no failslab in this kernel\n");
		return;
	}
	write_text(DEBUG "ignore-gfp-wait", "N");
	ksm_set("run", "1");
	try_faults("no memory for a hint", call_hint, EAGAIN, true);
	try_faults("no memory for MADV_MERGEABLE", call_mergeable, EAGAIN, false);
	try_faults("no memory for a merge", call_merge_now, EAGAIN, false);
	try_faults("no memory for fork", call_fork, ENOMEM, false);
	test_faults_of_ksmd();
}

int main(void)
{
	begin(12);
	test_caller_32();
	test_killed();
	test_exit_meanwhile();
	test_faults();
	/* What faults and exits have left behind must go, too. */
	test_nothing_left();
	end();
}
