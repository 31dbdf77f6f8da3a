/* SPDX-License-Identifier: BSD-2-Clause */
/* What was added is found by its number, what was not is not, and few numbers take little memory. */
#include "site/lookup.h"

#include "base.h"
#include "site/known.h"
#include "os/os.h"

#include <criterion/criterion.h>
#include <sys/mman.h>

#define MOST 4095u

/* Things are squares; many have one hash. */
static uint64_t hash_of(uint32_t number)
{
	return (uint64_t)number * number % 1021;
}

static bool is(uint32_t number, const void *wanted)
{
	return (uint64_t)number * number == *(const uint64_t *)wanted;
}

static uint32_t find(const struct ksm_lookup *lookup, uint32_t number)
{
	uint64_t square = (uint64_t)number * number;

	return ksm_lookup_find(lookup, hash_of(number), is, &square);
}

static size_t resident_pages(const void *memory, size_t bytes)
{
	uintptr_t begin = ksm_align_down((uintptr_t)memory, KSM_PAGE);
	size_t pages = (ksm_align_up((uintptr_t)memory + bytes, KSM_PAGE) - begin) / KSM_PAGE;
	unsigned char states[64];
	size_t count = 0;

	cr_assert_leq(pages, sizeof(states));
	cr_assert_eq(mincore((void *)begin, pages * KSM_PAGE, states), 0);
	for (size_t i = 0; i < pages; i++)
		count += states[i] & 1;
	return count;
}

Test(lookup, finds_all_and_nothing_else)
{
	struct ksm_lookup lookup;

	cr_assert_eq(ksm_lookup_init(&lookup, MOST), 0);
	for (uint32_t number = 1; number <= MOST; number++) {
		cr_assert_eq(find(&lookup, number), 0);
		ksm_lookup_add(&lookup, hash_of);
		cr_assert_eq(find(&lookup, number), number);
		cr_assert_eq(find(&lookup, 1), 1);
	}
	for (uint32_t number = 1; number <= MOST; number++)
		cr_assert_eq(find(&lookup, number), number);
	ksm_lookup_add(&lookup, hash_of);
	cr_assert_eq(lookup.count, MOST);
	cr_assert_eq(find(&lookup, MOST + 1), 0);
}

Test(lookup, few_numbers_take_little_memory)
{
	struct ksm_lookup lookup;
	size_t before;

	cr_assert_eq(ksm_lookup_init(&lookup, MOST), 0);
	before = resident_pages(lookup.cells, 4 * MOST);
	for (uint32_t number = 1; number <= 200; number++)
		ksm_lookup_add(&lookup, hash_of);
	cr_assert_leq(resident_pages(lookup.cells, 4 * MOST), before + 2);
}

Test(known, few_numbers_take_little_memory_of_a_reserve)
{
	struct ksm_known known;
	uint32_t number;
	const char *memory;
	size_t before;

	cr_assert_eq(ksm_known_init(&known, true), 0);
	memory = (const char *)known.table;
	before = resident_pages(memory, 128 * KSM_KIB);
	for (uint32_t i = 1; i <= 2000; i++) {
		ksm_known_add_locked(&known, i * UINT64_C(0x9e3779b97f4a7c15), i);
		if (i == 200)
			cr_assert_leq(resident_pages(memory, 128 * KSM_KIB), before + 2);
	}
	for (uint32_t i = 1; i <= 2000; i++) {
		cr_assert(ksm_known_find(&known, i * UINT64_C(0x9e3779b97f4a7c15), &number));
		cr_assert_eq(number, i);
	}
	/* All of it came from the reserve. */
	cr_assert_lt((size_t)((const char *)known.table - memory), 256 * KSM_KIB);
}
