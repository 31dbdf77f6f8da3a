/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads COUNT [mapped]: until the end of standard input, threads that allocate, write, read, move, give back, fork and spawn at random, each with blocks of its
 * own, and compare each byte with what it should be, while a keeper stops them without a pause. The kernel writes to blocks, too
 * (read(2)), and other threads free what one has allocated. Beside that there is data that is equal in all such workers; mapped: in a mapping of the program's own.
 */
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define PAGE   4096u
#define BLOCKS 150u
#define COMMON 6000u
#define MOST   16

extern char **environ;

struct block {
	unsigned char *bytes;
	size_t size;
	uint64_t key;
	bool is_mapped; /* by mmap */
};

struct owner {
	pthread_t thread;
	struct block blocks[BLOCKS];
	uint64_t random;
	unsigned long operations;
	int pipe[2];
};

static struct owner owners[MOST];
static struct block common[COMMON];
static void *left_behind; /* what one thread allocated and another one frees. Synchronization: atomic. */
static bool is_over; /* Synchronization: atomic. */
static uint64_t checked; /* bytes. Synchronization: atomic. */

static unsigned char byte_of(const struct block *block, size_t at)
{
	return (unsigned char)(block->key + at / 32 * 7 + at);
}

static uint32_t draw(struct owner *owner, uint32_t below)
{
	return (uint32_t)(test_random(&owner->random) % below);
}

static void fill(struct block *block)
{
	for (size_t i = 0; i < block->size; i++)
		block->bytes[i] = byte_of(block, i);
}

static void check(const struct block *block, size_t bytes, const char *when)
{
	for (size_t i = 0; i < bytes; i++) {
		if (block->bytes[i] == byte_of(block, i))
			continue;
		printf("%p, %zu bytes: byte %zu is %u, not %u, %s\n", (void *)block->bytes, block->size, i, block->bytes[i],
		       byte_of(block, i), when);
		fflush(stdout);
		abort();
	}
	__atomic_fetch_add(&checked, bytes, __ATOMIC_RELAXED);
}

static void check_zeros(const unsigned char *bytes, size_t size, const char *when)
{
	for (size_t i = 0; i < size; i++) {
		if (!bytes[i])
			continue;
		printf("byte %zu of %zu is %u, not 0, %s\n", i, size, bytes[i], when);
		fflush(stdout);
		abort();
	}
	__atomic_fetch_add(&checked, size, __ATOMIC_RELAXED);
}

static size_t draw_size(struct owner *owner)
{
	switch (draw(owner, 8)) {
	case 0:
		return 16384 + draw(owner, 400000);
	case 1:
		return 2000 + draw(owner, 14000);
	default:
		return 1 + draw(owner, 1000);
	}
}

static void take(struct owner *owner, struct block *block)
{
	block->size = draw_size(owner);
	block->key = test_random(&owner->random);
	block->is_mapped = false;
	switch (draw(owner, 4)) {
	case 0:
		block->bytes = calloc(1, block->size);
		check_zeros(block->bytes, block->size, "out of calloc");
		break;
	case 1:
		block->size = (1 + draw(owner, 100)) * PAGE;
		block->bytes = mmap(NULL, block->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		block->is_mapped = true;
		break;
	default:
		block->bytes = malloc(block->size);
	}
	fill(block);
}

static void let_go(struct block *block)
{
	check(block, block->size, "before free");
	if (block->is_mapped)
		munmap(block->bytes, block->size);
	else
		free(__atomic_exchange_n(&left_behind, block->bytes, __ATOMIC_ACQ_REL));
	block->bytes = NULL;
}

static void resize(struct owner *owner, struct block *block)
{
	size_t before = block->size;
	size_t size = block->is_mapped ? (1 + draw(owner, 200)) * PAGE : draw_size(owner);

	if (block->is_mapped)
		block->bytes = mremap(block->bytes, before, size, MREMAP_MAYMOVE);
	else
		block->bytes = realloc(block->bytes, size);
	if ((void *)block->bytes == MAP_FAILED) {
		perror("mremap");
		abort();
	}
	block->size = size;
	check(block, before < size ? before : size, "after it was moved");
	fill(block);
}

static void give_back(struct block *block)
{
	size_t begin = -(uintptr_t)block->bytes % PAGE;
	size_t bytes = block->size > begin ? (block->size - begin) / PAGE * PAGE : 0;

	if (bytes && madvise(block->bytes + begin, bytes, MADV_DONTNEED) == 0)
		check_zeros(block->bytes + begin, bytes, "after it was given back");
	fill(block);
}

/* The kernel writes to it. */
static void read_into(struct owner *owner, struct block *block)
{
	unsigned char text[1024];
	size_t bytes = block->size < sizeof(text) ? block->size : sizeof(text);

	block->key = test_random(&owner->random);
	for (size_t i = 0; i < bytes; i++)
		text[i] = byte_of(block, i);
	if (write(owner->pipe[1], text, bytes) != (ssize_t)bytes || read(owner->pipe[0], block->bytes, bytes) != (ssize_t)bytes)
		abort();
	check(block, bytes, "after it was read");
	fill(block);
}

static void wait_for(pid_t child)
{
	int status = 0;
	pid_t got;

	do {
		got = waitpid(child, &status, 0);
	} while (got < 0 && errno == EINTR);
	if (got != child || status) {
		printf("a child ended with %x\n", (unsigned int)status);
		abort();
	}
}

static void fork_once(struct owner *owner)
{
	pid_t child = fork();

	if (child == 0) {
		for (uint32_t i = 0; i < BLOCKS; i++) {
			if (owner->blocks[i].bytes)
				check(&owner->blocks[i], owner->blocks[i].size, "in a child");
		}
		_exit(0);
	}
	if (child > 0)
		wait_for(child);
}

static void spawn_once(void)
{
	char *words[] = { strdup("/bin/true"), NULL };
	pid_t child;

	if (posix_spawn(&child, words[0], NULL, NULL, words, environ) == 0)
		wait_for(child);
	free(words[0]);
}

static void operate(struct owner *owner)
{
	struct block *block = &owner->blocks[draw(owner, BLOCKS)];

	if (!block->bytes) {
		take(owner, block);
		return;
	}
	switch (draw(owner, 12)) {
	case 0:
	case 1:
		let_go(block);
		break;
	case 2:
		resize(owner, block);
		break;
	case 3:
		give_back(block);
		break;
	case 4:
		block->key = test_random(&owner->random);
		fill(block);
		break;
	case 5:
		read_into(owner, block);
		break;
	default:
		check(block, block->size, "as it lay there");
	}
}

#define COUNTERS 4

/* In the midst of large blocks that are equal in all workers but for that, so that their pages are carried over. */
static volatile uint64_t *counters[COUNTERS];

static bool has_counter(uint32_t number)
{
	return number % (COMMON / COUNTERS) == COMMON / COUNTERS / 2;
}

/* So fast that who copies a page meanwhile loses a step. */
static void *count(void *nothing)
{
	for (uint64_t turn = 1; !__atomic_load_n(&is_over, __ATOMIC_RELAXED); turn++) {
		for (int i = 0; i < COUNTERS; i++)
			*counters[i] = turn;
		for (int i = 0; i < COUNTERS; i++) {
			if (*counters[i] == turn)
				continue;
			printf("counter %d is %lu, not %lu\n", i, (unsigned long)*counters[i], (unsigned long)turn);
			fflush(stdout);
			abort();
		}
	}
	return nothing;
}

/* What runtimes do with their heaps. */
static void treat(struct owner *owner, struct block *block)
{
	switch (draw(owner, 8)) {
	case 0:
		give_back(block);
		break;
	case 1:
		mprotect(block->bytes, block->size, PROT_NONE);
		madvise(block->bytes, block->size, MADV_DONTNEED);
		mprotect(block->bytes, block->size, PROT_READ | PROT_WRITE);
		check_zeros(block->bytes, block->size, "after it was decommitted");
		fill(block);
		break;
	case 2:
		if (mmap(block->bytes, block->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		    MAP_FAILED)
			abort();
		check_zeros(block->bytes, block->size, "after it was mapped anew");
		fill(block);
		break;
	case 3:
		mprotect(block->bytes, block->size, PROT_READ);
		check(block, block->size, "while it cannot be written");
		mprotect(block->bytes, block->size, PROT_READ | PROT_WRITE);
		break;
	}
}

static void *run(void *data)
{
	struct owner *owner = data;

	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		struct block *shared = &common[draw(owner, COMMON / MOST) * MOST + (uint32_t)(owner - owners)];

		operate(owner);
		if (has_counter((uint32_t)(shared - common)))
			continue;
		check(shared, shared->size, "among what is equal");
		/* Each has its own of them; written and put right again, so that it is shared anew. */
		if (draw(owner, 4) == 0) {
			shared->bytes[draw(owner, (uint32_t)shared->size)] ^= 0x55;
			usleep(draw(owner, 300));
			fill(shared);
		}
		if (shared->is_mapped && draw(owner, 4) == 0)
			treat(owner, shared);
		owner->operations++;
		if (owner->operations % 1000 == 500)
			fork_once(owner);
		if (owner->operations % 1000 == 999)
			spawn_once();
	}
	return NULL;
}

#define MAPPED_BYTES ((size_t)COMMON * 8 * PAGE) /* more than is needed */

static void *take_common(struct block *block, bool mapped)
{
	static unsigned char *next;
	void *memory = next;

	if (!mapped)
		return malloc(block->size);
	if (!next)
		memory = mmap(NULL, MAPPED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	block->is_mapped = true;
	block->size = (block->size + PAGE - 1) / PAGE * PAGE;
	next = (unsigned char *)memory + block->size;
	return memory;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 4;
	bool mapped = argc > 2;
	pthread_t counting;
	char byte;

	for (uint32_t i = 0; i < COMMON; i++) {
		common[i] = (struct block){ .size = i % 10 ? 100 + i % 900 : 20000 + i % 5000, .key = i * 31u };
		common[i].bytes = take_common(&common[i], mapped);
		fill(&common[i]);
		if (has_counter(i))
			counters[i / (COMMON / COUNTERS)] = (uint64_t *)(void *)(common[i].bytes + 8192);
	}
	printf("ready\n");
	fflush(stdout);
	for (int i = 0; i < threads; i++) {
		owners[i].random = 77u + (uint64_t)i;
		if (pipe(owners[i].pipe) || pthread_create(&owners[i].thread, NULL, run, &owners[i]))
			return 1;
	}
	if (pthread_create(&counting, NULL, count, NULL))
		return 1;
	while (read(0, &byte, 1) > 0 || errno == EINTR)
		errno = 0;
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	for (int i = 0; i < threads; i++)
		pthread_join(owners[i].thread, NULL);
	pthread_join(counting, NULL);
	for (uint32_t i = 0; i < COMMON; i++) {
		if (!has_counter(i))
			check(&common[i], common[i].size, "at the end");
	}
	for (int i = 0; i < threads; i++)
		printf("%lu ", owners[i].operations);
	printf("operations, %llu bytes checked\n", (unsigned long long)checked);
	return 0;
}
