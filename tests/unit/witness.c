/* SPDX-License-Identifier: BSD-2-Clause */
/* Witnesses are aligned as blocks of their size are, overlap with none, and their memory is used again. */
#include "slot/witness.h"

#include "origin/mark.h"
#include "calls/start.h"
#include "segment/stat.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void setup(void)
{
	cr_assert(ksm_start_slots_wait());
}

TestSuite(witness, .init = setup, .timeout = KSM_CASE_SECONDS);

/* Sizes of jemalloc's classes up to 16 KiB. */
static size_t class_size(uint32_t number)
{
	uint32_t group = number / 4;

	return group == 0 ? 16 * (number + 1) : ((size_t)64 << (group - 1)) + ((size_t)16 << (group - 1)) * (number % 4 + 1);
}

#define CLASSES 36u

struct held {
	unsigned char *block;
	size_t size;
	unsigned char byte;
};

Test(witness, test_random_witnesses_keep_their_bytes)
{
	static struct held held[400];
	static char stand_in;

	srand(3);
	for (uint32_t turn = 0; turn < 40000; turn++) {
		struct held *one = &held[(uint32_t)rand() % 400];

		if (one->block) {
			for (size_t i = 0; i < one->size; i++)
				cr_assert_eq(one->block[i], one->byte);
			cr_assert_eq(ksm_witness_stand_in(one->block), &stand_in + one->byte);
			cr_assert_eq(ksm_witness_size(one->block), one->size);
			ksm_witness_release(one->block);
			one->block = NULL;
			continue;
		}
		one->size = class_size((uint32_t)rand() % CLASSES);
		one->byte = (unsigned char)(1 + rand() % 200);
		one->block = ksm_witness_take(&stand_in + one->byte, one->size, 1, 65536);
		cr_assert_not_null(one->block);
		cr_assert(ksm_witness_holds(one->block));
		cr_assert_eq((uintptr_t)one->block % (one->size & -one->size), 0, "a block of %zu is aligned to less",
			     one->size);
		memset(one->block, one->byte, one->size);
	}
}

Test(witness, test_each_has_a_mark_as_long_as_it_lives)
{
	static char stand_in;
	uint32_t before = ksm_mark_count();
	void *block = ksm_witness_take(&stand_in, 64, 1, 100000);

	cr_assert_eq(ksm_mark_count(), before + 1);
	cr_assert_eq(ksm_witness_count(), 1);
	ksm_witness_release(block);
	cr_assert_eq(ksm_mark_count(), before);
	cr_assert_eq(ksm_witness_count(), 0);
}

Test(witness, test_a_double_free_ends_the_program, .signal = SIGABRT)
{
	static char stand_in;
	void *block = ksm_witness_take(&stand_in, 64, 1, 100000);

	ksm_witness_release(block);
	ksm_witness_release(block);
}

Test(witness, test_a_pointer_into_one_ends_the_program, .signal = SIGABRT)
{
	static char stand_in;
	char *block = ksm_witness_take(&stand_in, 64, 1, 100000);

	ksm_witness_release(block + 8);
}
