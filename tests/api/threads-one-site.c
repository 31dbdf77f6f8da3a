/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that share one site get blocks that do not overlap, and one thread frees what another made. */
#include "test.h"

#include <pthread.h>

#define THREADS	4
#define COUNT	400
#define ROUNDS	8

static void *blocks[THREADS][COUNT];
static pthread_barrier_t barrier;

static size_t size_of(size_t thread, size_t i)
{
	return 16 * TEST_KIB + (thread * 977 + i * 4099) % (64 * TEST_KIB);
}

static void *run(void *data)
{
	size_t self = (size_t)(uintptr_t)data, other = (self + 1) % THREADS;

	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < COUNT; i++) {
			blocks[self][i] = malloc(size_of(self, i));
			CHECK(blocks[self][i] != NULL);
			test_fill(blocks[self][i], size_of(self, i), self * COUNT + i);
		}
		pthread_barrier_wait(&barrier);
		for (size_t i = 0; i < COUNT; i++) {
			CHECK(test_matches(blocks[other][i], size_of(other, i), other * COUNT + i));
			free(blocks[other][i]);
		}
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
	for (size_t i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	return 0;
}
