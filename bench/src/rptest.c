/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rptest THREADS MIN MAX BLOCKS LOOPS CROSS: random sizes at random places, and blocks that
 * another thread frees.
 *
 * After rpmalloc's benchmark. Each of THREADS threads has BLOCKS places, and in each
 * of LOOPS loops gives a quarter of them, at random, a new block: sizes from MIN to MAX, each
 * power of two as likely as the others. In every CROSS-th loop a thread passes the blocks that it
 * would free on to its neighbour, which frees them at the begin of its own next loop.
 */
#include "load.h"

#include <stdatomic.h>

struct worker {
	pthread_t thread;
	uint64_t random_state;
	size_t **blocks;
	struct worker *neighbour;
	/* The blocks that others leave here: a list through their third words. */
	_Atomic(size_t *) incoming __attribute__((aligned(64)));
};

static size_t min_size, max_size;
static unsigned long block_count, loop_count, cross_loops;
static pthread_barrier_t barrier;

static void pass_on(struct worker *neighbour, size_t *block)
{
	size_t *head = atomic_load(&neighbour->incoming);

	do {
		block[2] = (size_t)head;
	} while (!atomic_compare_exchange_weak(&neighbour->incoming, &head, block));
}

static void free_incoming(struct worker *worker)
{
	size_t *block = atomic_exchange(&worker->incoming, NULL);

	while (block) {
		size_t *next =
			(size_t *)block[2]; /* NOLINT: a pointer is kept in the block itself. */

		load_free(block);
		block = next;
	}
}

static void run_loop(struct worker *worker, int crossing)
{
	free_incoming(worker);
	for (unsigned long i = 0; i < block_count / 4; i++) {
		size_t **place = &worker->blocks[bench_random(&worker->random_state) % block_count];

		if (*place && crossing)
			pass_on(worker->neighbour, *place);
		else
			load_free(*place);
		*place = load_alloc(load_mixed_size(&worker->random_state, min_size, max_size));
	}
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;

	for (unsigned long loop = 1; loop <= loop_count; loop++)
		run_loop(worker, loop % cross_loops == 0);
	pthread_barrier_wait(&barrier); /* Nobody passes anything on after it. */
	free_incoming(worker);
	for (unsigned long i = 0; i < block_count; i++)
		load_free(worker->blocks[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct worker workers[LOAD_MAX_THREADS];
	unsigned int threads =
		load_threads(argc, argv, 6, "rptest THREADS MIN MAX BLOCKS LOOPS CROSS");
	struct load_meter meter;

	load_sizes(argc, argv, 2, &min_size, &max_size);
	block_count = bench_argument(argc, argv, 4, 0);
	loop_count = bench_argument(argc, argv, 5, 0);
	cross_loops = bench_argument(argc, argv, 6, 0);
	if (block_count < 4 || !loop_count || !cross_loops)
		load_die("rptest: nothing to do");
	pthread_barrier_init(&barrier, NULL, threads);
	for (unsigned int i = 0; i < threads; i++) {
		workers[i].random_state = 88172645463325252u + i;
		workers[i].neighbour = &workers[(i + 1) % threads];
		workers[i].blocks = calloc(block_count, sizeof(*workers[i].blocks));
		if (!workers[i].blocks)
			load_die("rptest: no memory");
	}
	load_begin(&meter);
	for (unsigned int i = 0; i < threads; i++)
		load_start(&workers[i].thread, worker_main, &workers[i]);
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	load_print(&meter, loop_count * (block_count / 4) * threads);
	putchar('\n');
	return 0;
}
