/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes that cannot be stopped or called, as they are or not in time. */
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "keeper/hand.h"
#include "test.h"

static void *wait_for_vfork(void *data)
{
	pid_t pid;

	(void)data;
	pid = vfork();
	if (pid == 0) {
		shared->inner = getpid();
		/* Until it ends its parent cannot be stopped. */
		while (!shared->entered)
			syscall(SYS_sched_yield);
		_exit(0);
	}
	return NULL;
}

static void vfork_somewhere(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, wait_for_vfork, NULL))
		_exit(1);
	while (!shared->inner)
		usleep(200);
	ready_and_wait();
	pthread_join(thread, NULL);
}

void cannot_be_stopped(void)
{
	int got;

	begin(vfork_somewhere);
	shared->limit_ns = 50 * MS;
	/* A hand that gets no processor for long is killed before it can say that it is late. */
	for (int tries = 0; (got = ksr_hand_run(stop_and_call, NULL)) == -ECANCELED; tries++)
		CHECK(tries < 100);
	CHECK(got == 0 && shared->stop == -ETIMEDOUT && shared->call == -ECANCELED);
	shared->entered = 1;
	shared->limit_ns = LONG_NS;
	expect(0, 0);
	end_well();
}

/* Lets the function return; until then the room is in use. */
static void let_return(void)
{
	shared->words[1] = 1;
	function = OFFERED_SCRIBBLE;
	call_limit = LONG_NS;
	for (int tries = 0; tries == 0 || shared->call; tries++) {
		CHECK(tries < 1000);
		usleep(5000);
		CHECK(ksr_hand_run(stop_and_call, NULL) == 0 && shared->stop == 0);
	}
	shared->words[0] = 0;
	shared->words[1] = 0;
}

void not_in_time(void)
{
	int got;

	begin(ready_and_wait);
	argument = (uintptr_t)shared->words;
	for (int tries = 0;; tries++) {
		function = OFFERED_LONG;
		call_limit = 5 * MS;
		got = ksr_hand_run(stop_and_call, NULL);
		/* As above: whether it was begun is not known then. */
		if (got != -ECANCELED)
			break;
		CHECK(tries < 100);
		let_return();
	}
	CHECK(got == 0 && shared->stop == 0 && shared->call == -ETIMEDOUT);
	function = OFFERED_SCRIBBLE;
	call_limit = LONG_NS;
	expect(0, -EAGAIN);
	let_return();
	end_well();
}

void traced_already(void)
{
	int status;
	pid_t tracer;

	begin(ready_and_wait);
	tracer = fork();
	if (tracer == 0) {
		shared->entered = ptrace(PTRACE_SEIZE, shared->child, NULL, NULL) ? 2 : 1;
		while (shared->entered == 1)
			usleep(200);
		_exit(0);
	}
	while (!shared->entered)
		usleep(200);
	CHECK(shared->entered == 1);
	expect(-EBUSY, -ECANCELED);
	shared->entered = 3;
	CHECK(waitpid(tracer, &status, 0) == tracer);
	expect(0, 0);
	end_well();
}

static void filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {1, &allow};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(77);
}

static void add_filter(void)
{
	filter();
	ready_and_wait();
}

static int stop_itself(void *data)
{
	struct ksr_stop stop;

	(void)data;
	shared->stop = ksr_stop(&stop, &image, shared->limit_ns);
	if (!shared->stop)
		ksr_stop_limit(&stop, MS);
	raise(SIGSTOP);
	return 0;
}

/* As ^Z does it to a keeper in the foreground. */
void hand_stopped(void)
{
	begin(ready_and_wait);
	CHECK(ksr_hand_run(stop_itself, NULL) == -ECANCELED && shared->stop == 0);
	end_well();
}

void filters_added(void)
{
	begin(add_filter);
	expect(0, -EACCES);
	shared->offer.room.filters++;
	expect(0, 0);
	end_well();
}

static void *add_own_filter(void *data)
{
	filter();
	shared->entered = 1;
	while (!shared->leave)
		usleep(1000);
	return data;
}

static void filter_one_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, add_own_filter, NULL))
		_exit(1);
	while (!shared->entered)
		usleep(200);
	ready_and_wait();
	pthread_join(thread, NULL);
}

/* It could not wait where the keeper dies, whichever thread is called. */
void filter_of_one(void)
{
	begin(filter_one_thread);
	expect(0, -EACCES);
	end_well();
}

/* read and write are all that it may do. */
static void be_strict(void)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(77);
	shared->ready = 1;
	while (!shared->leave)
		shared->turns++;
	syscall(SYS_exit, 0);
}

void strict_mode(void)
{
	begin(be_strict);
	expect(0, -EACCES);
	end_well();
}

/* A thread whose stack ends where it stands, as at the lower end of a coroutine's. */
static void *stand_low(void *end)
{
#ifdef __x86_64__
	__asm__ volatile("movq %%rsp, %%rbx\n"
			 "movq %0, %%rsp\n"
			 "movl $1, (%2)\n"
			 "1: movl $7, %%eax\n" /* poll */
			 "xorl %%edi, %%edi\n"
			 "xorl %%esi, %%esi\n"
			 "movl $10, %%edx\n"
			 "syscall\n"
			 "cmpl $0, (%1)\n"
			 "je 1b\n"
			 "movq %%rbx, %%rsp\n"
			 :: "r"(end), "r"(&shared->leave), "r"(&shared->entered)
			 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r11", "memory", "cc");
#endif
	return NULL;
}

static void make_low(void)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;

	if (pages == MAP_FAILED || mprotect(pages, 4096, PROT_NONE) ||
	    pthread_create(&thread, NULL, stand_low, pages + 4096))
		_exit(1);
	while (!shared->entered)
		usleep(200);
	ready_and_wait();
	pthread_join(thread, NULL);
}

/* What waits since a call whose tracer died is not kept waiting by one that cannot begin. */
void no_room_below(void)
{
	uint32_t released = 0;

	begin(make_low);
	expect(0, -EAGAIN);
	CHECK(ksr_image_read(&image, shared->offer.room.address + offsetof(struct ksr_room_head, released), &released,
			     sizeof(released)) == 0);
	CHECK(released == 1);
	end_well();
}

static void block_all(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	ready_and_wait();
}

static void on_signal(int number)
{
	(void)number;
	_exit(9);
}

/* All that are ignored by themselves have handlers; one is ignored because the program says so. */
static void handle_usual(void)
{
	signal(SIGURG, on_signal);
	signal(SIGWINCH, on_signal);
	signal(SIGPIPE, SIG_IGN);
	ready_and_wait();
}

void marks(void)
{
	begin(block_all);
	expect(0, -EAGAIN);
	end_well();
	begin(handle_usual);
	expect(0, 0);
	end_well();
}

static int as_nobody(void *data)
{
	if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return -ECANCELED;
	return stop_and_call(data);
}

void other_user(void)
{
	if (getuid())
		return;
	begin(ready_and_wait);
	CHECK(ksr_hand_run(as_nobody, NULL) == 0);
	CHECK_MSG(shared->stop == -EPERM, "stop %d", shared->stop);
	end_well();
}
