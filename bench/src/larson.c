/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * larson THREADS MIN MAX BLOCKS ROUNDS: blocks that outlive the thread that allocated them.
 *
 * After Larson and Krishnan, "Memory allocation for long-running server
 * applications": each thread replaces random blocks of an array, then hands the
 * array to a new thread and ends. Prints "replacements NANOSECONDS" per
 * replaced block (one free, one malloc, first and last byte written).
 */
#include "bench.h"

#include <pthread.h>

#define MAX_THREADS 64

struct chain {
	pthread_t thread;
	void **blocks;
	size_t min_size;
	size_t max_size;
	unsigned long block_count;
	uint64_t random_state;
};

static void *new_block(struct chain *chain)
{
	size_t spread = chain->max_size - chain->min_size + 1;
	size_t size = chain->min_size + (size_t)(bench_random(&chain->random_state) % spread);
	char *block = bench_alloc(size);

	block[0] = 1;
	block[size - 1] = 1;
	return block;
}

static void *replace_blocks(void *argument)
{
	struct chain *chain = argument;

	for (unsigned long i = 0; i < chain->block_count; i++) {
		unsigned long victim =
			(unsigned long)bench_random(&chain->random_state) % chain->block_count;

		free(chain->blocks[victim]);
		chain->blocks[victim] = new_block(chain);
	}
	return NULL;
}

static void chain_init(struct chain *chain, char **argv, unsigned int index)
{
	chain->min_size = bench_argument(6, argv, 2, 0);
	chain->max_size = bench_argument(6, argv, 3, 0);
	chain->block_count = bench_argument(6, argv, 4, 0);
	chain->random_state = 88172645463325252u + index;
	chain->blocks = bench_alloc(chain->block_count * sizeof(void *));
	for (unsigned long i = 0; i < chain->block_count; i++)
		chain->blocks[i] = new_block(chain);
}

int main(int argc, char **argv)
{
	static struct chain chains[MAX_THREADS];
	unsigned int threads = (unsigned int)bench_argument(argc, argv, 1, 0);
	unsigned long rounds = bench_argument(argc, argv, 5, 0);
	uint64_t begin;

	if (argc != 6 || threads < 1 || threads > MAX_THREADS || rounds < 1) {
		fprintf(stderr, "usage: larson THREADS MIN MAX BLOCKS ROUNDS\n");
		return 1;
	}
	for (unsigned int i = 0; i < threads; i++)
		chain_init(&chains[i], argv, i);
	begin = bench_now_ns();
	for (unsigned long round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < threads; i++) {
			if (pthread_create(&chains[i].thread, NULL, replace_blocks, &chains[i])) {
				fprintf(stderr, "larson: no thread\n");
				return 1;
			}
		}
		for (unsigned int i = 0; i < threads; i++)
			pthread_join(chains[i].thread, NULL);
	}
	printf("replacements %.2f\n", (double)(bench_now_ns() - begin) /
					      (double)(rounds * chains[0].block_count * threads));
	return 0;
}
