/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heals EVENT DIFFERENCE [FILE...]: prints where a process has new memory after an event, and what it had before it
 * differs by DIFFERENCE blocks. Equal lines are what healing is.
 *
 *   fork      a child of this process, after DIFFERENCE blocks of each size more
 *   thread    the same, by a thread that is not the first
 *   child     a child's child
 *   handler   the same, in a signal handler
 *   anchor    FILE is told as a name
 *   open, openat, fopen: FILE is opened for reading; write: for writing, which is no event
 *   dlopen    FILE, a library, is loaded
 *   worker    FILE is opened, and before and after it other threads have allocated, mapped and opened files, one that ends
 *             with DIFFERENCE, and one that goes on meanwhile, as fast as it can
 *   nothing   no event: what shows that the others do something
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 3000

static const size_t sizes[] = { 24, 60, 100, 500, 3000, 20000, 70000, 400000 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* What the process had before: so much that it is worth several streams, and DIFFERENCE more. */
static void *kept[4 * BLOCKS + 1000];
static size_t kept_count;

static void keep(size_t size)
{
	kept[kept_count] = malloc(size);
	if (!kept[kept_count])
		_exit(3);
	memset(kept[kept_count++], 1, size);
}

static void differ(int difference)
{
	for (int i = 0; i < 4 * BLOCKS; i++)
		keep(2048);
	for (int i = 0; i < difference; i++) {
		for (size_t size = 0; size < SIZES; size++)
			keep(sizes[size]);
	}
	for (int i = 0; i < difference; i++)
		free(kept[4 * BLOCKS + i]);
}

/* A sum of the addresses of new blocks; of those up to 3000 bytes only, where what is larger has no part in it. */
static uint64_t sum_of_addresses(size_t last_size)
{
	uint64_t sum = 0;

	for (int i = 0; i < 40; i++) {
		for (size_t size = 0; size < last_size; size++)
			sum = sum * 31 + (uintptr_t)malloc(sizes[size]);
	}
	return sum;
}

static void report(const char *what, size_t last_size)
{
	void *mapping = mmap(NULL, 300000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	printf("%s %llx", what, (unsigned long long)sum_of_addresses(last_size));
	if (last_size == SIZES)
		printf(" %llx", (unsigned long long)(uintptr_t)mapping);
	printf("\n");
	fflush(stdout);
}

static void *report_thread(void *ignored)
{
	(void)ignored;
	report("thread of child", SIZES);
	return NULL;
}

static void wait_for(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
		fprintf(stderr, "child %d failed\n", (int)child);
		exit(1);
	}
}

static void in_child(int depth)
{
	pid_t child = fork();
	pthread_t thread;

	if (child) {
		wait_for(child);
		return;
	}
	/* A child goes to memory of its own when it has allocated a little. */
	for (int i = 0; i < 100; i++)
		free(malloc(100));
	report("child", SIZES);
	if (pthread_create(&thread, NULL, report_thread, NULL) || pthread_join(thread, NULL))
		_exit(4);
	if (depth > 1)
		in_child(depth - 1);
	_exit(0);
}

static void *fork_in_thread(void *ignored)
{
	(void)ignored;
	in_child(1);
	return NULL;
}

static void fork_in_handler(int signal_number)
{
	(void)signal_number;
	in_child(1);
}

static void anchor(const char *name)
{
	void (*tell)(const void *, size_t) = (void (*)(const void *, size_t))dlsym(RTLD_DEFAULT, "ksmalloc_anchor");

	if (!tell)
		exit(5);
	tell(name, strlen(name));
}

static void pass(const char *event, const char *file)
{
	if (strcmp(event, "anchor") == 0)
		anchor(file);
	else if (strcmp(event, "open") == 0)
		close(open(file, O_RDONLY));
	else if (strcmp(event, "openat") == 0)
		close(openat(AT_FDCWD, file, O_RDONLY));
	else if (strcmp(event, "fopen") == 0)
		fclose(fopen(file, "r"));
	else if (strcmp(event, "dlopen") == 0 && !dlopen(file, RTLD_NOW | RTLD_LOCAL))
		exit(6);
	else if (strcmp(event, "write") == 0)
		close(open(file, O_WRONLY));
	report("after", 5);
}

static atomic_bool has_ended;
static atomic_ulong rounds;

/* What another thread does: some of each size is kept, and of what is mapped, too. */
static void do_a_round(unsigned long number)
{
	for (size_t size = 0; size < SIZES; size++) {
		char *block = malloc(sizes[size]);
		char *other = malloc(sizes[size] / 2);

		if (!block || !other)
			_exit(3);
		block[0] = other[0] = 1;
		free(number % 4 ? block : other);
	}
	if (number % 4 == 0)
		close(open("/proc/self/stat", O_RDONLY));
	if (number % 64 == 0)
		mmap(NULL, 100000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *work(void *difference)
{
	for (unsigned long i = 0; i < 50 * (unsigned long)(uintptr_t)difference; i++)
		do_a_round(i);
	return NULL;
}

/* Not for ever, since some of it is kept. */
static void *go_on(void *ignored)
{
	for (unsigned long i = 0; i < 2000 && !atomic_load(&has_ended); i++) {
		do_a_round(i);
		atomic_fetch_add(&rounds, 1);
	}
	return ignored;
}

static void run(void *(*routine)(void *), int difference)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, routine, (void *)(uintptr_t)difference) || pthread_join(thread, NULL))
		exit(7);
}

static void pass_beside_workers(int difference, char **files, int count)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, go_on, NULL))
		exit(7);
	while (atomic_load(&rounds) == 0)
		sched_yield();
	for (int i = 0; i < count; i++) {
		run(work, difference);
		report("before", SIZES);
		pass("open", files[i]);
		run(work, difference);
		report("after workers", SIZES);
	}
	atomic_store(&has_ended, true);
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc < 3)
		return 2;
	setvbuf(stdout, malloc(4096), _IOFBF, 4096);
	differ(strcmp(argv[1], "worker") ? atoi(argv[2]) : 0);
	if (strcmp(argv[1], "fork") == 0) {
		in_child(1);
	} else if (strcmp(argv[1], "child") == 0) {
		in_child(2);
	} else if (strcmp(argv[1], "thread") == 0) {
		if (pthread_create(&thread, NULL, fork_in_thread, NULL) || pthread_join(thread, NULL))
			return 1;
	} else if (strcmp(argv[1], "handler") == 0) {
		signal(SIGUSR1, fork_in_handler);
		raise(SIGUSR1);
	} else if (strcmp(argv[1], "worker") == 0) {
		pass_beside_workers(atoi(argv[2]), argv + 3, argc - 3);
	} else {
		for (int i = 3; i < argc; i++)
			pass(argv[1], argv[i]);
	}
	return 0;
}
