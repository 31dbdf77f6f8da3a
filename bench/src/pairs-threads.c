/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pairs-threads THREADS MIN MAX: malloc, write the first byte, free, in several
 * threads at once, for the powers of two from MIN to MAX bytes.
 *
 * Prints "SIZE NANOSECONDS CPU_NANOSECONDS FAULTS" per pair. All threads begin a
 * batch together, and the batch ends with the last of them. NANOSECONDS is the
 * wall time of the batch, times the processors that the threads could use
 * (their number, or the machine's if that is smaller), divided by the pairs of
 * all threads: the time that a pair keeps one processor, waiting for locks
 * included. So it is the same for any number of threads if these do not hinder
 * each other. Each is the best of many short batches: on a busy machine the others
 * measure the neighbours.
 */
#define _GNU_SOURCE
#include "load.h"

#include <sched.h>

#define BATCHES 50
#define BATCH_NS 2000000u

static pthread_barrier_t barrier;
static unsigned long batch_pairs;

struct worker {
	pthread_t thread;
	size_t size;
};

struct best {
	double ns;
	double cpu_ns;
	double faults;
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

/* The number of pairs that fill a batch of one thread, found by doubling. */
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

static unsigned int usable_processors(unsigned int threads)
{
	cpu_set_t set;
	unsigned int count;

	if (sched_getaffinity(0, sizeof(set), &set))
		load_die("no set of processors");
	count = (unsigned int)CPU_COUNT(&set);
	return count < threads ? count : threads;
}

static uint64_t cpu_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static long faults_now(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* A first batch warms each thread's caches; the main thread measures between the barriers. */
static void *worker_main(void *argument)
{
	struct worker *worker = argument;

	for (int batch = 0; batch <= BATCHES; batch++) {
		pthread_barrier_wait(&barrier);
		run_pairs(worker->size, batch_pairs);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void measure_batch(struct best *best, unsigned int threads, double processors)
{
	double pairs = (double)batch_pairs * threads, ns;
	uint64_t begin_ns, begin_cpu_ns;
	long begin_faults = faults_now();

	begin_cpu_ns = cpu_now_ns();
	begin_ns = bench_now_ns();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	ns = (double)(bench_now_ns() - begin_ns) * processors / pairs;
	if (ns >= best->ns)
		return;
	best->ns = ns;
	best->cpu_ns = (double)(cpu_now_ns() - begin_cpu_ns) / pairs;
	best->faults = (double)(faults_now() - begin_faults) / pairs;
}

static struct best measure(size_t size, unsigned int threads)
{
	struct worker workers[LOAD_MAX_THREADS];
	struct best best = {.ns = 1e18}, warming = {.ns = 1e18};
	double processors = usable_processors(threads);

	batch_pairs = calibrate(size);
	for (unsigned int i = 0; i < threads; i++) {
		workers[i].size = size;
		load_start(&workers[i].thread, worker_main, &workers[i]);
	}
	measure_batch(&warming, threads, processors);
	for (int batch = 0; batch < BATCHES; batch++)
		measure_batch(&best, threads, processors);
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	return best;
}

int main(int argc, char **argv)
{
	unsigned int threads = load_threads(argc, argv, 3, "pairs-threads THREADS MIN MAX");
	size_t min_size, max_size;

	load_sizes(argc, argv, 2, &min_size, &max_size);
	pthread_barrier_init(&barrier, NULL, threads + 1);
	for (size_t size = min_size; size <= max_size; size *= 2) {
		struct best best = measure(size, threads);

		printf("%zu %.2f %.2f %.4f\n", size, best.ns, best.cpu_ns, best.faults);
	}
	return 0;
}
