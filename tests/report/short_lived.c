/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holds small blocks whose lives are known: some MiB that are kept for ever, as much that come and go, each within some
 * milliseconds, and as much that are replaced once in a long time. tests/report/short-lived asks how long they live.
 *
 * Usage: short_lived NUMBER
 * Says "ready", and goes on until its input ends. Each number has other content.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCKS 65536 /* of each kind */
#define SIZE   128
#define LIFE_MS 32
#define TURNS  16 /* a life has so many steps, each of which replaces some blocks */

static char *kept[BLOCKS];
static char *temporary[BLOCKS];
static char *renewed[BLOCKS];
static int number;

/* The stack tells who allocates, so that nothing of these is to be inlined. */
#define KEPT_FRAME __attribute__((noinline, noclone))

static char *fill(char *block, size_t seed)
{
	if (!block)
		abort();
	memset(block, (int)(seed * 7 + (size_t)number), SIZE);
	return block;
}

KEPT_FRAME static void keeps(void)
{
	for (size_t i = 0; i < BLOCKS; i++)
		kept[i] = fill(malloc(SIZE), i);
}

KEPT_FRAME static void comes_and_goes(size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		free(temporary[i]);
		temporary[i] = fill(malloc(SIZE), i);
	}
}

KEPT_FRAME static void renews(void)
{
	for (size_t i = 0; i < BLOCKS; i++) {
		free(renewed[i]);
		renewed[i] = fill(malloc(SIZE), i);
	}
}

static bool goes_on(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&input, 1, 0) == 0;
}

int main(int count, char **arguments)
{
	const struct timespec pause = {0, LIFE_MS * 1000000 / TURNS};

	number = count > 1 ? atoi(arguments[1]) : 0;
	keeps();
	renews();
	for (size_t turn = 0; goes_on(); turn++) {
		comes_and_goes(turn % TURNS * (BLOCKS / TURNS), BLOCKS / TURNS);
		/* Once in 100 lives of the others, all at once. */
		if (turn % (100 * TURNS) == 0)
			renews();
		if (turn == TURNS) {
			puts("ready");
			fflush(stdout);
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}
