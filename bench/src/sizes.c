/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sizes THREADS: malloc, write the first byte, free, for sizes from 16 B to 4 MiB.
 *
 * Prints "SIZE NANOSECONDS" per pair and thread. Each figure is the best of
 * several batches, because on a busy machine the others measure the neighbours.
 */
#include "bench.h"

#include <pthread.h>

#define BATCHES 9
#define BATCH_NS 4000000u
#define MAX_THREADS 64
#define MIN_SIZE ((size_t)16)
#define MAX_SIZE ((size_t)4 << 20)

static pthread_barrier_t barrier;

struct worker {
	pthread_t thread;
	size_t size;
	double best_ns;
};

static void run_pairs(size_t size, unsigned long pairs)
{
	for (unsigned long i = 0; i < pairs; i++) {
		char *block = bench_alloc(size);

		block[0] = (char)i;
		bench_keep(block);
		free(block);
	}
}

/* The number of pairs that fill a batch, found by doubling. It also warms the caches. */
static unsigned long calibrate(size_t size)
{
	unsigned long pairs = 64;

	for (;;) {
		uint64_t begin = bench_now_ns();

		run_pairs(size, pairs);
		if (bench_now_ns() - begin >= BATCH_NS / 2)
			return pairs * 2;
		pairs *= 2;
	}
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;
	unsigned long pairs = calibrate(worker->size);

	worker->best_ns = 1e18;
	pthread_barrier_wait(&barrier);
	for (int batch = 0; batch < BATCHES; batch++) {
		uint64_t begin = bench_now_ns();
		double pair_ns;

		run_pairs(worker->size, pairs);
		pair_ns = (double)(bench_now_ns() - begin) / (double)pairs;
		if (pair_ns < worker->best_ns)
			worker->best_ns = pair_ns;
	}
	return NULL;
}

/* Threads that disagree are averaged: each is the best of its own batches. */
static double measure(size_t size, unsigned int threads)
{
	struct worker workers[MAX_THREADS];
	double sum = 0;

	for (unsigned int i = 0; i < threads; i++) {
		workers[i].size = size;
		if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i])) {
			fprintf(stderr, "sizes: no thread\n");
			exit(1);
		}
	}
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		sum += workers[i].best_ns;
	}
	return sum / threads;
}

int main(int argc, char **argv)
{
	unsigned int threads = (unsigned int)bench_argument(argc, argv, 1, 1);

	if (threads < 1 || threads > MAX_THREADS) {
		fprintf(stderr, "sizes: 1 to %d threads\n", MAX_THREADS);
		return 1;
	}
	pthread_barrier_init(&barrier, NULL, threads);
	for (size_t size = MIN_SIZE; size <= MAX_SIZE; size *= 2)
		printf("%zu %.2f\n", size, measure(size, threads));
	return 0;
}
