/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mstress THREADS ROUNDS BLOCKS LARGE: rounds of threads that allocate, free, and
 * hand blocks over to each other.
 *
 * After the stress test of mimalloc. In each round THREADS new threads allocate
 * BLOCKS blocks each, of 32 B to 4 KiB, and LARGE of a hundred of 16 to 512 KiB. After each
 * block a thread frees one of those it holds, or swaps one with a place that
 * all threads see, or does nothing; what it holds at the end it frees, up to a
 * tenth that it leaves in the shared places for the next round. The main thread frees
 * these after every fourth round.
 */
#include "load.h"

#include <stdatomic.h>

#define SHARED_PLACES 512u
#define OWN_PLACES 256u
#define SMALL_MIN LOAD_MIN_BLOCK
#define SMALL_MAX ((size_t)4 << 10)
#define LARGE_MIN ((size_t)16 << 10)
#define LARGE_MAX ((size_t)512 << 10)

static _Atomic(size_t *) shared_places[SHARED_PLACES];
static unsigned long block_count, large_percent;

struct worker {
	pthread_t thread;
	uint64_t random_state;
	size_t *own[OWN_PLACES];
};

static size_t draw_size(uint64_t *random_state)
{
	if (bench_random(random_state) % 100 < large_percent)
		return load_mixed_size(random_state, LARGE_MIN, LARGE_MAX);
	return load_mixed_size(random_state, SMALL_MIN, SMALL_MAX);
}

/* Gives a block, or nothing, to the other threads and returns what lay there. */
static size_t *swap_shared(uint64_t draw, size_t *block)
{
	return atomic_exchange(&shared_places[draw % SHARED_PLACES], block);
}

static void *worker_main(void *argument)
{
	struct worker *worker = argument;

	for (unsigned long i = 0; i < block_count; i++) {
		uint64_t draw = bench_random(&worker->random_state);
		size_t **place = &worker->own[draw % OWN_PLACES];
		size_t **other = &worker->own[(draw >> 16) % OWN_PLACES];

		load_free(*place);
		*place = load_alloc(draw_size(&worker->random_state));
		switch ((draw >> 32) % 4) {
		case 0:
			load_free(*other);
			*other = NULL;
			break;
		case 1:
			*other = swap_shared(draw >> 40, *other);
			break;
		default:
			break;
		}
	}
	for (unsigned int i = 0; i < OWN_PLACES; i++) {
		if (i % 10 == 0)
			worker->own[i] = swap_shared(i, worker->own[i]);
		load_free(worker->own[i]);
		worker->own[i] = NULL;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct worker workers[LOAD_MAX_THREADS];
	unsigned int threads = load_threads(argc, argv, 4, "mstress THREADS ROUNDS BLOCKS LARGE");
	unsigned long rounds = bench_argument(argc, argv, 2, 0);
	struct load_meter meter;

	block_count = bench_argument(argc, argv, 3, 0);
	large_percent = bench_argument(argc, argv, 4, 0);
	if (!rounds || !block_count || large_percent > 100)
		load_die("mstress: nothing to do");
	load_begin(&meter);
	for (unsigned long round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < threads; i++) {
			workers[i].random_state = (round + 1) * 88172645463325252u + i;
			load_start(&workers[i].thread, worker_main, &workers[i]);
		}
		for (unsigned int i = 0; i < threads; i++)
			pthread_join(workers[i].thread, NULL);
		for (unsigned int i = 0; i < SHARED_PLACES && round % 4 == 3; i++)
			load_free(swap_shared(i, NULL));
	}
	load_print(&meter, rounds * block_count * threads);
	putchar('\n');
	return 0;
}
