/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sh8bench THREADS MIN MAX BLOCKS ROUNDS: many blocks of a few sizes, freed in several orders.
 *
 * After SmartHeap's benchmark of that name, as far as the idea goes. In each round a thread
 * allocates BLOCKS blocks, in series of up to 32 of one size: small sizes come in longer series
 * than large ones. After a series, each fourth time, half of it is freed at once, the last block
 * first. At the end of a round the rest is freed in the order of its allocation, or in the opposite
 * order in each other round; a third of it stays until the next round has ended.
 */
#include "load.h"

#define LONGEST_SERIES 32u

struct worker {
	pthread_t thread;
	uint64_t random_state;
	size_t **blocks; /* Of the round in progress. */
	size_t **older;	 /* Of the round before, with gaps. */
};

static size_t min_size, max_size;
static unsigned long block_count, round_count;

/* One size, and as many blocks of it as fit a fixed number of bytes: 2 at least. */
static unsigned long allocate_series(struct worker *worker, unsigned long filled)
{
	size_t size = load_mixed_size(&worker->random_state, min_size, max_size);
	unsigned long length = LONGEST_SERIES * min_size / size, first = filled;

	if (length < 2)
		length = 2;
	while (filled < block_count && filled - first < length)
		worker->blocks[filled++] = load_alloc(size);
	return filled;
}

static void free_half(struct worker *worker, unsigned long first, unsigned long end)
{
	for (unsigned long i = end; i > first + (end - first) / 2; i--) {
		load_free(worker->blocks[i - 1]);
		worker->blocks[i - 1] = NULL;
	}
}

static void free_all(size_t **blocks)
{
	for (unsigned long i = 0; i < block_count; i++) {
		load_free(blocks[i]);
		blocks[i] = NULL;
	}
}

static void free_two_thirds(size_t **blocks, int backwards)
{
	for (unsigned long i = 0; i < block_count; i++) {
		unsigned long index = backwards ? block_count - 1 - i : i;

		if (index % 3 == 0)
			continue;
		load_free(blocks[index]);
		blocks[index] = NULL;
	}
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;

	for (unsigned long round = 0; round < round_count; round++) {
		size_t **swap = worker->older;
		unsigned long series = 0;

		for (unsigned long filled = 0; filled < block_count; series++) {
			unsigned long first = filled;

			filled = allocate_series(worker, first);
			if (series % 4 == 3)
				free_half(worker, first, filled);
		}
		free_two_thirds(worker->blocks, round % 2 == 1);
		free_all(worker->older);
		worker->older = worker->blocks;
		worker->blocks = swap;
	}
	free_all(worker->older);
	return NULL;
}

static size_t **new_places(void)
{
	size_t **places = calloc(block_count, sizeof(*places));

	if (!places)
		load_die("sh8bench: no memory");
	return places;
}

int main(int argc, char **argv)
{
	static struct worker workers[LOAD_MAX_THREADS];
	unsigned int threads =
		load_threads(argc, argv, 5, "sh8bench THREADS MIN MAX BLOCKS ROUNDS");
	struct load_meter meter;

	load_sizes(argc, argv, 2, &min_size, &max_size);
	block_count = bench_argument(argc, argv, 4, 0);
	round_count = bench_argument(argc, argv, 5, 0);
	if (!block_count || !round_count)
		load_die("sh8bench: nothing to do");
	for (unsigned int i = 0; i < threads; i++) {
		workers[i].random_state = 88172645463325252u + i;
		workers[i].blocks = new_places();
		workers[i].older = new_places();
	}
	load_begin(&meter);
	for (unsigned int i = 0; i < threads; i++)
		load_start(&workers[i].thread, worker_main, &workers[i]);
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	load_print(&meter, round_count * block_count * threads);
	putchar('\n');
	return 0;
}
