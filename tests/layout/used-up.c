/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * used-up: a thread takes more small blocks of a size, and more longer ones, than the addresses that are set aside for it have
 * room for. It gets all of them all the same: none lies in another one, and all keep their content. Freed and taken again they
 * take no new addresses, and no memory stays. Then the process may have no more addresses: what was freed is enough for as
 * much again; and where another thread asks, who has nothing of that, malloc says so or gives what it has, and nothing is lost.
 */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define GIB ((size_t)1 << 30)
/* Of a slab; and too long for one, and too short for a place by site. */
#define SMALL 2048
#define MIDDLE 15000
#define SMALL_COUNT (GIB / 2 / SMALL)
#define MIDDLE_COUNT (4 * GIB / MIDDLE)
#define COUNT (SMALL_COUNT + MIDDLE_COUNT)
/* Most of it is not touched, so that the machine needs no memory for it. */
#define TOUCHED_EVERY 64
#define ROUNDS 4

static unsigned char *blocks[COUNT];
static uintptr_t sorted[COUNT];

static size_t size_of(size_t i)
{
	return i < SMALL_COUNT ? SMALL : MIDDLE;
}

static long field(const char *path, const char *format)
{
	long value = test_field(path, format);

	CHECK(value >= 0);
	return value;
}

static uint64_t times_full(void)
{
	const struct ksmalloc_segment_header *segment = test_segment();

	CHECK(segment != NULL);
	return segment->bounds.stretch_full_total;
}

static int compare(const void *left, const void *right)
{
	uintptr_t a = *(const uintptr_t *)left, b = *(const uintptr_t *)right;

	return a < b ? -1 : a > b;
}

static void take(void)
{
	for (size_t i = 0; i < COUNT; i++) {
		blocks[i] = malloc(size_of(i));
		CHECK(blocks[i] != NULL);
		if (i % TOUCHED_EVERY == 0)
			memset(blocks[i], (int)i, size_of(i));
	}
}

/* The lengths are not sorted with the addresses: each is at least the shorter one, and longer ones lie by themselves. */
static void check(void)
{
	for (size_t i = 0; i < COUNT; i++)
		sorted[i] = (uintptr_t)blocks[i];
	qsort(sorted, SMALL_COUNT, sizeof(sorted[0]), compare);
	qsort(sorted + SMALL_COUNT, MIDDLE_COUNT, sizeof(sorted[0]), compare);
	for (size_t i = 1; i < COUNT; i++)
		CHECK(i == SMALL_COUNT || sorted[i] - sorted[i - 1] >= size_of(i));
	for (size_t i = 0; i < COUNT; i += TOUCHED_EVERY) {
		CHECK(blocks[i][0] == (unsigned char)i);
		CHECK(memcmp(blocks[i], blocks[i] + 1, size_of(i) - 1) == 0);
	}
}

static void give_back(void)
{
	for (size_t i = 0; i < COUNT; i++)
		free(blocks[i]);
}

/* Without new addresses: a little more may be mapped for what is noted of them. */
static void take_again_at_the_limit(void)
{
	const rlim_t used = (rlim_t)field("/proc/self/statm", "%ld") * 4096;

	CHECK(setrlimit(RLIMIT_AS, &(struct rlimit){ used + (8 << 20), RLIM_INFINITY }) == 0);
	take();
	check();
}

static void *use_up(void *ignored)
{
	long resident = 0, mapped = 0;

	for (int i = 0; i < ROUNDS; i++) {
		take();
		check();
		CHECK(times_full() > 0);
		give_back();
		if (i == 0) {
			resident = field("/proc/self/smaps_rollup", "Rss: %ld");
			mapped = field("/proc/self/statm", "%ld");
		}
	}
	printf("resident %ld KiB, then %ld; mapped %ld pages, then %ld\n", resident,
	       field("/proc/self/smaps_rollup", "Rss: %ld"), mapped, field("/proc/self/statm", "%ld"));
	CHECK(field("/proc/self/smaps_rollup", "Rss: %ld") <= resident + 8192);
	CHECK(field("/proc/self/statm", "%ld") <= mapped + mapped / 50);
	take_again_at_the_limit();
	return ignored;
}

static void *ask_for_more(void *got)
{
	for (size_t i = 0; i < SMALL_COUNT; i++) {
		char *block = malloc(SMALL);

		if (!block) {
			CHECK(errno == ENOMEM);
			break;
		}
		block[0] = 1;
		++*(size_t *)got;
	}
	return NULL;
}

static void in_thread(void *(*routine)(void *), void *argument)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, routine, argument) == 0 && pthread_join(thread, NULL) == 0);
}

int main(void)
{
	CHECK(times_full() == 0);
	in_thread(use_up, NULL);
	for (int is_freed = 0; is_freed < 2; is_freed++) {
		size_t got = 0;

		in_thread(ask_for_more, &got);
		/* How many depends on what the arena of that thread has: what another arena has freed stays there. */
		printf("at the limit%s another thread got %zu blocks of %zu\n",
		       is_freed ? ", where the first one has freed all," : "", got, (size_t)SMALL_COUNT);
		if (!is_freed) {
			check();
			give_back();
		}
	}
	return 0;
}
