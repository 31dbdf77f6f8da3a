/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The streams of a process that never forks, without libksmalloc.so: preloaded by bench/python-objects
 * where instructions of libksmalloc-python.so are counted and nothing else is to be.
 */
#define _GNU_SOURCE
#include <ksmalloc/stream.h>

#include <sys/mman.h>

#define BEGIN 0x200000000000u
#define BYTES 0x010000000000u

static uintptr_t taken;

unsigned int ksmalloc_stream(void)
{
	return 0;
}

int ksmalloc_stream_follow(void (*moved)(void))
{
	(void)moved;
	return 0;
}

void *ksmalloc_stream_map(unsigned int stream, size_t bytes)
{
	void *wanted = (void *)(BEGIN + taken);
	void *result = mmap(wanted, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	(void)stream;
	if (result != wanted)
		return NULL;
	taken += bytes;
	return result;
}

void ksmalloc_stream_range(uintptr_t *begin, uintptr_t *end)
{
	*begin = BEGIN;
	*end = BEGIN + BYTES;
}

unsigned int ksmalloc_stream_among(unsigned int stream, unsigned int count)
{
	(void)count;
	return stream;
}

uint64_t ksmalloc_stream_anchor(void)
{
	return 0;
}
