/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bursts THREADS REQUESTS REST: a server whose requests take much memory for a short while.
 *
 * Each of THREADS threads answers REQUESTS requests. For one it allocates 50 to 200 blocks of 16
 * to 512 KiB from 20 sites, writes to each of their pages, and frees them all at the end. Beside
 * that it holds 64 blocks of the same sites, as a server's cache, and replaces one in each request.
 *
 * Prints the pairs of load.h per block, "pages N" (written per block: what faults would be
 * without any reuse), and memory in KiB, page tables included: "live" is what the program holds
 * between requests, "peak" the most that was resident, "after" what is resident right after the
 * last request, "rested" what is when it slept for REST milliseconds and allocated 50 more blocks.
 */
#include "load.h"

#include <fcntl.h>
#include <unistd.h>

#define SITES 20u
#define CACHED 64u
#define MIN_BLOCKS 50u
#define MAX_BLOCKS 200u
#define MIN_SIZE ((size_t)16 << 10)
#define MAX_SIZE ((size_t)512 << 10)
#define PAGE 4096u

struct worker {
	pthread_t thread;
	uint64_t random_state;
	unsigned long requests;
	unsigned long blocks;
	unsigned long pages;
	size_t *cached[CACHED];
};

static pthread_barrier_t barrier;

#define DEFINE_SITE(number)                                                                        \
	static BENCH_NOINLINE void *site_##number(size_t size)                                     \
	{                                                                                          \
		void *block;                                                                       \
                                                                                                   \
		BENCH_OWN_SITE(number);                                                            \
		block = bench_alloc(size);                                                         \
		BENCH_OWN_SITE(number);                                                            \
		return block;                                                                      \
	}

#define FOR_EACH_SITE(action)                                                                      \
	action(0) action(1) action(2) action(3) action(4) action(5) action(6) action(7) action(8)  \
		action(9) action(10) action(11) action(12) action(13) action(14) action(15)        \
			action(16) action(17) action(18) action(19)

FOR_EACH_SITE(DEFINE_SITE)

#define NAME_SITE(number) site_##number,

static void *(*const site_functions[SITES])(size_t) = {FOR_EACH_SITE(NAME_SITE)};

static size_t *new_block(struct worker *worker)
{
	uint64_t draw = bench_random(&worker->random_state);
	size_t size = load_mixed_size(&worker->random_state, MIN_SIZE, MAX_SIZE);
	char *block = site_functions[draw % SITES](size);

	for (size_t offset = 0; offset < size; offset += PAGE)
		block[offset] = 1;
	worker->blocks++;
	worker->pages += (size + PAGE - 1) / PAGE;
	return load_mark(block, size);
}

static void answer(struct worker *worker)
{
	size_t *blocks[MAX_BLOCKS];
	uint64_t draw = bench_random(&worker->random_state);
	size_t count = MIN_BLOCKS + (size_t)(draw % (MAX_BLOCKS - MIN_BLOCKS + 1));
	size_t **cached = &worker->cached[(draw >> 32) % CACHED];

	for (size_t i = 0; i < count; i++)
		blocks[i] = new_block(worker);
	load_free(*cached);
	*cached = new_block(worker);
	for (size_t i = 0; i < count; i++)
		load_free(blocks[i]);
}

/* The first request of all threads warms up; the main thread measures between the barriers. */
static void *worker_main(void *argument)
{
	struct worker *worker = argument;

	for (unsigned int i = 0; i < CACHED; i++)
		worker->cached[i] = new_block(worker);
	answer(worker);
	worker->blocks = worker->pages = 0;
	pthread_barrier_wait(&barrier);
	for (unsigned long i = 0; i < worker->requests; i++)
		answer(worker);
	pthread_barrier_wait(&barrier); /* Measured until here. */
	pthread_barrier_wait(&barrier); /* The program has rested. */
	for (unsigned int i = 0; i < MIN_BLOCKS; i++)
		load_free(load_alloc(MIN_SIZE));
	pthread_barrier_wait(&barrier); /* What remains is read. */
	pthread_barrier_wait(&barrier);
	for (unsigned int i = 0; i < CACHED; i++)
		load_free(worker->cached[i]);
	return NULL;
}

/* A line "NAME: N kB" of the process's status, and its page tables, without the heap. */
static unsigned long status_kib(const char *name)
{
	unsigned long sum = 0;
	char text[4096];
	int file = open("/proc/self/status", O_RDONLY);
	ssize_t length = file < 0 ? -1 : read(file, text, sizeof(text) - 1);
	const char *names[] = {name, "VmPTE:"};

	if (length <= 0)
		load_die("bursts: no /proc/self/status");
	close(file);
	text[length] = '\0';
	for (size_t i = 0; i < 2; i++) {
		const char *line = strstr(text, names[i]);

		if (!line)
			load_die("bursts: the kernel does not count its memory");
		sum += strtoul(line + strlen(names[i]), NULL, 10);
	}
	return sum;
}

static unsigned long live_kib(const struct worker *workers, unsigned int threads)
{
	size_t sum = 0;

	for (unsigned int i = 0; i < threads; i++) {
		for (unsigned int j = 0; j < CACHED; j++)
			sum += workers[i].cached[j][0];
	}
	return sum / 1024;
}

static void report(const struct load_meter *meter, const struct worker *workers,
		   unsigned int threads)
{
	unsigned long blocks = 0, pages = 0, after = status_kib("VmRSS:");

	for (unsigned int i = 0; i < threads; i++) {
		blocks += workers[i].blocks;
		pages += workers[i].pages;
	}
	load_print(meter, blocks);
	printf(" pages %.2f live %lu peak %lu after %lu", (double)pages / (double)blocks,
	       live_kib(workers, threads), status_kib("VmHWM:"), after);
}

int main(int argc, char **argv)
{
	static struct worker workers[LOAD_MAX_THREADS];
	unsigned int threads = load_threads(argc, argv, 3, "bursts THREADS REQUESTS REST");
	unsigned long requests = bench_argument(argc, argv, 2, 0);
	unsigned long rest_ms = bench_argument(argc, argv, 3, 0);
	struct load_meter meter;

	if (!requests)
		load_die("bursts: nothing to do");
	pthread_barrier_init(&barrier, NULL, threads + 1);
	for (unsigned int i = 0; i < threads; i++) {
		workers[i].random_state = 88172645463325252u + i;
		workers[i].requests = requests;
		load_start(&workers[i].thread, worker_main, &workers[i]);
	}
	pthread_barrier_wait(&barrier);
	load_begin(&meter);
	pthread_barrier_wait(&barrier);
	report(&meter, workers, threads);
	usleep((useconds_t)rest_ms * 1000);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	printf(" rested %lu\n", status_kib("VmRSS:"));
	pthread_barrier_wait(&barrier);
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	return 0;
}
