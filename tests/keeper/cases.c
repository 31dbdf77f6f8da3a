/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes in states in which they can be stopped and called, or in which it must be refused: and
 * what becomes of them. Usage: cases [NAME]
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/call.h"
#include "cases.h"
#include "keeper/hand.h"
#include "test.h"

#define THREADS 500

struct cases_shared *shared;
struct ksr_image image;
enum offered function;
uint64_t argument, call_limit;

void ready_and_wait(void)
{
	shared->ready = 1;
	while (!shared->leave) {
		shared->turns++;
		usleep(300);
	}
}

void begin(void (*in_child)(void))
{
	pid_t child;

	*shared = (struct cases_shared){.limit_ns = LONG_NS};
	function = OFFERED_SCRIBBLE;
	argument = 1;
	call_limit = LONG_NS;
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (offer_make(&shared->offer))
			_exit(1);
		in_child();
		_exit(0);
	}
	shared->child = child;
	while (!shared->ready)
		usleep(200);
	CHECK(ksr_image_open(&image, child, 0) == 0);
}

/* The process goes on, and ends as it wants to; nobody traces it. */
void end_well(void)
{
	struct ksr_image_status traced;
	uint64_t turns = shared->turns;
	int status;

	CHECK(ksr_image_status(&image, shared->child, &traced) == 0 && traced.tracer == 0);
	for (int tries = 0; shared->turns < turns + 3; tries++) {
		CHECK_MSG(tries < 5000, "the process does not go on");
		usleep(1000);
	}
	shared->leave = 1;
	CHECK(waitpid(shared->child, &status, 0) == shared->child);
	CHECK_MSG(status == 0, "the process ended with status 0x%x", (unsigned int)status);
	ksr_image_close(&image);
}

int stop_and_call(void *data)
{
	struct ksr_request request = {.function = shared->offer.functions[function], .arguments = {argument, 2, 3},
				      .limit_ns = call_limit};
	struct ksr_stop stop;

	(void)data;
	shared->call = -ECANCELED;
	shared->stop = ksr_stop(&stop, &image, shared->limit_ns);
	if (shared->stop)
		return 0;
	shared->threads = ksr_stop_standing(&stop);
	shared->call = ksr_call(&stop, &shared->offer.room, &request, &shared->result);
	ksr_stop_end(&stop);
	return 0;
}

void expect(int stop, int call)
{
	CHECK(ksr_hand_run(stop_and_call, NULL) == 0);
	CHECK_MSG(shared->stop == stop && shared->call == call, "stop %d and call %d instead of %d and %d", shared->stop,
		  shared->call, stop, call);
}

static void plain(void)
{
	begin(ready_and_wait);
	for (int i = 0; i < 20; i++) {
		expect(0, 0);
		CHECK(shared->result == 6 && shared->threads == 1);
	}
	end_well();
}

bool in_state(char state)
{
	for (int tries = 0; tries < 3000; tries++) {
		if (ksr_image_state(&image, shared->child) == state)
			return true;
		usleep(1000);
	}
	return false;
}

static void stopped_before(void)
{
	int status;

	begin(ready_and_wait);
	kill(shared->child, SIGSTOP);
	CHECK(waitpid(shared->child, &status, WUNTRACED) == shared->child && WIFSTOPPED(status));
	expect(0, -EAGAIN);
	CHECK(in_state('T'));
	usleep(5000);
	/* The parent is told once, and the process stays as it was. */
	CHECK(waitpid(shared->child, &status, WUNTRACED | WNOHANG) == 0);
	CHECK(in_state('T'));
	kill(shared->child, SIGCONT);
	CHECK(waitpid(shared->child, &status, WCONTINUED) == shared->child && WIFCONTINUED(status));
	expect(0, 0);
	end_well();
}

/* Sends a signal while the function runs, and lets it return. */
static void send_later(int number)
{
	function = OFFERED_LONG;
	argument = (uintptr_t)shared->words;
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (!shared->words[0])
			usleep(200);
		kill(shared->child, number);
		shared->words[1] = 1;
		_exit(0);
	}
}

static void stopped_during(void)
{
	int status;

	begin(ready_and_wait);
	send_later(SIGSTOP);
	expect(0, 0);
	CHECK(shared->result == 9);
	CHECK(in_state('T'));
	CHECK(waitpid(shared->child, &status, WUNTRACED) == shared->child && WIFSTOPPED(status));
	kill(shared->child, SIGCONT);
	end_well();
}

static void stopped_and_continued(void)
{
	begin(ready_and_wait);
	kill(shared->child, SIGSTOP);
	CHECK(in_state('T'));
	for (int i = 0; i < 10; i++)
		expect(0, -EAGAIN);
	kill(shared->child, SIGCONT);
	end_well();
}

static void killed_during(void)
{
	int status;

	begin(ready_and_wait);
	send_later(SIGKILL);
	expect(0, -ESRCH);
	while (waitpid(-1, &status, 0) != shared->child)
		;
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(ksr_hand_run(stop_and_call, NULL) == 0 && shared->stop == -ESRCH);
	ksr_image_close(&image);
}

static void exec_when_told(void)
{
	char path[] = "/proc/self/exe", name[] = "--wait";
	char *arguments[] = {path, name, NULL};
	char variable[64];
	char *environment[] = {variable, NULL};

	snprintf(variable, sizeof(variable), "SHARED=%d", (int)getpid());
	shared->ready = 1;
	while (!shared->entered)
		usleep(200);
	execve(path, arguments, environment);
	_exit(1);
}

static void exec_after_open(void)
{
	int status;

	begin(exec_when_told);
	shared->entered = 1;
	/* The other program sleeps until it is killed. */
	for (int tries = 0; tries < 3000; tries++) {
		char byte;

		if (ksr_image_read(&image, shared->offer.room.address, &byte, 1) == -ESRCH)
			break;
		usleep(1000);
	}
	CHECK(in_state('S'));
	expect(0, -ESRCH);
	CHECK(in_state('S'));
	kill(shared->child, SIGTERM);
	CHECK(waitpid(shared->child, &status, 0) == shared->child && WTERMSIG(status) == SIGTERM);
	ksr_image_close(&image);
}

static void *run_on(void *data)
{
	(void)data;
	ready_and_wait();
	_exit(0);
}

static void leave_main_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_on, NULL))
		_exit(1);
	syscall(SYS_exit, 0);
}

static void main_thread_ended(void)
{
	begin(leave_main_thread);
	CHECK(in_state('Z'));
	expect(0, 0);
	CHECK(shared->result == 6 && shared->threads == 1);
	end_well();
}

static void *sleep_on(void *data)
{
	(void)data;
	__sync_fetch_and_add(&shared->entered, 1);
	while (!shared->leave)
		usleep(100000);
	return NULL;
}

static void make_many(void)
{
	pthread_t threads[THREADS];
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 * 1024);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], &attributes, sleep_on, NULL))
			_exit(1);
	while (shared->entered < THREADS)
		usleep(1000);
	ready_and_wait();
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void many_threads(void)
{
	begin(make_many);
	for (int i = 0; i < 5; i++) {
		expect(0, 0);
		CHECK(shared->threads == THREADS + 1);
	}
	end_well();
}

static int without(void *data)
{
	const struct rlimit none = {0};

	setrlimit(*(const __rlimit_resource_t *)data, &none);
	return stop_and_call(NULL);
}

static void no_resources(void)
{
	__rlimit_resource_t descriptors = RLIMIT_NOFILE, memory = RLIMIT_AS;

	begin(make_many);
	CHECK(ksr_hand_run(without, &descriptors) == 0 && shared->stop == -EMFILE);
	CHECK(ksr_hand_run(without, &memory) == 0 && (shared->stop == -ENOMEM || shared->call == -ENOMEM));
	end_well();
}

static void *count_on(void *data)
{
	(void)data;
	while (!shared->leave)
		shared->turns++;
	return NULL;
}

static void in_namespace(void)
{
	pthread_t thread;
	pid_t child;
	int status;

	if (unshare(CLONE_NEWPID)) {
		shared->threads = 77;
		ready_and_wait();
		return;
	}
	child = fork();
	if (child == 0) {
		/* The first process of a namespace is protected from signals, also from its own. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&thread, NULL, count_on, NULL))
			_exit(1);
		ready_and_wait();
		_exit(0);
	}
	shared->inner = child;
	waitpid(child, &status, 0);
	_exit(status ? 1 : 0);
}

static void other_namespace(void)
{
	pid_t parent;
	int status;

	begin(in_namespace);
	parent = image.pid;
	if (shared->threads == 77) {
		end_well();
		return;
	}
	ksr_image_close(&image);
	/* The number that its parent knows is ours too. */
	while (!shared->inner)
		usleep(200);
	CHECK(ksr_image_open(&image, shared->inner, 0) == 0);
	for (int i = 0; i < 20; i++)
		expect(0, 0);
	CHECK(shared->result == 6 && shared->threads == 2);
	shared->leave = 1;
	CHECK(waitpid(parent, &status, 0) == parent && status == 0);
	ksr_image_close(&image);
}

static void another_process(void)
{
	struct ksr_image other;

	begin(ready_and_wait);
	CHECK(ksr_image_open(&other, shared->child, image.started) == 0);
	ksr_image_close(&other);
	CHECK(ksr_image_open(&other, shared->child, image.started + 1) == -ESRCH);
	end_well();
}

static const struct test {
	const char *name;
	void (*run)(void);
	bool calls;
} tests[] = {
	{"plain", plain, true},
	{"stopped-before", stopped_before, true},
	{"stopped-during", stopped_during, true},
	{"stopped-and-continued", stopped_and_continued, true},
	{"killed-during", killed_during, true},
	{"exec-after-open", exec_after_open, true},
	{"main-thread-ended", main_thread_ended, true},
	{"many-threads", many_threads, true},
	{"no-resources", no_resources, true},
	{"cannot-be-stopped", cannot_be_stopped, true},
	{"not-in-time", not_in_time, true},
	{"traced-already", traced_already, true},
	{"hand-stopped", hand_stopped, false},
	{"filters-added", filters_added, true},
	{"filter-of-one", filter_of_one, true},
	{"strict-mode", strict_mode, true},
	{"no-room-below", no_room_below, true},
	{"marks", marks, true},
	{"other-user", other_user, true},
	{"other-namespace", other_namespace, true},
	{"another-process", another_process, false},
};

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--wait") == 0) {
		pause();
		return 0;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < TEST_COUNT_OF(tests); i++) {
		if (argc > 1 && strcmp(argv[1], tests[i].name) != 0)
			continue;
#ifndef __x86_64__
		if (tests[i].calls)
			continue;
#endif
		printf("%s\n", tests[i].name);
		tests[i].run();
	}
	return 0;
}
