/* SPDX-License-Identifier: BSD-2-Clause */
/* What was added is found while tables grow, few entries take few pages, and one with a reserve maps nothing later. */
#include "site/known.h"

#include "origin/intern.h"
#include "calls/start.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FEW  300u
#define MANY 12000u

static void setup(void)
{
	cr_assert(ksm_start_slots_wait());
}

TestSuite(known, .init = setup, .timeout = KSM_CASE_SECONDS);

static struct ksm_known known;

/* Hashes as they are: all bits differ. */
static uint64_t hash_of(uint32_t i)
{
	uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

	x ^= x >> 29;
	return x * UINT64_C(0xbf58476d1ce4e5b9);
}

static void add(uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		ksm_known_add_locked(&known, hash_of(i), i);
}

static void expect_all(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = UINT32_MAX;

		cr_assert(ksm_known_find(&known, hash_of(i), &number), "%u of %u is not known", i, count);
		cr_assert_eq(number, i);
	}
}

/* Anonymous memory of the process, in KiB. */
static long anonymous(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	long kib = -1;

	cr_assert(file);
	while (fgets(line, sizeof(line), file) && sscanf(line, "Anonymous: %ld", &kib) != 1)
		;
	fclose(file);
	cr_assert_geq(kib, 0);
	return kib;
}

/* Mappings and their places, as what the kernel places next follows from them. */
static size_t mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	char line[512];
	size_t sum = 0;

	cr_assert(file);
	while (fgets(line, sizeof(line), file)) {
		if (!strstr(line, "[heap]"))
			sum = 31 * sum + strlen(line) + (size_t)strtoull(line, NULL, 16);
	}
	fclose(file);
	return sum;
}

Test(known, all_are_found_while_tables_grow)
{
	cr_assert_eq(ksm_known_init(&known, false), 0);
	for (uint32_t count = 0; count < MANY; count += MANY / 8) {
		add(count, count + MANY / 8);
		expect_all(count + MANY / 8);
	}
}

Test(known, the_largest_table_begins_anew)
{
	uint32_t number;

	cr_assert_eq(ksm_known_init(&known, true), 0);
	add(0, 3 * MANY);
	cr_assert(!ksm_known_find(&known, hash_of(0), &number));
	cr_assert(ksm_known_find(&known, hash_of(3 * MANY - 1), &number));
}

Test(known, one_with_a_reserve_maps_nothing_later)
{
	size_t before;

	cr_assert_eq(ksm_known_init(&known, true), 0);
	mappings(); /* stdio's own memory */
	before = mappings();
	add(0, MANY);
	cr_assert_eq(mappings(), before);
	expect_all(MANY);
}

/* In KiB. The address sanitizer has pages of its own for each of ours. */
#ifdef __SANITIZE_ADDRESS__
#define MOST_FOR_ENTRIES 64
#define MOST_FOR_NAMES	 96
#else
#define MOST_FOR_ENTRIES 16
#define MOST_FOR_NAMES	 24
#endif

Test(known, few_entries_of_one_with_a_reserve_take_few_pages)
{
	long before;

	cr_assert_eq(ksm_known_init(&known, true), 0);
	before = anonymous();
	before = anonymous();
	add(0, FEW);
	cr_assert_leq(anonymous() - before, MOST_FOR_ENTRIES);
	expect_all(FEW);
}

Test(known, few_names_take_few_pages)
{
	uint32_t offsets[FEW];
	char name[16];
	long before;

	before = anonymous();
	before = anonymous();
	for (uint32_t i = 0; i < FEW; i++)
		offsets[i] = ksm_intern(name, (size_t)snprintf(name, sizeof(name), "n%u", i));
	/* Names, their hashes, and the index. */
	cr_assert_leq(anonymous() - before, MOST_FOR_NAMES);
	for (uint32_t i = 0; i < FEW; i++) {
		cr_assert_neq(offsets[i], 0);
		cr_assert_eq(ksm_intern(name, (size_t)snprintf(name, sizeof(name), "n%u", i)), offsets[i]);
	}
}

Test(known, names_are_found_while_the_index_grows)
{
	static uint32_t offsets[MANY];
	char name[16];
	uint32_t count = 0;

	for (; count < MANY; count++) {
		offsets[count] = ksm_intern(name, (size_t)snprintf(name, sizeof(name), "n%u", count));
		if (!offsets[count])
			break;
	}
	cr_assert_gt(count, 2048);
	for (uint32_t i = 0; i < count; i++)
		cr_assert_eq(ksm_intern(name, (size_t)snprintf(name, sizeof(name), "n%u", i)), offsets[i], "%u", i);
}
