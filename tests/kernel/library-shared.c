/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In the shared layout all that is placed is hinted, what belongs to no site with an id of its own,
 * and ksmalloc_merge_now(NULL) merges heap and mappings, too. Run twice; the second one, told so by
 * an argument, finds the memory of the first.
 */
#include "library.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>

#define COUNT	 32
#define SMALL	 20000
#define MAPPED	 (4 * TEST_MIB)

static uint64_t region_hint(enum ksmalloc_hint_region region, uint64_t priority)
{
	return region | priority << KSMALLOC_HINT_PRIORITY_SHIFT | KSMALLOC_HINT_PEERS;
}

static void check_hint(const char *what, const void *address, uint64_t wanted)
{
	struct test_vma vma = test_vma_of(address);

	CHECK_MSG(vma.hint == wanted, "%s has the hint %#" PRIx64 " instead of %#" PRIx64, what,
		  vma.hint, wanted);
	CHECK(test_has_flag(address, "mg"));
}

/* Three quarters of what is resident there. */
static void check_merged(const char *what, const void *address)
{
	struct test_vma vma = test_vma_of(address);

	CHECK_MSG(vma.merged_bytes >= vma.rss_bytes / 4 * 3, "%s: %zu of %zu KiB merged", what,
		  vma.merged_bytes / TEST_KIB, vma.rss_bytes / TEST_KIB);
}

int main(int argc, char **argv)
{
	static int data = 1;
	static void *blocks[COUNT], *small[SMALL];
	void *mapped;
	long pages;

	(void)argv;
	need_hints();
	for (size_t i = 0; i < SMALL; i++) {
		small[i] = malloc(200);
		test_fill(small[i], 200, i);
	}
	test_alloc_many(blocks, COUNT, BLOCK);
	fill_blocks(blocks, COUNT, 3);
	mapped = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(mapped != MAP_FAILED);
	test_fill(mapped, MAPPED, 4);
	CHECK(test_segment()->layout == KSMALLOC_LAYOUT_SHARED);

	check_hint("a slot", blocks[COUNT - 1],
		   test_site_of(blocks[COUNT - 1])->id | UINT64_C(8) << KSMALLOC_HINT_PRIORITY_SHIFT |
			   KSMALLOC_HINT_PEERS);
	check_hint("the heap", small[SMALL / 2], region_hint(KSMALLOC_HINT_HEAP, 12));
	check_hint("a mapping", mapped, region_hint(KSMALLOC_HINT_MAPPINGS, 4));
	check_hint("a nursery", blocks[0], region_hint(KSMALLOC_HINT_NURSERIES, 4));
	check_hint("data", &data, region_hint(KSMALLOC_HINT_DATA, 4));
	CHECK(test_vma_of(&mapped).hint == 0);
	CHECK(test_segment()->stats.hint_failed_total == 0);

	CHECK(ksmalloc_settled(NULL) == 0);
	pages = ksmalloc_merge_now(NULL, 0);
	CHECK_MSG(pages >= (long)((MAPPED + COUNT * BLOCK) / TEST_PAGE), "%ld pages", pages);
	if (argc > 1) {
		check_merged("a slot", blocks[COUNT - 1]);
		check_merged("the heap", small[SMALL / 2]);
		check_merged("a mapping", mapped);
		check_merged("a nursery", blocks[0]);
		return 0;
	}
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
