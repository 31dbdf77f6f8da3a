/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bounds_worker WHAT [COUNT]: comes to a bound of the shared layout, or stays one below it, and waits for the end of the
 * standard input. It prints "ready" and the pid of who waits.
 *
 *   nothing
 *   taken      something lies where its next mapping was to come
 *   mappings   a thread maps all that is set aside for its mappings, and more
 *   blocks     a thread allocates all that is set aside for its small blocks, and more
 *   names N    opens a file by so many names
 *   forks N    is so many forks away
 *   threads N  has created so many threads, one after another
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GIB ((size_t)1 << 30)
/* Too long for a slab, and too short for a place by site. */
#define MIDDLE 15000

static void check(int is_so, const char *what)
{
	if (is_so)
		return;
	fprintf(stderr, "bounds_worker: %s\n", what);
	_exit(1);
}

static char *map(size_t length)
{
	char *memory = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	check(memory != MAP_FAILED, "mmap failed");
	return memory;
}

/* By a call that the library does not see. */
static void lie_in_the_way(void)
{
	char *next = map(4096);
	long result;

	munmap(next, 4096);
	result = syscall(SYS_mmap, next, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	check(result == (long)next, "nothing can lie there");
	map(4096);
}

static void *use_up_mappings(void *ignored)
{
	/* A page less than a GiB: longer ones get no place. */
	for (int i = 0; i < 24; i++)
		map(GIB - 4096);
	return ignored;
}

static void *use_up_blocks(void *ignored)
{
	/* None of it is touched. */
	for (size_t bytes = 0; bytes < 4 * GIB; bytes += MIDDLE)
		check(malloc(MIDDLE) != NULL, "no memory");
	return ignored;
}

static void *end_at_once(void *ignored)
{
	return ignored;
}

static void in_thread(void *(*routine)(void *))
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, routine, NULL) == 0 && pthread_join(thread, NULL) == 0, "no thread");
}

/* A number's bits stand in the path as "/./" and as "//". */
static void open_by_name(int number)
{
	char path[128] = "";
	char *end = path;
	int file;

	for (int bit = 0; bit < 16; bit++)
		end = stpcpy(end, number >> bit & 1 ? "/./" : "//");
	strcpy(end, "dev/null");
	file = open(path, O_RDONLY);
	check(file >= 0, path);
	close(file);
}

static void fork_deeper(void)
{
	pid_t child = fork();
	char byte;

	check(child >= 0, "no child");
	if (child == 0)
		return;
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	_exit(0);
}

static void go(const char *what, int count)
{
	if (strcmp(what, "taken") == 0)
		lie_in_the_way();
	else if (strcmp(what, "mappings") == 0)
		in_thread(use_up_mappings);
	else if (strcmp(what, "blocks") == 0)
		in_thread(use_up_blocks);
	for (int i = 0; i < count; i++) {
		if (strcmp(what, "names") == 0)
			open_by_name(i);
		else if (strcmp(what, "forks") == 0)
			fork_deeper();
		else if (strcmp(what, "threads") == 0)
			in_thread(end_at_once);
	}
}

int main(int argc, char **argv)
{
	char byte;

	check(argc > 1, "usage: bounds_worker WHAT [COUNT]");
	go(argv[1], argc > 2 ? atoi(argv[2]) : 0);
	/* What the library has counted it tells when something is mapped. */
	map(4096);
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
