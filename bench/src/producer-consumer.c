/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * producer-consumer MIN MAX BLOCKS: one thread allocates, another one frees.
 *
 * The blocks go through a ring of 256 pointers, so at most that many wait. The
 * producer writes the first and the last byte, the consumer reads both. Prints
 * "handovers NANOSECONDS" per block.
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define RING_SLOTS 256u

struct item {
	unsigned char *block;
	size_t size;
};

static struct item ring[RING_SLOTS];
static _Atomic unsigned long produced __attribute__((aligned(64)));
static _Atomic unsigned long consumed __attribute__((aligned(64)));
static unsigned long block_count;

static void *consume(void *argument)
{
	unsigned long *sum = argument;

	for (unsigned long i = 0; i < block_count; i++) {
		struct item *item = &ring[i % RING_SLOTS];

		while (atomic_load_explicit(&produced, memory_order_acquire) <= i)
			sched_yield();
		*sum += item->block[0] + item->block[item->size - 1];
		free(item->block);
		atomic_store_explicit(&consumed, i + 1, memory_order_release);
	}
	return NULL;
}

static void produce(size_t min_size, size_t max_size)
{
	uint64_t random_state = 88172645463325252u;

	for (unsigned long i = 0; i < block_count; i++) {
		struct item *item = &ring[i % RING_SLOTS];
		uint64_t draw = bench_random(&random_state);

		while (i - atomic_load_explicit(&consumed, memory_order_acquire) >= RING_SLOTS)
			sched_yield();
		item->size = min_size + (size_t)(draw % (max_size - min_size + 1));
		item->block = bench_alloc(item->size);
		item->block[0] = 1;
		item->block[item->size - 1] = 1;
		atomic_store_explicit(&produced, i + 1, memory_order_release);
	}
}

int main(int argc, char **argv)
{
	size_t min_size = bench_argument(argc, argv, 1, 0);
	size_t max_size = bench_argument(argc, argv, 2, 0);
	unsigned long sum = 0;
	pthread_t consumer;
	uint64_t begin;

	block_count = bench_argument(argc, argv, 3, 0);
	if (argc != 4 || min_size < 2 || max_size < min_size || block_count < 1) {
		fprintf(stderr, "usage: producer-consumer MIN MAX BLOCKS\n");
		return 1;
	}
	begin = bench_now_ns();
	if (pthread_create(&consumer, NULL, consume, &sum)) {
		fprintf(stderr, "producer-consumer: no thread\n");
		return 1;
	}
	produce(min_size, max_size);
	pthread_join(consumer, NULL);
	if (sum != 2 * block_count) {
		fprintf(stderr, "producer-consumer: a block lost its content\n");
		return 1;
	}
	printf("handovers %.2f\n", (double)(bench_now_ns() - begin) / (double)block_count);
	return 0;
}
