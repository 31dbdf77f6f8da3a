/* SPDX-License-Identifier: BSD-2-Clause */
/* Hints that the kernel refuses are counted and change nothing else; without process_vm_readv nothing is sampled. */
#include "library.h"
#include "../faults/seccomp.h"

#define COUNT 32

int main(void)
{
	static void *first[COUNT], *second[COUNT];
	const struct ksmalloc_process_stats *stats;
	uint64_t taken;

	need_hints();
	test_alloc_many(first, COUNT, BLOCK);
	stats = &test_segment()->stats;
	taken = stats->hints_total;
	CHECK(taken > 0);
	/* PR_SET_VMA, PR_SET_VMA_KSM_HINT: what the limit of mappings would answer. */
	deny_calls("prctl[0]=1398164801,[1]=19283:EAGAIN");
	deny_calls("process_vm_readv:EPERM");
	test_alloc_many(second, COUNT, BLOCK);
	CHECK(test_has_flag(second[COUNT - 1], "mg"));
	CHECK(test_vma_of(second[COUNT - 1]).hint == 0);
	CHECK(test_site_of(second[COUNT - 1])->hint == 0);
	CHECK(stats->hint_failed_total == 1);
	CHECK(stats->hint_errno == EAGAIN);
	CHECK(stats->advise_failed_total == 0);
	CHECK(ksmalloc_settled(first[COUNT - 1]) == -EAGAIN);
	CHECK(STABILITY(test_vma_of(first[COUNT - 1]).hint) == KSMALLOC_STABILITY_UNKNOWN);
	CHECK(stats->hints_total == taken);
	fill_blocks(first, COUNT, 1);
	fill_blocks(second, COUNT, 1);
	for (int i = test_opaque(0); i < 4000; i++) {
		free(test_opaque(0) ? NULL : malloc(TEST_MIB));
		if (i % 100 == 0)
			sleep_ms(2);
	}
	CHECK_MSG(stats->samples_total < 10, "%llu samples", (unsigned long long)stats->samples_total);
	for (size_t i = 0; i < COUNT; i++)
		CHECK(test_matches(second[i], BLOCK, 1000 + i));
	return 0;
}
