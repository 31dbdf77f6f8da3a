/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints the addresses that a fixed sequence of calls gets, or what a process sees of its own
 * limits. Two processes of a group must print the same.
 *
 * Usage: layout-addresses blocks | threads | mappings | limits | fixed | insist
 */
#include "test.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS 12
#define BLOCKS	256
#define KIB	TEST_KIB
#define MIB	TEST_MIB

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

/* Small blocks mostly, some large, a few very large. */
static size_t some_size(uint64_t *state)
{
	uint64_t kind = next_random(state) % 100;

	if (kind < 80)
		return 1 + next_random(state) % 2000;
	if (kind < 98)
		return 1 + next_random(state) % (200 * KIB);
	return 1 + next_random(state) % (3 * MIB);
}

/* FNV-1a over the addresses: 8 digits are easier to compare than a million. */
static uint64_t mix(uint64_t hash, const void *address)
{
	return (hash ^ (uintptr_t)address) * UINT64_C(0x100000001b3);
}

/* The calls of one thread; allocate is its own function, so that it has its own sites. */
static uint64_t churn(void *(*allocate)(void *, size_t), uint64_t seed, int rounds)
{
	void *blocks[BLOCKS] = {0};
	uint64_t hash = seed;

	for (int i = 0; i < rounds; i++) {
		size_t at = next_random(&seed) % BLOCKS;

		if (next_random(&seed) % 3 == 0) {
			free(blocks[at]);
			blocks[at] = NULL;
		} else {
			blocks[at] = allocate(blocks[at], some_size(&seed));
			if (blocks[at])
				memset(blocks[at], 1, 1);
			hash = mix(hash, blocks[at]);
		}
	}
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	return hash;
}

#define ALLOCATOR(n)									\
	static __attribute__((noipa)) void *allocate_##n(void *block, size_t size)	\
	{										\
		void *result = realloc(block, size);					\
											\
		__asm__ volatile("" : "+r"(result));					\
		return result;								\
	}

ALLOCATOR(0) ALLOCATOR(1) ALLOCATOR(2) ALLOCATOR(3) ALLOCATOR(4) ALLOCATOR(5)
ALLOCATOR(6) ALLOCATOR(7) ALLOCATOR(8) ALLOCATOR(9) ALLOCATOR(10) ALLOCATOR(11)

static void *(*const allocators[THREADS])(void *, size_t) = {
	allocate_0, allocate_1, allocate_2, allocate_3, allocate_4,  allocate_5,
	allocate_6, allocate_7, allocate_8, allocate_9, allocate_10, allocate_11,
};

struct job {
	int number;
	uint64_t hash;
};

static void *work(void *argument)
{
	struct job *job = argument;

	job->hash = churn(allocators[job->number], (uint64_t)job->number + 1, 20000);
	return NULL;
}

static void print_threads(void)
{
	static struct job jobs[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		jobs[i].number = i;
		if (pthread_create(&threads[i], NULL, work, &jobs[i]) != 0)
			abort();
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		printf("thread %d %016" PRIx64 "\n", i, jobs[i].hash);
	}
	printf("afterwards %016" PRIx64 "\n", churn(allocate_0, 77, 5000));
}

/* Mappings of many sizes, some unmapped in part, one place taken behind the library's back. */
static void print_mappings(void)
{
	uint64_t state = 5;
	const struct ksmalloc_segment_header *segment;
	char *map[64];
	char *first;

	for (int i = 0; i < 64; i++) {
		size_t size = (size_t)(1 + next_random(&state) % 700) * 4096;

		map[i] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		printf("%p %zu\n", (void *)map[i], size);
		map[i][0] = 1;
		if (i % 5 == 4)
			munmap(map[i - 1], 4096);
		if (i % 7 == 6)
			munmap(map[i], size);
	}
	first = mmap(NULL, 64 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	syscall(SYS_mmap, first + 64 * MIB, 4 * MIB, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	printf("beside %p\n", mmap(NULL, 64 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	/* A block with a slot of its own, so that there is a segment to look into. */
	printf("block %p\n", allocate_1(NULL, 2 * MIB));
	segment = test_segment();
	if (segment)
		printf("placed %" PRIu64 " taken %" PRIu64 "\n", segment->stats.mmap_placed_total,
		       segment->stats.place_taken_total);
}

/* What is asked for at an address, or below 4 GiB, or replaced, is the program's right. */
static int check_fixed(void)
{
	char *hint = (char *)(uintptr_t)0x123450000000;
	char *at = mmap(hint, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *low = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	char *placed = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *again, *grown;

	if (at != hint || (uintptr_t)low >> 32)
		return 1;
	memset(placed, 1, 4 * MIB);
	again = mmap(placed + MIB, MIB, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (again != placed + MIB || again[0] != 0 || placed[0] != 1 || placed[2 * MIB] != 1)
		return 2;
	if (munmap(placed + 2 * MIB, MIB) != 0 || mprotect(placed, 4096, PROT_READ) != 0)
		return 3;
	grown = mremap(placed + 3 * MIB, MIB, 16 * MIB, MREMAP_MAYMOVE);
	if (grown == MAP_FAILED || grown[0] != 1 || grown[MIB] != 0)
		return 4;
	/* The hole is given out again, and nothing that is in use with it. */
	for (int i = 0; i < 200; i++) {
		char *next = mmap(NULL, 256 * KIB, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (next == MAP_FAILED || next[0] != 0 || next[256 * KIB - 1] != 0)
			return 5;
		memset(next, 2, 256 * KIB);
	}
	return placed[0] == 1 && grown[0] == 1 ? 0 : 6;
}

static void *print_stack(void *unused)
{
	pthread_attr_t attributes;
	size_t size = 0;

	if (pthread_getattr_np(pthread_self(), &attributes) == 0)
		pthread_attr_getstacksize(&attributes, &size);
	printf("thread stack %zu\n", size);
	return unused;
}

static void print_limits(void)
{
	struct rlimit limit;
	pthread_t thread;

	getrlimit(RLIMIT_STACK, &limit);
	printf("stack limit %lld\n", (long long)limit.rlim_cur);
	printf("randomised %d\n", !(personality(0xffffffff) & ADDR_NO_RANDOMIZE));
	if (pthread_create(&thread, NULL, print_stack, NULL) == 0)
		pthread_join(thread, NULL);
}

/* As some runtimes do: turns randomisation off and executes itself until it is off. */
static int insist(char **argv)
{
	const char *times = getenv("INSISTED");
	char next[16];

	if (personality(0xffffffff) & ADDR_NO_RANDOMIZE) {
		printf("not randomised after %s\n", times ? times : "0");
		return 0;
	}
	snprintf(next, sizeof(next), "%d", times ? atoi(times) + 1 : 1);
	if (atoi(next) > 5)
		return 1;
	setenv("INSISTED", next, 1);
	personality(personality(0xffffffff) | ADDR_NO_RANDOMIZE);
	execv("/proc/self/exe", argv);
	return 3;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "blocks") == 0)
		printf("%016" PRIx64 "\n", churn(allocate_0, 42, 100000));
	else if (strcmp(what, "threads") == 0)
		print_threads();
	else if (strcmp(what, "mappings") == 0)
		print_mappings();
	else if (strcmp(what, "limits") == 0)
		print_limits();
	else if (strcmp(what, "fixed") == 0)
		return check_fixed();
	else if (strcmp(what, "insist") == 0)
		return insist(argv);
	else
		return 2;
	return 0;
}
