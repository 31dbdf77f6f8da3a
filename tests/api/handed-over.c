/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks that one thread allocates and others free, through magazines that fill up: no block is handed
 * out twice, all content stays whole, and in the end the counters of all threads add up to nothing.
 */
#include "test.h"

#include <pthread.h>

#define CONSUMERS 3
#define BLOCKS	  3000
#define RING	  128u

static struct {
	void *block;
	size_t size;
	uint64_t seed;
} ring[RING];
static unsigned produced, consumed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static size_t first_bytes; /* of the blocks that fill the ring first */

static void *consume(void *argument)
{
	for (;;) {
		void *block;
		size_t size;
		uint64_t seed;

		pthread_mutex_lock(&lock);
		/* All begin when the ring is full, so that it is known what was live at once. */
		while ((consumed == produced || (consumed == 0 && produced < RING)) && produced < BLOCKS)
			pthread_cond_wait(&changed, &lock);
		if (consumed == BLOCKS) {
			pthread_cond_broadcast(&changed);
			pthread_mutex_unlock(&lock);
			return argument;
		}
		if (consumed == produced) {
			pthread_mutex_unlock(&lock);
			continue;
		}
		block = ring[consumed % RING].block;
		size = ring[consumed % RING].size;
		seed = ring[consumed % RING].seed;
		consumed++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
		CHECK(test_matches(block, size, seed));
		free(block);
	}
}

/* From one line, so that there is one site. */
static TEST_NOINLINE void produce(const struct ksmalloc_segment_site **site)
{
	uint64_t state = 7;

	for (unsigned i = 0; i < BLOCKS; i++) {
		size_t size = 16 * TEST_KIB + test_random(&state) % (112 * TEST_KIB);
		void *block = malloc(size);

		CHECK(block != NULL);
		first_bytes += i < RING ? size : 0;
		CHECK(test_tail_is_zero(block, size));
		test_fill(block, size, i);
		if (i == BLOCKS / 2)
			*site = test_site_of(block);
		pthread_mutex_lock(&lock);
		while (produced - consumed == RING)
			pthread_cond_wait(&changed, &lock);
		ring[produced % RING].block = block;
		ring[produced % RING].size = size;
		ring[produced % RING].seed = i;
		produced++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
}

int main(void)
{
	const struct ksmalloc_segment_site *site = NULL;
	pthread_t threads[CONSUMERS];

	for (int i = 0; i < CONSUMERS; i++)
		CHECK(pthread_create(&threads[i], NULL, consume, NULL) == 0);
	produce(&site);
	for (int i = 0; i < CONSUMERS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(site != NULL);
	struct ksmalloc_site_stats stats = test_stats_of(site);

	CHECK(stats.calls_total == BLOCKS);
	CHECK(stats.frees_total == BLOCKS);
	CHECK(stats.live_bytes == 0);
	CHECK(stats.placed_bytes == 0);
	CHECK(stats.peak_bytes >= first_bytes);
	return 0;
}
