/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Samples find which sites are written to and which are not, while the program allocates
 * elsewhere: a settled site, a volatile one, and the settled one after it was written to. What
 * the program made unreadable and what it never touched stay so.
 */
#include "library.h"

#include <sys/mman.h>

#define COUNT 32
#define UNTOUCHED (16 * TEST_MIB)

static void *settled[COUNT], *volatiles[COUNT];
static uint64_t writes;

/* Takes turns by allocating at a third site until the blocks' site has this stability. */
static bool reaches(void *block, enum ksmalloc_stability wanted)
{
	for (int i = test_opaque(0); i < 400; i++) {
		for (int j = 0; j < 40; j++)
			free(test_opaque(0) ? NULL : malloc(4 * TEST_MIB));
		fill_blocks(volatiles, COUNT, ++writes);
		if (STABILITY(test_vma_of(block).hint) == wanted)
			return true;
		sleep_ms(5);
	}
	return false;
}

static size_t resident_pages(char *block, size_t bytes)
{
	static unsigned char in_memory[UNTOUCHED / TEST_PAGE];
	size_t count = 0;

	CHECK(mincore(block, bytes, in_memory) == 0);
	for (size_t i = 0; i < bytes / TEST_PAGE; i++)
		count += in_memory[i] & 1;
	return count;
}

static void check_site(void **blocks, enum ksmalloc_stability wanted)
{
	const struct ksmalloc_segment_site *site = test_site_of(blocks[COUNT - 1]);
	struct test_vma vma = one_vma(blocks + 4, COUNT - 4);

	CHECK(site->stability == wanted);
	CHECK(site->hint == vma.hint);
	CHECK(STABILITY(vma.hint) == wanted);
	CHECK((vma.hint & KSMALLOC_HINT_SITE_MASK) == site->id && PRIORITY(vma.hint) == 8);
}

int main(void)
{
	const struct ksmalloc_process_stats *stats;
	char *untouched;

	need_hints();
	/* Two sites: the two calls stand in different lines. */
	test_alloc_many(settled, COUNT, BLOCK);
	test_alloc_many(volatiles, COUNT, BLOCK);
	untouched = malloc(UNTOUCHED);
	fill_blocks(settled, COUNT, 1);
	/* A guard page: a sample that read it directly would end the program. */
	CHECK(mprotect(settled[COUNT / 2], TEST_PAGE, PROT_NONE) == 0);
	CHECK(mprotect(settled[COUNT / 2], TEST_PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(reaches(settled[COUNT - 1], KSMALLOC_STABILITY_SETTLED));
	check_site(settled, KSMALLOC_STABILITY_SETTLED);
	CHECK(mprotect(settled[COUNT / 2], BLOCK, PROT_NONE) == 0);
	CHECK(reaches(volatiles[COUNT - 1], KSMALLOC_STABILITY_VOLATILE));
	check_site(volatiles, KSMALLOC_STABILITY_VOLATILE);
	CHECK(mprotect(settled[COUNT / 2], BLOCK, PROT_READ | PROT_WRITE) == 0);
	stats = &test_segment()->stats;
	CHECK(stats->settled_sites >= 1);
	CHECK(stats->samples_total > 10);
	CHECK(resident_pages(untouched, UNTOUCHED) == 0);

	fill_blocks(settled, COUNT, 2);
	CHECK(reaches(settled[COUNT - 1], KSMALLOC_STABILITY_UNKNOWN));
	check_site(settled, KSMALLOC_STABILITY_UNKNOWN);
	/* Twice as many comparisons, but in the end. */
	CHECK(reaches(settled[COUNT - 1], KSMALLOC_STABILITY_SETTLED));
	for (size_t i = 0; i < COUNT; i++)
		CHECK(test_matches(settled[i], BLOCK, 2000 + i));
	CHECK_MSG(stats->rehints_total < 12, "%llu changes of hints",
		  (unsigned long long)stats->rehints_total);
	CHECK(stats->hint_failed_total == 0);
	return 0;
}
