/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One of two workers whose memory differs for one known reason: 256 pages of equal pseudo-random
 * bytes, changed as the first argument says. Started with equal addresses (setarch -R), equal
 * environments and arguments of equal length, two of them are equal in all other pages of the area.
 *
 * Usage: diff_worker REASON VARIANT (1 or 2). Prints "ready" and waits for the end of its input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 256
#define WORDS (PAGE / 8)

struct worker_queue {
	uint64_t head;
	uint64_t count[40];
};

/* Found again by its name and its type. */
struct worker_queue worker_queue;

static uint64_t *area; /* of PAGES pages, with as much before and behind it */
static int variant;
static uint64_t *local; /* on the stack */

static uint64_t *page(size_t i)
{
	return area + i * WORDS;
}

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void fill(void *bytes, size_t count, uint64_t seed)
{
	uint64_t *words = bytes;

	for (size_t i = 0; i < count / 8; i++)
		words[i] = next(&seed);
}

/* --- reasons ------------------------------------------------------------------ */

static void make_equal(void)
{
}

/* Reference counts of several objects in each page. */
static void make_counter(void)
{
	for (size_t i = 0; i < PAGES; i++) {
		for (size_t k = 0; k < 5; k++)
			page(i)[8 + 4 * k] = 100 + i + (size_t)variant * (k + 1);
	}
}

/* A lock word: a small number of 4 bytes beside another that is equal. */
static void make_lock(void)
{
	for (size_t i = 0; i < PAGES; i++) {
		uint32_t lock[2] = {UINT32_C(0xabcd0123), (uint32_t)variant - 1};

		memcpy(&page(i)[40], lock, sizeof(lock));
	}
}

static void make_pid(void)
{
	for (size_t i = 0; i < PAGES; i++) {
		uint32_t owner[2] = {(uint32_t)getpid(), 7};

		memcpy(&page(i)[16], owner, sizeof(owner));
	}
}

static void make_pid_text(void)
{
	for (size_t i = 0; i < PAGES; i++)
		snprintf((char *)(page(i) + 20) + 5, 40, "worker-%d.log", (int)getpid());
}

static void *put_tid(void *user)
{
	(void)user;
	for (size_t i = 0; i < PAGES; i++)
		page(i)[100] = (uint64_t)gettid();
	for (;;)
		pause();
	return NULL;
}

static void make_tid(void)
{
	pthread_t thread;

	page(PAGES - 1)[100] = 0;
	pthread_create(&thread, NULL, put_tid, NULL);
	while (((volatile uint64_t *)page(PAGES - 1))[100] == 0)
		usleep(1000);
}

static void make_time(void)
{
	for (size_t i = 0; i < PAGES; i++) {
		struct timespec now;
		double seconds;

		clock_gettime(i % 2 ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
		seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
		if (i % 4 == 0)
			page(i)[30] = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
		else if (i % 4 == 1)
			memcpy(&page(i)[30], &now, sizeof(now));
		else
			memcpy(&page(i)[30], &seconds, sizeof(seconds));
	}
}

static void make_canary(void)
{
	uint64_t canary;

	__asm__("mov %%fs:0x28, %0" : "=r"(canary));
	for (size_t i = 0; i < PAGES; i++)
		page(i)[200] = canary;
}

/* setjmp keeps the stack pointer and two others mangled. */
static void make_guard(void)
{
	for (size_t i = 0; i < PAGES; i++) {
		jmp_buf buffer;

		memset(buffer, 0, sizeof(buffer));
		if (setjmp(buffer) == 0)
			memcpy(page(i) + 8, buffer, 64);
	}
}

static void make_stack_pointers(void)
{
	for (size_t i = 0; i < PAGES; i++) {
		for (size_t k = 0; k < 50; k++)
			page(i)[3 + 7 * k] = (uint64_t)(uintptr_t)(local + k + 20 * variant);
	}
}

static void make_pointers(void)
{
	for (size_t i = 0; i < PAGES; i++) {
		for (size_t k = 0; k < 100; k++)
			page(i)[5 * k] = (uint64_t)(uintptr_t)(page(k) + 6 * variant);
	}
}

static void make_moved_pointers(void)
{
	uint64_t seed = 77 + (uint64_t)variant;

	for (size_t i = 0; i < PAGES; i++) {
		for (size_t k = 0; k < 100; k++)
			page(i)[5 * k] =
				(uint64_t)(uintptr_t)(area + next(&seed) % (PAGES * WORDS));
	}
}

static void make_shifted_by(size_t bytes)
{
	char *base = (char *)area;

	if (variant == 2)
		memmove(base + bytes, base, PAGES * PAGE);
}

static void make_shifted(void)
{
	make_shifted_by(48);
}

static void make_shifted_odd(void)
{
	make_shifted_by(5);
}

static void make_shifted_far(void)
{
	make_shifted_by(2 * PAGE + 16);
}

static void make_elsewhere(void)
{
	uint64_t *copy = malloc(PAGES * PAGE);

	memcpy(copy, area, PAGES * PAGE);
	for (size_t i = 0; variant == 2 && i < PAGES; i++)
		memcpy(page(i), copy + (i * 101 + 7) % PAGES * WORDS, PAGE);
	free(copy);
}

/* Contents of the second are found in the first, but none of the first in the second. */
static void make_half_elsewhere(void)
{
	if (variant == 1)
		return;
	memcpy(area, page(PAGES / 2), PAGES / 2 * PAGE);
	fill(page(PAGES / 2), PAGES / 2 * PAGE, 4321);
}

/* Two reasons in each page: neither is alone. */
static void make_mixed(void)
{
	make_pid();
	make_lock();
}

static void make_values(void)
{
	uint64_t seed = 99 + (uint64_t)variant;

	for (size_t i = 0; i < PAGES; i++) {
		for (size_t k = 0; k < 3; k++)
			page(i)[50 * k] = next(&seed);
	}
}

static void make_key(void)
{
	uint64_t seed = 99 + (uint64_t)variant;
	uint64_t key = next(&seed);

	for (size_t i = 0; i < PAGES; i++)
		page(i)[60 + i % 7] = key;
}

static void make_different(void)
{
	fill(area, PAGES * PAGE, 1234 + (uint64_t)variant);
}

/* A list of objects of 64 bytes, all of which one more moves: from there on no line is at its
 * place. */
static void make_inserted(void)
{
	char *object = (char *)area;

	memset(area, 0, PAGES * PAGE);
	for (size_t i = 0; object < (char *)area + PAGES * PAGE; i++, object += 64) {
		uint64_t hash = 4321 + i;

		if (i == 1000 && variant == 2) {
			strcpy(object + 16, "one more than the first has");
			object += 64;
		}
		snprintf(object + 16, 48, "object %zu", i);
		hash = next(&hash) | UINT64_C(1) << 63;
		memcpy(object + 8, &hash, sizeof(hash));
	}
}

static void make_zero(void)
{
	if (variant == 2)
		memset(area, 0, PAGES * PAGE);
}

static void make_only(void)
{
	if (variant == 2)
		madvise(area, PAGES * PAGE, MADV_DONTNEED);
}

static void make_variable(void)
{
	for (size_t k = 0; k < 40; k++)
		worker_queue.count[k] = (uint64_t)variant * (k + 1);
}

static const struct {
	const char *name;
	void (*make)(void);
} reasons[] = {
	{"equal", make_equal},
	{"counter", make_counter},
	{"lock", make_lock},
	{"pid", make_pid},
	{"pid-text", make_pid_text},
	{"tid", make_tid},
	{"time", make_time},
	{"canary", make_canary},
	{"guard", make_guard},
	{"stack-pointers", make_stack_pointers},
	{"pointers", make_pointers},
	{"moved-pointers", make_moved_pointers},
	{"shifted", make_shifted},
	{"shifted-odd", make_shifted_odd},
	{"shifted-far", make_shifted_far},
	{"elsewhere", make_elsewhere},
	{"half-elsewhere", make_half_elsewhere},
	{"mixed", make_mixed},
	{"values", make_values},
	{"key", make_key},
	{"different", make_different},
	{"inserted", make_inserted},
	{"zero", make_zero},
	{"only", make_only},
	{"variable", make_variable},
};

int main(int argc, char **argv)
{
	uint64_t place[256] = {0};
	char byte;

	if (argc != 3)
		return 2;
	local = place;
	variant = atoi(argv[2]);
	area = mmap(NULL, 3 * PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (area == MAP_FAILED)
		return 1;
	/* Huge pages would fill the room around the area with zeros. */
	madvise(area, 3 * PAGES * PAGE, MADV_NOHUGEPAGE);
	area += PAGES * WORDS;
	fill(area, PAGES * PAGE, 1);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (strcmp(reasons[i].name, argv[1]) == 0)
			reasons[i].make();
	}
	printf("ready %p\n", (void *)area);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return place[255] != 0;
}
