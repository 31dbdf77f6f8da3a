/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mappings COUNT THREADS PAIRS: what the program's own mmap and munmap cost beside many others.
 *
 * Makes COUNT mappings that the kernel cannot join, then PAIRS pairs of mmap and munmap of 2 to 9
 * pages in each of THREADS threads, then unmaps what it made. Prints "make", "pair" and "unmake"
 * with the nanoseconds of each call, pair and call; those of a pair are wall time by the pairs of
 * one thread.
 */
#include "bench.h"

#include <pthread.h>
#include <sys/mman.h>

#define PAGE ((size_t)4096)

static unsigned long pairs;

static void *map(size_t length)
{
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mappings: mmap");
		exit(1);
	}
	return memory;
}

static void unmap(void *memory, size_t length)
{
	if (munmap(memory, length) != 0) {
		perror("mappings: munmap");
		exit(1);
	}
}

static void *map_and_unmap(void *argument)
{
	uint64_t random_state = 88172645463325252u + (uintptr_t)argument;

	for (unsigned long i = 0; i < pairs; i++) {
		size_t length = (2 + (size_t)(bench_random(&random_state) >> 32) % 8) * PAGE;
		void *memory = map(length);

		bench_keep(memory);
		unmap(memory, length);
	}
	return NULL;
}

static void run_threads(unsigned long count)
{
	pthread_t *threads = bench_alloc(count * sizeof(*threads));

	for (unsigned long i = 0; i < count; i++) {
		if (pthread_create(&threads[i], NULL, map_and_unmap, (void *)(uintptr_t)i) != 0) {
			fprintf(stderr, "mappings: no thread\n");
			exit(1);
		}
	}
	for (unsigned long i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

static uint64_t report(const char *name, uint64_t begin, unsigned long calls)
{
	uint64_t now = bench_now_ns();

	printf("%s %.1f\n", name, (double)(now - begin) / (double)calls);
	return bench_now_ns();
}

int main(int argc, char **argv)
{
	unsigned long count = bench_argument(argc, argv, 1, 65000);
	unsigned long threads = bench_argument(argc, argv, 2, 2);
	char **made = bench_alloc(count * sizeof(*made));
	uint64_t begin;

	pairs = bench_argument(argc, argv, 3, 100000);
	memset(made, 0, count * sizeof(*made));
	begin = bench_now_ns();
	/* The first and the last page of each go, so that no two touch, up or down. */
	for (unsigned long i = 0; i < count; i++) {
		made[i] = (char *)map(3 * PAGE) + PAGE;
		unmap(made[i] - PAGE, PAGE);
		unmap(made[i] + PAGE, PAGE);
	}
	begin = report("make", begin, 3 * count);
	run_threads(threads);
	begin = report("pair", begin, pairs);
	for (unsigned long i = 0; i < count; i++)
		unmap(made[i], PAGE);
	report("unmake", begin, count);
	free(made);
	return 0;
}
