/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * larson-rate THREADS MIN MAX BLOCKS REPLACEMENTS MILLISECONDS: how many blocks a
 * second THREADS chains of threads replace.
 *
 * As larson.c, but the chains do not wait for each other: a thread that replaced
 * REPLACEMENTS random blocks of its array of BLOCKS starts its successor, hands
 * it the array, and ends. It does not measure the threads' own cost: choose
 * REPLACEMENTS large. Until each block was replaced some 100 times nothing is counted: what
 * is touched for the first time is not what a server does all day. Blocks are only marked at
 * both ends.
 */
#include "load.h"

#include <stdatomic.h>
#include <unistd.h>

#define WARMING_TURNS 100u
#define WARMING_LIMIT_NS 60000000000u

struct chain {
	size_t **blocks;
	uint64_t random_state;
	_Atomic unsigned long replaced __attribute__((aligned(64)));
};

static size_t min_size, max_size;
static unsigned long block_count, quota;
static _Atomic int stop;
static _Atomic unsigned int chains_left;

static void replace_quota(struct chain *chain)
{
	unsigned long before = atomic_load_explicit(&chain->replaced, memory_order_relaxed);

	for (unsigned long i = 1; i <= quota && !stop; i++) {
		size_t **victim = &chain->blocks[bench_random(&chain->random_state) % block_count];

		load_free(*victim);
		*victim = load_alloc(load_even_size(&chain->random_state, min_size, max_size));
		atomic_store_explicit(&chain->replaced, before + i, memory_order_relaxed);
	}
}

/* The threads are detached: nobody waits for one of them, and memory goes with the last. */
static void *link_main(void *argument)
{
	pthread_t successor;

	replace_quota(argument);
	if (stop) {
		chains_left--;
		return NULL;
	}
	load_start(&successor, link_main, argument);
	pthread_detach(successor);
	return NULL;
}

static unsigned long replaced_by_all(const struct chain *chains, unsigned int threads)
{
	unsigned long sum = 0;

	for (unsigned int i = 0; i < threads; i++)
		sum += atomic_load_explicit(&chains[i].replaced, memory_order_relaxed);
	return sum;
}

static void warm_up(const struct chain *chains, unsigned int threads)
{
	uint64_t begin = bench_now_ns();

	while (replaced_by_all(chains, threads) < WARMING_TURNS * block_count * threads) {
		if (bench_now_ns() - begin > WARMING_LIMIT_NS)
			load_die("larson-rate: too few replacements in a minute");
		usleep(1000);
	}
}

static void start_chain(struct chain *chain, unsigned int index)
{
	pthread_t thread;

	chain->random_state = 88172645463325252u + index;
	chain->blocks = bench_alloc(block_count * sizeof(*chain->blocks));
	for (unsigned long i = 0; i < block_count; i++)
		chain->blocks[i] =
			load_alloc(load_even_size(&chain->random_state, min_size, max_size));
	load_start(&thread, link_main, chain);
	pthread_detach(thread);
}

int main(int argc, char **argv)
{
	static struct chain chains[LOAD_MAX_THREADS];
	unsigned int threads = load_threads(
		argc, argv, 6, "larson-rate THREADS MIN MAX BLOCKS REPLACEMENTS MILLISECONDS");
	unsigned long milliseconds = bench_argument(argc, argv, 6, 0), before;
	struct load_meter meter;

	load_sizes(argc, argv, 2, &min_size, &max_size);
	block_count = bench_argument(argc, argv, 4, 0);
	quota = bench_argument(argc, argv, 5, 0);
	if (!block_count || !quota || !milliseconds)
		load_die("larson-rate: nothing to do");
	chains_left = threads;
	for (unsigned int i = 0; i < threads; i++)
		start_chain(&chains[i], i);
	warm_up(chains, threads);
	load_begin(&meter);
	before = replaced_by_all(chains, threads);
	usleep((useconds_t)milliseconds * 1000);
	load_print(&meter, replaced_by_all(chains, threads) - before);
	putchar('\n');
	stop = 1;
	while (chains_left)
		usleep(1000);
	return 0;
}
