/* SPDX-License-Identifier: BSD-2-Clause */
#include "mapping.h"
#include "stat.h"

#include <criterion/criterion.h>
#include <sys/mman.h>

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)
#define AT(page) ((void *)(uintptr_t)(0x100000000 + (page) * 4096ull))

static void setup(void)
{
	cr_assert_eq(ksm_stat_init(), 0);
}

TestSuite(mapping, .init = setup);

static void expect(uint64_t live_pages, uint64_t reserved_pages)
{
	cr_assert_eq(ksm_stat->header.stats.mmap_live_bytes, live_pages * 4096);
	cr_assert_eq(ksm_stat->header.stats.mmap_reserved_bytes, reserved_pages * 4096);
}

Test(mapping, counts_private_anonymous_memory_only)
{
	ksm_mapping_note_map(AT(0), 10 * 4096, RW, ANON);
	ksm_mapping_note_map(AT(100), 4096, RW, MAP_SHARED | MAP_ANONYMOUS);
	ksm_mapping_note_map(AT(200), 4096, RW, MAP_PRIVATE);
	ksm_mapping_note_map(AT(300), 5 * 4096, PROT_NONE, ANON);
	expect(10, 5);
	cr_assert_eq(ksm_stat->header.stats.mmap_calls_total, 4);
}

Test(mapping, lengths_are_whole_pages)
{
	ksm_mapping_note_map(AT(0), 1, RW, ANON);
	expect(1, 0);
	ksm_mapping_note_unmap(AT(0), 1);
	expect(0, 0);
}

Test(mapping, a_hole_splits_a_range)
{
	ksm_mapping_note_map(AT(0), 10 * 4096, RW, ANON);
	ksm_mapping_note_unmap(AT(4), 2 * 4096);
	expect(8, 0);
	ksm_mapping_note_unmap(AT(0), 10 * 4096);
	expect(0, 0);
}

Test(mapping, a_fixed_mapping_replaces)
{
	ksm_mapping_note_map(AT(0), 100 * 4096, PROT_NONE, ANON);
	ksm_mapping_note_map(AT(10), 20 * 4096, RW, ANON | MAP_FIXED);
	expect(20, 80);
	ksm_mapping_note_map(AT(15), 4096, RW, MAP_SHARED | MAP_FIXED);
	expect(19, 80);
}

Test(mapping, remap_moves_what_was_counted)
{
	ksm_mapping_note_map(AT(0), 4 * 4096, RW, ANON);
	ksm_mapping_note_remap(AT(0), 4 * 4096, AT(50), 8 * 4096, MREMAP_MAYMOVE);
	expect(8, 0);
	ksm_mapping_note_remap(AT(700), 4096, AT(800), 4096, MREMAP_MAYMOVE);
	expect(8, 0);
	ksm_mapping_note_unmap(AT(50), 8 * 4096);
	expect(0, 0);
}

Test(mapping, many_ranges)
{
	for (uintptr_t i = 0; i < 5000; i++)
		ksm_mapping_note_map(AT(2 * i), 4096, RW, ANON);
	expect(5000, 0);
	ksm_mapping_note_unmap(AT(0), 10000 * 4096ull);
	expect(0, 0);
	cr_assert_eq(ksm_stat->header.stats.mmap_untracked_total, 0);
}
