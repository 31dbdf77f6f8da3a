/* SPDX-License-Identifier: BSD-2-Clause */
/* Eight threads allocate, resize and free at random, half of it each other's blocks, and no byte is lost. */
#include "test.h"

#include <pthread.h>

#define THREADS	8
#define SLOTS	128
#ifdef __SANITIZE_THREAD__
#define ROUNDS	2000
#else
#define ROUNDS	20000
#endif

struct block {
	pthread_mutex_t lock;
	char *data;
	size_t size;
	uint64_t seed;
};

static struct block shared[SLOTS];

static size_t random_size(uint64_t *state)
{
	return test_random(state) % 4 ? 1 + test_random(state) % 3000 :
					16 * TEST_KIB + test_random(state) % (150 * TEST_KIB);
}

static void step(struct block *block, uint64_t *state)
{
	size_t size = random_size(state);

	if (block->data)
		CHECK_MSG(test_matches(block->data, block->size, block->seed), "a block of %zu bytes changed",
			  block->size);
	if (block->data && test_random(state) % 3 == 0) {
		free(block->data);
		block->data = NULL;
		return;
	}
	block->data = realloc(block->data, size);
	CHECK(block->data != NULL);
	block->size = size;
	block->seed = test_random(state);
	test_fill(block->data, size, block->seed);
}

static void *run(void *data)
{
	uint64_t state = (uint64_t)(uintptr_t)data;
	static __thread struct block own[16];

	for (int i = 0; i < ROUNDS; i++) {
		struct block *block = &shared[test_random(&state) % SLOTS];

		step(&own[test_random(&state) % TEST_COUNT_OF(own)], &state);
		/* Freed and resized by another thread than the one that allocated. */
		if (pthread_mutex_trylock(&block->lock) == 0) {
			step(block, &state);
			pthread_mutex_unlock(&block->lock);
		}
	}
	for (size_t i = 0; i < TEST_COUNT_OF(own); i++)
		free(own[i].data);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < SLOTS; i++)
		pthread_mutex_init(&shared[i].lock, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, run, (void *)(i + 1)) == 0);
	for (size_t i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	return 0;
}
