/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap of libksmalloc-python.so: which anchors are followed where files of code and of data are opened. */
#include "slabs.h"

#include <criterion/criterion.h>

#define STRIDE	(256 * KSM_MIB)
#define STREAMS 4u

#include "source.h"

static unsigned int among(unsigned int of, unsigned int count)
{
	return of % count;
}

static void start(void)
{
	struct ksp_source source = { .memory = make_source() };

	ksp_start(&source);
	has_rank = true;
}

TestSuite(slabs_data, .init = start, .timeout = KSM_CASE_SECONDS);

/* The stream that objects are of behind an anchor that leads to this one. */
static unsigned int stream_behind(unsigned int to)
{
	const char *p;

	stream = to;
	ksp_moved();
	p = ksp_alloc_slowly(ksp_class(64));
	return (unsigned int)((size_t)(p - memory) / STRIDE);
}

/* The first anchor is followed; then there are objects of so many MiB, and many anchors of a rank that is seldom good. */
static void begin(size_t mebibytes)
{
	stream_behind(0);
	stream_behind(3);
	for (size_t i = 0; i < mebibytes * KSM_MIB / 64; i++)
		ksp_alloc_slowly(ksp_class(64));
	rank = 3;
	for (unsigned int i = 0; i < 500; i++)
		cr_assert_eq(stream_behind(1 + i % 2), 3);
}

/* Whichever their rank, and however much code comes before, where the heap is too small for that. */
Test(slabs_data, the_first_files_of_data_are_followed)
{
	begin(3);
	is_of_data = true;
	cr_assert_eq(stream_behind(0), 0);
	is_of_data = false;
	cr_assert_eq(stream_behind(1), 0);
}

Test(slabs_data, the_smallest_heaps_follow_none)
{
	begin(1);
	is_of_data = true;
	cr_assert_eq(stream_behind(0), 3);
}

/* What many of them cost is a part of all memory, as for code. */
Test(slabs_data, of_many_files_of_data_few_are_followed)
{
	unsigned int followed = 0;
	unsigned int before = 3;

	begin(3);
	is_of_data = true;
	for (unsigned int i = 0; i < 200; i++) {
		unsigned int is = stream_behind(i % 3);

		followed += is != before;
		before = is;
	}
	cr_assert_leq(followed, 4, "%u are", followed);
}
