/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * where [FIELD...]: prints where this process has what, a field and a value a line, or only the
 * values of the fields that are named, in one line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <unistd.h>

#define BLOCKS 8
#define BLOCK_BYTES (512 * 1024)

static char **wanted;

static void say(const char *field, uint64_t value, bool as_address)
{
	bool named = wanted[0] == NULL;

	for (char **name = wanted; *name; name++)
		named = named || strcmp(*name, field) == 0;
	if (!named)
		return;
	if (!wanted[0])
		printf("%s ", field);
	printf(as_address ? "%" PRIx64 : "%" PRIu64, value);
	putchar(wanted[0] ? ' ' : '\n');
}

static void *report_stack(void *result)
{
	pthread_attr_t attributes;
	void *stack;
	size_t bytes = 0;

	if (pthread_getattr_np(pthread_self(), &attributes) == 0)
		pthread_attr_getstack(&attributes, &stack, &bytes);
	*(size_t *)result = bytes;
	return NULL;
}

static uint64_t thread_stack(void)
{
	pthread_t thread;
	size_t bytes = 0;

	if (pthread_create(&thread, NULL, report_stack, &bytes) || pthread_join(thread, NULL))
		return 0;
	return bytes;
}

/* Blocks of one call stack, so many that the later ones have the slot of their site. */
static uint64_t slot(void)
{
	char *block = NULL;

	for (int i = 0; i < BLOCKS; i++) {
		block = malloc(BLOCK_BYTES);
		if (!block)
			return 0;
		memset(block, 1, BLOCK_BYTES);
	}
	return (uint64_t)(uintptr_t)block;
}

int main(int argc, char **argv)
{
	void *map = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rlimit limit;

	(void)argc;
	wanted = argv + 1;
	getrlimit(RLIMIT_STACK, &limit);
	say("image", (uint64_t)(uintptr_t)main & ~UINT64_C(4095), true);
	say("stack", (uint64_t)(uintptr_t)&limit, true);
	say("arguments", (uint64_t)(uintptr_t)argv, true);
	say("brk", (uint64_t)(uintptr_t)sbrk(0), true);
	say("libraries", (uint64_t)(uintptr_t)stdout & ~UINT64_C(4095), true);
	say("vdso", getauxval(AT_SYSINFO_EHDR), true);
	say("mapping", (uint64_t)(uintptr_t)map, true);
	say("heap", (uint64_t)(uintptr_t)malloc(64), true);
	say("slot", slot(), true);
	say("soft", limit.rlim_cur, false);
	say("hard", limit.rlim_max, false);
	say("personality", (uint64_t)personality(0xffffffff), true);
	say("thread", thread_stack(), false);
	say("pid", (uint64_t)getpid(), false);
	if (wanted[0])
		putchar('\n');
	return 0;
}
