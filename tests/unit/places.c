/* SPDX-License-Identifier: BSD-2-Clause */
/* Where libksmalloc-lua.so places objects: kinds, classes, epochs, children, and what is given
 * back. */
#include "places.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

#define STRIDE (16 * KSM_MIB)
#define DEPTH 256u /* streams of a depth */
#define STREAMS (2 * DEPTH)
#define SIZE 48u
#define EPOCH (16u * 1024 / SIZE) /* the shortest */

#include "source.h"

static unsigned int among(unsigned int of, unsigned int count)
{
	return of / DEPTH * DEPTH + of % DEPTH % count;
}

static void start(void)
{
	struct ksh_source source = make_source();

	ksl_start(&source);
}

TestSuite(places, .init = start, .timeout = KSM_CASE_SECONDS);

static void *make(enum ksl_kind kind, size_t size)
{
	void *p = ksl_alloc(kind, size);

	cr_assert(ksl_holds(p));
	return p;
}

Test(places, classes_have_room_and_little_more)
{
	unsigned int before = 0;

	for (size_t size = 1; size <= KSL_LARGEST; size++) {
		unsigned int class = ksl_class(size);
		void *p = make(KSL_STRING, size);

		cr_assert(class == before || class == before + 1, "class %u after %u", class,
			  before);
		before = class;
		cr_assert_geq(ksl_size(p), size);
		cr_assert_lt(ksl_size(p), size <= KSL_FINE ? size + 16 : size + size / 4);
		cr_assert_eq(ksl_class(ksl_size(p)), class);
	}
	cr_assert_eq(before, KSL_CLASSES - 1);
}

Test(places, objects_do_not_overlap_and_keep_their_content)
{
	enum { COUNT = 20000 };
	static unsigned char *objects[COUNT];
	unsigned int random = 1;

	for (unsigned int step = 0; step < 10 * COUNT; step++) {
		unsigned int i = (random = random * 1103515245 + 12345) / 65536 % COUNT;
		size_t size = 1 + i * 7 % KSL_LARGEST;

		if (objects[i]) {
			cr_assert(objects[i][0] == i % 251 && objects[i][size - 1] == i % 251);
			ksl_free(objects[i]);
			objects[i] = NULL;
		} else {
			objects[i] = make((enum ksl_kind)(i % KSL_KINDS), size);
			memset(objects[i], (int)(i % 251), size);
		}
	}
}

/* What one more object of a kind or size moves: nothing of other kinds and sizes, however much
 * there is of them. */
Test(places, one_more_object_moves_none_of_another_class)
{
	uint64_t sums[2];

	for (unsigned int depth = 0; depth < 2; depth++) {
		uint64_t sum = 0;

		stream = depth * DEPTH;
		ksl_moved();
		for (unsigned int i = 0; i < 50000; i++) {
			if (i == 100 && depth == 1)
				make(KSL_STRING, SIZE);
			make(KSL_STRING, SIZE);
			sum = sum * 31 + (uintptr_t)make(KSL_TABLE, SIZE) - stream * STRIDE;
			sum = sum * 31 + (uintptr_t)make(KSL_STRING, 2 * SIZE) - stream * STRIDE;
		}
		sums[depth] = sum;
	}
	cr_assert_eq(sums[0], sums[1]);
}

Test(places, what_is_freed_has_its_turn_in_the_next_epoch)
{
	void *objects[EPOCH];
	void *next;

	for (unsigned int i = 0; i < EPOCH; i++)
		objects[i] = make(KSL_STRING, SIZE);
	next = make(KSL_STRING, SIZE);
	/* The order does not matter. */
	ksl_free(objects[7]);
	ksl_free(objects[3]);
	for (unsigned int i = 1; i < EPOCH; i++) {
		void *p = make(KSL_STRING, SIZE);

		cr_assert(p > next, "object %u", i);
	}
	cr_assert_eq(make(KSL_STRING, SIZE), objects[3]);
	cr_assert_eq(make(KSL_STRING, SIZE), objects[7]);
}

/* Above the place that the epoch has come to, too. */
Test(places, what_is_freed_above_waits_as_well)
{
	void *objects[2 * EPOCH];

	for (unsigned int i = 0; i < 2 * EPOCH; i++)
		objects[i] = make(KSL_STRING, SIZE);
	ksl_free(objects[3]);
	cr_assert_eq(make(KSL_STRING, SIZE), objects[3]);
	ksl_free(objects[EPOCH + 100]);
	for (unsigned int i = 1; i < EPOCH; i++)
		cr_assert_gt(make(KSL_STRING, SIZE), objects[2 * EPOCH - 1]);
	cr_assert_eq(make(KSL_STRING, SIZE), objects[EPOCH + 100]);
}

Test(places, a_child_has_new_slabs_and_may_free_what_it_inherited)
{
	char *inherited = make(KSL_TABLE, SIZE);
	char *own;

	stream = DEPTH + 5;
	ksl_moved();
	own = make(KSL_TABLE, SIZE);
	cr_assert_geq(own, memory + DEPTH * STRIDE);
	ksl_free(inherited);
	cr_assert_eq(make(KSL_TABLE, SIZE), own + SIZE);
	/* An anchor does not change anything. */
	stream = DEPTH + 9;
	ksl_moved();
	cr_assert_eq(make(KSL_TABLE, SIZE), own + 2 * SIZE);
}

Test(places, empty_slabs_are_given_back_and_used_again)
{
	enum { COUNT = 100000 };
	static char *objects[COUNT];
	size_t most;

	for (unsigned int i = 0; i < COUNT; i++)
		objects[i] = make(KSL_STRING, SIZE);
	most = taken[1 + KSL_STRING * KSL_CLASSES + ksl_class(SIZE)];
	for (unsigned int i = 0; i < COUNT; i++)
		ksl_free(objects[i]);
	cr_assert_geq(given_back + 10 * KSL_SLAB, COUNT * SIZE);
	for (unsigned int i = 0; i < COUNT; i++) {
		objects[i] = make(KSL_STRING, SIZE);
		memset(objects[i], 1, SIZE);
	}
	cr_assert_leq(taken[1 + KSL_STRING * KSL_CLASSES + ksl_class(SIZE)], most + most / 4);
	for (unsigned int i = 0; i < COUNT; i++) {
		cr_assert_eq(ksl_size(objects[i]), SIZE);
		ksl_free(objects[i]);
	}
}

Test(places, without_memory_there_is_none)
{
	is_full = true;
	cr_assert_null(ksl_alloc(KSL_OTHER, SIZE));
	is_full = false;
	cr_assert_not_null(ksl_alloc(KSL_OTHER, SIZE));
}

/* What is freed does not wait for its epoch then, and is found again and again. */
Test(places, without_memory_for_more_what_was_freed_is_used)
{
	enum { COUNT = 10 * EPOCH, HALF = COUNT / 2 };
	static void *objects[COUNT];
	unsigned int count = 0;

	for (; count < HALF; count++)
		objects[count] = make(KSL_TABLE, SIZE);
	is_full = true;
	while (count < COUNT && (objects[count] = ksl_alloc(KSL_TABLE, SIZE)))
		count++;
	cr_assert_lt(count, COUNT);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < count; i++)
			ksl_free(objects[i]);
		for (unsigned int i = 0; i < count; i++)
			objects[i] = make(KSL_TABLE, SIZE);
		cr_assert_null(ksl_alloc(KSL_TABLE, SIZE));
	}
}

/* The program may do so for as long as it likes. */
Test(places, asking_in_vain_takes_no_memory)
{
	size_t before;

	make(KSL_TABLE, SIZE);
	before = tables;
	is_full = true;
	for (unsigned int i = 0; i < 10000; i++)
		cr_assert_null(ksl_alloc(KSL_STRING, SIZE));
	cr_assert_eq(tables, before, "%zu bytes of tables", tables - before);
}
