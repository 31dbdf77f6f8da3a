/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storm: several processes fork short-lived children at once, as fast as they can; in every second of them two threads do.
 * Children allocate, some of them much, and see that what they have, and what they inherited, keeps its content; and nothing is
 * left behind in who forks. Prints how many children that were, and how many a second.
 */
#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FORKERS 4
#define CHILDREN 900 /* of each forker */
#define EARLY 200     /* until these are gone, the forker's memory may grow */
#define IN_FLIGHT 4
#define BLOCKS 120
/* One child of so many takes so many times as many blocks. */
#define LARGE_EVERY 16
#define LARGE_TIMES 20

static const size_t sizes[] = { 24, 100, 700, 3000 };

struct held {
	unsigned char *blocks[BLOCKS];
	unsigned char mark;
};

static void take(struct held *held, unsigned char mark)
{
	held->mark = mark;
	for (int i = 0; i < BLOCKS; i++) {
		held->blocks[i] = malloc(sizes[i % 4]);
		CHECK(held->blocks[i] != NULL);
		memset(held->blocks[i], mark + i, sizes[i % 4]);
	}
}

static void check(const struct held *held)
{
	for (int i = 0; i < BLOCKS; i++) {
		unsigned char byte = (unsigned char)(held->mark + i);

		CHECK(held->blocks[i][0] == byte && memcmp(held->blocks[i], held->blocks[i] + 1, sizes[i % 4] - 1) == 0);
	}
}

static void give_back(struct held *held)
{
	check(held);
	for (int i = 0; i < BLOCKS; i++)
		free(held->blocks[i]);
}

static _Noreturn void be_child(int number, const struct held *inherited)
{
	static struct held held[LARGE_TIMES];
	int times = number % LARGE_EVERY ? number % 2 : LARGE_TIMES;

	for (int i = 0; i < times; i++)
		take(&held[i], (unsigned char)(number + i));
	check(inherited);
	for (int i = 0; i < times; i++)
		give_back(&held[i]);
	_exit(0);
}

/* Children of one thread: each is waited for when so many others have been forked. */
static void fork_children(int count, const struct held *inherited)
{
	pid_t children[IN_FLIGHT] = { 0 };

	for (int i = 0; i < count + IN_FLIGHT; i++) {
		pid_t *child = &children[i % IN_FLIGHT];
		int status;

		CHECK(*child == 0 || (waitpid(*child, &status, 0) == *child && status == 0));
		*child = i < count ? fork() : 0;
		CHECK(*child >= 0);
		if (*child == 0 && i < count)
			be_child(i, inherited);
		free(malloc(100));
	}
}

struct work {
	int count;
	struct held held;
};

static void *fork_in_thread(void *of)
{
	struct work *work = of;

	fork_children(work->count, &work->held);
	return NULL;
}

static void storm(struct work *work, bool has_thread, int count)
{
	pthread_t thread;

	work->count = has_thread ? count / 2 : 0;
	CHECK(!has_thread || pthread_create(&thread, NULL, fork_in_thread, work) == 0);
	fork_children(count - work->count, &work->held);
	CHECK(!has_thread || pthread_join(thread, NULL) == 0);
}

/* Exact, which the counters of /proc/self/status are not on machines with many processors. */
static long resident_kib(void)
{
	char line[256];
	long kib = -1;
	FILE *file = fopen("/proc/self/smaps_rollup", "r");

	CHECK(file != NULL);
	while (kib < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "Rss: %ld", &kib);
	fclose(file);
	CHECK(kib > 0);
	return kib;
}

static long mapping_count(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	long count = 0;

	CHECK(file != NULL);
	for (int letter; (letter = fgetc(file)) != EOF;)
		count += letter == '\n';
	fclose(file);
	return count;
}

static _Noreturn void be_forker(int number)
{
	static struct work work;
	long resident, count;

	take(&work.held, (unsigned char)number);
	storm(&work, number % 2, EARLY);
	resident = resident_kib();
	count = mapping_count();
	storm(&work, number % 2, CHILDREN - EARLY);
	CHECK(resident_kib() <= resident + 1024);
	CHECK(mapping_count() <= count + 4);
	give_back(&work.held);
	_exit(0);
}

int main(void)
{
	struct timespec begin, end;
	pid_t forkers[FORKERS];
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < FORKERS; i++) {
		forkers[i] = fork();
		CHECK(forkers[i] >= 0);
		if (forkers[i] == 0)
			be_forker(i);
	}
	for (int i = 0; i < FORKERS; i++) {
		int status;

		CHECK(waitpid(forkers[i], &status, 0) == forkers[i] && status == 0);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	printf("%d children, %.0f a second\n", FORKERS * CHILDREN, FORKERS * CHILDREN / seconds);
	return 0;
}
