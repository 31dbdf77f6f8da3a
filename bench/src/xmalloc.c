/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xmalloc PAIRS MIN MAX BATCH MILLISECONDS: half of the threads only allocate, the other
 * half only frees.
 *
 * After xmalloc-test by Lever and Boreham ("malloc() performance in a
 * multithreaded Linux environment"), as far as the idea goes: PAIRS producers
 * fill batches of BATCH blocks, a queue takes them, PAIRS consumers free them. The
 * queue holds at most 8 batches a pair, so that a slow consumer stops its producers.
 */
#include "load.h"

#include <stdatomic.h>
#include <unistd.h>

#define BATCHES_PER_PAIR 8u
#define MAX_BATCH 4096u

struct batch {
	struct batch *next;
	size_t *blocks[MAX_BATCH];
};

struct producer {
	pthread_t thread;
	uint64_t random_state;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct batch *full, *empty;
static size_t min_size, max_size;
static unsigned long batch_blocks;
static unsigned int producers_left;
static _Atomic int stop;
static _Atomic unsigned long freed;

static void put(struct batch **list, struct batch *batch)
{
	pthread_mutex_lock(&lock);
	batch->next = *list;
	*list = batch;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* NULL if there is none and none will come. */
static struct batch *take(struct batch **list)
{
	struct batch *batch;

	pthread_mutex_lock(&lock);
	while (!*list && producers_left)
		pthread_cond_wait(&changed, &lock);
	batch = *list;
	if (batch)
		*list = batch->next;
	pthread_mutex_unlock(&lock);
	return batch;
}

static void *produce(void *argument)
{
	struct producer *producer = argument;

	while (!stop) {
		struct batch *batch = take(&empty);

		for (unsigned long i = 0; i < batch_blocks; i++)
			batch->blocks[i] = load_alloc(
				load_even_size(&producer->random_state, min_size, max_size));
		put(&full, batch);
	}
	pthread_mutex_lock(&lock);
	producers_left--;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void *consume(void *argument)
{
	struct batch *batch;

	(void)argument;
	while ((batch = take(&full))) {
		for (unsigned long i = 0; i < batch_blocks; i++)
			load_free(batch->blocks[i]);
		freed += batch_blocks;
		put(&empty, batch);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct producer producers[LOAD_MAX_THREADS];
	static pthread_t consumers[LOAD_MAX_THREADS];
	unsigned int pairs =
		load_threads(argc, argv, 5, "xmalloc PAIRS MIN MAX BATCH MILLISECONDS");
	unsigned long milliseconds = bench_argument(argc, argv, 5, 0);
	struct load_meter meter;

	load_sizes(argc, argv, 2, &min_size, &max_size);
	batch_blocks = bench_argument(argc, argv, 4, 0);
	if (batch_blocks < 1 || batch_blocks > MAX_BATCH || !milliseconds)
		load_die("xmalloc: 1 to 4096 blocks a batch, and a time");
	producers_left = pairs;
	for (unsigned int i = 0; i < pairs * BATCHES_PER_PAIR; i++)
		put(&empty, bench_alloc(sizeof(struct batch)));
	load_begin(&meter);
	for (unsigned int i = 0; i < pairs; i++) {
		producers[i].random_state = 88172645463325252u + i;
		load_start(&producers[i].thread, produce, &producers[i]);
		load_start(&consumers[i], consume, NULL);
	}
	usleep((useconds_t)milliseconds * 1000);
	stop = 1;
	for (unsigned int i = 0; i < pairs; i++) {
		pthread_join(producers[i].thread, NULL);
		pthread_join(consumers[i], NULL);
	}
	load_print(&meter, freed);
	putchar('\n');
	return 0;
}
