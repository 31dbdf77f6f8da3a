/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread takes so many MiB of small blocks and writes to all of them; then it frees them, or not, and sleeps. In its arena
 * nothing happens from then on. "trim" has another thread call malloc_trim(3) after that.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 256

struct work {
	size_t blocks;
	bool frees;
	pthread_barrier_t done;
};

static void *run(void *argument)
{
	struct work *work = argument;
	char **blocks = malloc(work->blocks * sizeof(*blocks));

	for (size_t i = 0; blocks && i < work->blocks; i++) {
		blocks[i] = malloc(BLOCK);
		if (!blocks[i])
			abort();
		memset(blocks[i], 1, BLOCK);
	}
	for (size_t i = 0; blocks && work->frees && i < work->blocks; i++)
		free(blocks[i]);
	pthread_barrier_wait(&work->done);
	for (;;)
		pause();
	return NULL;
}

int main(int count, char **arguments)
{
	const char *how = count > 2 ? arguments[2] : "";
	struct work work = {.frees = strcmp(how, "keeps") != 0};
	pthread_t thread;
	char end;

	if (count < 3)
		return 2;
	work.blocks = (size_t)strtoul(arguments[1], NULL, 10) * (1024 * 1024 / BLOCK);
	pthread_barrier_init(&work.done, NULL, 2);
	if (pthread_create(&thread, NULL, run, &work) != 0)
		return 1;
	pthread_barrier_wait(&work.done);
	if (strcmp(how, "trims") == 0)
		malloc_trim(0);
	puts("ready");
	fflush(stdout);
	return read(STDIN_FILENO, &end, 1) == 1;
}
