/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A source of memory for the allocators of objects, in the place of libksmalloc.so's streams: STREAMS stretches
 * of STRIDE bytes each, which the test defines before it includes this, as it does which stream is whose (among()).
 */
#ifndef KSMALLOC_TESTS_SOURCE_H
#define KSMALLOC_TESTS_SOURCE_H

#include "../../preload/source.h"

#include "ksmalloc/stream.h"

#include <criterion/criterion.h>
#include <sys/mman.h>

#include "base.h"

static char *memory;
static size_t taken[STREAMS];
static size_t given_back;
static size_t giving_calls;
static size_t tables;
static unsigned int stream; /* the thread's */
static bool is_full;

static unsigned int current(void)
{
	return stream;
}

static unsigned int among(unsigned int of, unsigned int count);

/* That of the stream's last anchor: its rank is the stream's number, unless the test has it otherwise. */
static bool has_rank;
static uint32_t rank;
static bool is_of_data;

static uint64_t anchor(void)
{
	return (uint64_t)(has_rank ? rank : stream) << 40 | (is_of_data ? KSMALLOC_ANCHOR_OF_DATA : 0);
}

static void *map(unsigned int of, size_t bytes)
{
	char *result = memory + of * STRIDE + taken[of];

	if (is_full)
		return NULL;
	taken[of] += bytes;
	cr_assert_leq(taken[of], STRIDE);
	return result;
}

static void *map_table(size_t bytes)
{
	void *result = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	tables += bytes;
	return result == MAP_FAILED ? NULL : result;
}

static void give_back(void *pages, size_t bytes)
{
	given_back += bytes;
	giving_calls++;
	cr_assert_eq(madvise(pages, bytes, MADV_DONTNEED), 0);
}

static struct ksh_source make_source(void)
{
	struct ksh_source source = { .stream = current, .among = among, .anchor = anchor, .map = map,
				     .map_table = map_table, .give_back = give_back };

	memory = mmap(NULL, (STREAMS + 1) * STRIDE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	cr_assert_neq(memory, MAP_FAILED);
	memory = (char *)ksm_align_up((uintptr_t)memory, STRIDE);
	source.begin = (uintptr_t)memory;
	source.end = source.begin + STREAMS * STRIDE;
	return source;
}

#endif
