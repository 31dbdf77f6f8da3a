/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that fill and free rows of blocks of one length at one site get blocks that do not overlap, whichever of the
 * rows that came back is taken again.
 */
#include "test.h"

#include <pthread.h>

#define THREADS	3
#define COUNT	200
#define ROUNDS	12
#define SIZE	(64 * TEST_KIB)

/* In one order and in the other, and a part of them only from time to time: what is left then is in the way. */
static void use_row(unsigned char **blocks, size_t count, size_t round, unsigned char mark)
{
	for (size_t i = 0; i < count; i++) {
		blocks[i] = malloc(SIZE);
		CHECK(blocks[i] != NULL);
		for (size_t at = 0; at < SIZE; at += TEST_PAGE)
			blocks[i][at] = mark;
	}
	for (size_t i = 0; i < count; i++) {
		unsigned char *block = blocks[round % 2 ? i : count - 1 - i];

		for (size_t at = 0; at < SIZE; at += TEST_PAGE)
			CHECK(block[at] == mark);
		free(block);
	}
}

static void *run(void *data)
{
	size_t self = (size_t)(uintptr_t)data;
	unsigned char *blocks[COUNT];

	for (size_t round = test_opaque(0); round < ROUNDS; round++)
		use_row(blocks, round % 3 == 2 ? COUNT / 2 + self : COUNT, round, (unsigned char)(1 + self));
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	/* Alone first, so that memory is kept for it. */
	run((void *)(uintptr_t)THREADS);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
	for (size_t i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	return 0;
}
