/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap of libksmalloc-python.so where a class has many slabs: what giving them back costs. */
#include "slabs.h"

#include <criterion/criterion.h>

#define STRIDE	(256 * KSM_MIB)
#define STREAMS 2u

#include "source.h"

static unsigned int among(unsigned int of, unsigned int count)
{
	return of % count;
}

static void start(void)
{
	struct ksp_source source = { .memory = make_source() };

	ksp_start(&source);
}

TestSuite(slabs_long, .init = start, .timeout = KSM_CASE_SECONDS);

/* Much that is freed behind an anchor goes back in few calls, and all of it in the end. */
Test(slabs_long, what_new_objects_do_not_come_from_goes_back_in_few_calls)
{
	enum { COUNT = 48000 };
	static void *all[COUNT];
	struct ksp_counts counts;
	size_t before;

	ksp_moved();
	for (unsigned int i = 0; i < COUNT; i++)
		all[i] = ksp_alloc_slowly(KSP_CLASSES - 1);
	stream = 1;
	ksp_moved();
	/* The first anchor is followed. */
	cr_assert_geq((char *)ksp_alloc_slowly(KSP_CLASSES - 1), memory + STRIDE);
	ksp_count(&counts);
	before = giving_calls;
	for (unsigned int i = 0; i < COUNT; i++)
		ksp_free(all[i]);
	cr_assert_leq(giving_calls - before, counts.slabs / 6, "%zu calls", giving_calls - before);
	ksp_count(&counts);
	cr_assert_eq(counts.dirty, 0, "%zu empty slabs are kept", counts.dirty);
}
