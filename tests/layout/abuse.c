/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * abuse WHAT [FOLDER]: what forks and anchors bear. Prints "ok" if all memory kept its content, and what was asked
 * for was bounded.
 *
 *   deep      children of children, twelve deep, each with memory of its own
 *   threads   forks by a thread while others allocate and free
 *   idle-threads  two hundred threads that have freed what they had, and wait
 *   created   a signal handler that forks while a thread is created: the child goes on
 *   unborn    the same before there is a thread: the child gets it, and what it is given
 *   vfork     vfork and exec, between calls of malloc
 *   idle      four children of a master that has allocated nothing: they print where their first memory lies
 *   names     a million files opened by as many names: memory stays, and calls stay quick
 *   full      the region of mappings is used up: everything goes on, elsewhere
 *   limited   no address space may be had for slabs any more, which is not to be said to be taken by others
 *   filled    something else lies where an anchored arena's blocks are to come: they come right behind the first arena's
 */
#include "test.h"

#include "abuse-create.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 400

static const size_t sizes[] = { 24, 100, 700, 5000, 40000, 300000 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

struct held {
	unsigned char *blocks[BLOCKS];
	unsigned char mark;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	_exit(1);
}

static size_t size_of(int number)
{
	/* Few of the large ones. */
	return sizes[number % 40 < 36 ? number % 4 : 4 + number % 2];
}

/* Takes memory and fills it. Sixty-four small calls lead a child to memory of its own: these are more. */
static void take(struct held *held, unsigned char mark)
{
	held->mark = mark;
	for (int i = 0; i < BLOCKS; i++) {
		held->blocks[i] = malloc(size_of(i));
		if (!held->blocks[i])
			fail("no memory");
		memset(held->blocks[i], mark + i, size_of(i));
	}
}

static void check(const struct held *held)
{
	for (int i = 0; i < BLOCKS; i++) {
		for (size_t at = 0; at < size_of(i); at++) {
			if (held->blocks[i][at] != (unsigned char)(held->mark + i))
				fail("a block has lost its content");
		}
	}
}

static void give_back(struct held *held)
{
	check(held);
	for (int i = 0; i < BLOCKS; i++)
		free(held->blocks[i]);
}

static void wait_for(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		fail("a child failed");
}

static void deep(int depth)
{
	struct held before, after;
	pid_t child;

	take(&before, (unsigned char)(depth * 16));
	child = fork();
	if (child == 0) {
		take(&after, (unsigned char)(depth * 16 + 8));
		check(&before);
		if (depth < 12)
			deep(depth + 1);
		give_back(&after);
		give_back(&before);
		_exit(0);
	}
	wait_for(child);
	give_back(&before);
}

/* Exact, which the counters of /proc/self/status are not on machines with many processors. */
static long resident_kib(void)
{
	long resident = test_field("/proc/self/smaps_rollup", "Rss: %ld");

	if (resident < 0)
		fail("resident memory is not known");
	return resident;
}

static atomic_bool ended;

static void *churn(void *mark)
{
	struct held held;

	while (!atomic_load(&ended)) {
		take(&held, (unsigned char)(uintptr_t)mark);
		give_back(&held);
	}
	return NULL;
}

static void *fork_often(void *ignored)
{
	struct held held;

	(void)ignored;
	for (int i = 0; i < 50; i++) {
		pid_t child = fork();

		if (child == 0) {
			take(&held, (unsigned char)i);
			give_back(&held);
			_exit(0);
		}
		wait_for(child);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t churners[3], forker;

	for (size_t i = 0; i < 3; i++) {
		if (pthread_create(&churners[i], NULL, churn, (void *)(i + 1)))
			fail("no thread");
	}
	if (pthread_create(&forker, NULL, fork_often, NULL))
		fail("no thread");
	pthread_join(forker, NULL);
	atomic_store(&ended, true);
	for (int i = 0; i < 3; i++)
		pthread_join(churners[i], NULL);
}

#define IDLE_THREADS 200
#define IDLE_BLOCKS 20
#define IDLE_BYTES 100000
/* The first threads have up to 2 MiB each, all others together 32 MiB; and there are what pools keep, and stacks. */
#define IDLE_MOST_KIB (224L << 10)

static pthread_barrier_t idle_step, idle_end;

static void *free_and_wait(void *ignored)
{
	void *blocks[IDLE_BLOCKS];

	(void)ignored;
	for (int i = 0; i < IDLE_BLOCKS; i++) {
		blocks[i] = malloc(IDLE_BYTES);
		if (!blocks[i])
			fail("no memory");
		memset(blocks[i], i, IDLE_BYTES);
	}
	for (int i = 0; i < IDLE_BLOCKS; i++)
		free(blocks[i]);
	pthread_barrier_wait(&idle_step);
	pthread_barrier_wait(&idle_end);
	return NULL;
}

static void idle_threads(void)
{
	pthread_t threads[IDLE_THREADS];
	long resident = resident_kib();

	pthread_barrier_init(&idle_step, NULL, 2);
	pthread_barrier_init(&idle_end, NULL, IDLE_THREADS + 1);
	for (int i = 0; i < IDLE_THREADS; i++) {
		if (pthread_create(&threads[i], NULL, free_and_wait, NULL))
			fail("no thread");
		pthread_barrier_wait(&idle_step);
	}
	if (resident_kib() > resident + IDLE_MOST_KIB)
		fail("what threads that wait have at hand is not bounded");
	pthread_barrier_wait(&idle_end);
	for (int i = 0; i < IDLE_THREADS; i++)
		pthread_join(threads[i], NULL);
}

#define CREATED 20

static volatile sig_atomic_t is_creating, interrupted;
static volatile bool is_child;

/* What a signal handler may call. */
static pid_t fork_without_handlers(void)
{
#if __GLIBC_PREREQ(2, 34)
	return _Fork();
#else
	return fork();
#endif
}

static void fork_now(int ignored)
{
	int saved_errno = errno;
	pid_t child;

	(void)ignored;
	if (!is_creating)
		return;
	child = interrupted % 2 ? fork_without_handlers() : fork();
	if (child == 0) {
		/* Ends a child that hangs. */
		signal(SIGALRM, SIG_DFL);
		alarm(10);
		is_child = true;
	} else {
		wait_for(child);
		interrupted++;
	}
	errno = saved_errno;
}

/* The handler is for the thread that creates others. */
static void *start_slowly(void *ignored)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	return ignored;
}

static void created(void)
{
	struct sigaction action = { .sa_handler = fork_now, .sa_flags = SA_RESTART };

	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; interrupted < CREATED; i++) {
		const struct itimerval timer = { .it_value = { .tv_usec = 1 + i * 7 % 150 } };
		pthread_t thread;
		int error;

		setitimer(ITIMER_REAL, &timer, NULL);
		is_creating = true;
		error = pthread_create(&thread, NULL, start_slowly, NULL);
		is_creating = false;
		if (is_child)
			_exit(0);
		if (error || pthread_join(thread, NULL))
			fail("no thread");
	}
}

static void fork_before_thread(void)
{
	pid_t child;

	abuse_before_thread = NULL;
	child = fork();
	if (child == 0)
		is_child = true;
	else
		wait_for(child);
}

static void *hand_back(void *given)
{
	return given;
}

/* What the creator had on its stack is not there any more. */
static __attribute__((noinline)) void go_elsewhere(void)
{
	volatile char elsewhere[16384];

	for (size_t i = 0; i < sizeof(elsewhere); i++)
		elsewhere[i] = 0x55;
}

static void unborn(void)
{
	char given[] = "given";
	pthread_t thread;
	void *result;

	abuse_before_thread = fork_before_thread;
	if (pthread_create(&thread, NULL, hand_back, given) != 0)
		fail("no thread");
	go_elsewhere();
	if (pthread_join(thread, &result) != 0 || result != given)
		fail("the thread got something else");
	if (is_child)
		_exit(0);
}

/* Of its own, since a vfork may lose what the registers of its caller hold. */
static __attribute__((noinline)) pid_t execute_true(void)
{
	pid_t child = vfork();

	if (child == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	return child;
}

static void vforks(void)
{
	struct held held;

	for (int i = 0; i < 100; i++) {
		pid_t child;

		take(&held, (unsigned char)i);
		child = execute_true();
		give_back(&held);
		wait_for(child);
	}
}

static void idle(void)
{
	for (int i = 0; i < 4; i++) {
		pid_t child = fork();
		char line[64];

		if (child == 0) {
			uintptr_t sum = 0;
			int length;

			for (int number = 0; number < 200; number++)
				sum = sum * 31 + (uintptr_t)malloc(size_of(number));
			length = snprintf(line, sizeof(line), "%zx\n", sum);
			if (write(STDOUT_FILENO, line, (size_t)length) != length)
				_exit(1);
			_exit(0);
		}
		wait_for(child);
	}
}

/* One file by a million names: a number's bits stand in the path as "/./" and as "//". */
static void spell(char *path, const char *folder, int number)
{
	char *end = stpcpy(path, folder);

	for (int bit = 0; bit < 20; bit++)
		end = stpcpy(end, number >> bit & 1 ? "/./" : "//");
	strcpy(end, "file");
}

static void names(const char *folder)
{
	char path[4096];
	long resident = 0;

	for (int i = 0; i < 1000000; i++) {
		int file;

		if (i == 20000)
			resident = resident_kib();
		spell(path, folder, i);
		file = open(path, O_RDONLY);
		if (file < 0)
			fail(path);
		close(file);
		free(malloc(100));
	}
	if (resident_kib() > resident + 4096)
		fail("names take memory without a bound");
}

static void full(void)
{
	size_t length = (size_t)1 << 44;
	struct held held;

	/* Address space is what is used up, and no memory: from large pieces to small ones, until the kernel has none. */
	for (int i = 0; i < 2000 && length >= (size_t)1 << 32; i++) {
		if (mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED)
			length >>= 1;
	}
	take(&held, 5);
	fork_often(NULL);
	give_back(&held);
}

static void limited(void)
{
	const size_t more = (size_t)16 << 20;
	const rlim_t used = (rlim_t)test_field("/proc/self/statm", "%ld") * 4096;
	/* A block with a slot of its own, so that there is a segment to look into. */
	unsigned char *large = malloc((size_t)2 << 20);
	const struct ksmalloc_segment_header *segment = test_segment();

	if (!large || !segment)
		fail("no segment");
	setrlimit(RLIMIT_AS, &(struct rlimit){ used + more, RLIM_INFINITY });
	/* All size classes, and more than there is room for. */
	for (size_t i = 0; malloc(16 + i * 16 % 4096) && i < more; i++)
		;
	setrlimit(RLIMIT_AS, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
	/* What is counted is told when the program maps something. */
	mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (segment->stats.place_taken_total > 0)
		fail("what could not be mapped counts as taken");
}

/* Too long for a slab, and too short for a slot. */
#define MIDDLE 15000

static uintptr_t middle_block(void)
{
	unsigned char *block = NULL;

	for (int i = 0; i < 400; i++) {
		block = malloc(MIDDLE);
		if (!block)
			fail("no memory");
		memset(block, i, MIDDLE);
	}
	return (uintptr_t)block;
}

static uintptr_t distance(uintptr_t a, uintptr_t b)
{
	return a > b ? a - b : b - a;
}

/* Passes anchors until blocks come from another arena; its newest block. */
static uintptr_t go_to_other_arena(const char *folder, uintptr_t first)
{
	char path[4096];

	for (int i = 0; i < 100; i++) {
		uintptr_t block;

		spell(path, folder, i);
		close(open(path, O_RDONLY));
		block = middle_block();
		if (distance(block, first) > (uintptr_t)1 << 30)
			return block;
	}
	fail("anchors lead to no other arena");
}

static void filled(const char *folder)
{
	const uintptr_t piece = (uintptr_t)2 << 20;
	uintptr_t first = middle_block();
	uintptr_t other = go_to_other_arena(folder, first);
	int behind = 0;

	/* The stretch of such an arena is a GiB or two. */
	for (uintptr_t i = 1; i < 2048; i++) {
		mmap((void *)((other & ~(piece - 1)) + i * piece), piece, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	}
	for (int i = 0; i < 20; i++) {
		uintptr_t block = middle_block();

		if (distance(block, other) < (uintptr_t)64 << 20)
			continue;
		if (distance(block, first) > (uintptr_t)1 << 30)
			fail("the first arena's stretch was used up, too");
		behind++;
	}
	if (behind < 10)
		fail("nothing was in the way");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "deep") == 0)
		deep(1);
	else if (strcmp(what, "threads") == 0)
		threads();
	else if (strcmp(what, "idle-threads") == 0)
		idle_threads();
	else if (strcmp(what, "created") == 0)
		created();
	else if (strcmp(what, "unborn") == 0)
		unborn();
	else if (strcmp(what, "vfork") == 0)
		vforks();
	else if (strcmp(what, "idle") == 0)
		idle();
	else if (strcmp(what, "names") == 0 && argc > 2)
		names(argv[2]);
	else if (strcmp(what, "full") == 0)
		full();
	else if (strcmp(what, "limited") == 0)
		limited();
	else if (strcmp(what, "filled") == 0 && argc > 2)
		filled(argv[2]);
	else
		return 2;
	if (strcmp(what, "idle") != 0)
		puts("ok");
	return 0;
}
