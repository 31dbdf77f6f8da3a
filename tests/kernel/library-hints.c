/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slot is hinted with its site and the priority before its first touch, by one call, and passes
 * that on as it grows, in forked children too.
 */
#include "library.h"

#include <sys/wait.h>

#define COUNT 640 /* 40 MiB */

/* Slots that the process has hinted. */
static uint64_t count_slots(void)
{
	const struct ksmalloc_segment_header *header = test_segment();
	const struct ksmalloc_segment_slot *slots =
		(const void *)((const char *)header + header->slots.offset);
	uint64_t count = 0;

	for (uint32_t i = 0; i < header->slots.count; i++)
		count += (slots[i].flags & KSMALLOC_SLOT_ADVISED) != 0;
	return count;
}

static void check(void **blocks, size_t count)
{
	struct test_vma vma = one_vma(blocks, count);
	const struct ksmalloc_segment_site *site = test_site_of(blocks[0]);
	char name[64];

	CHECK(site != NULL);
	snprintf(name, sizeof(name), "[anon:ksmalloc:%012llx]", (unsigned long long)site->id);
	CHECK_MSG(strstr(vma.name, name), "the mapping is called %s", vma.name);
	CHECK(test_has_flag(blocks[0], "mg"));
	CHECK_MSG((vma.hint & KSMALLOC_HINT_SITE_MASK) == site->id, "hint %llx, site %llx",
		  (unsigned long long)vma.hint, (unsigned long long)site->id);
	CHECK(PRIORITY(vma.hint) == 8);
	CHECK(STABILITY(vma.hint) == KSMALLOC_STABILITY_UNKNOWN);
	/* User Mode Linux has slots of less than a GiB, whose offsets differ between processes. */
	CHECK(!(vma.hint & KSMALLOC_HINT_PEERS) == !(vma.begin >> 40));
	CHECK(site->hint == vma.hint);
	CHECK(test_segment()->stats.hint_failed_total == 0);
	CHECK_MSG(test_segment()->stats.hints_total == count_slots(), "%llu hints for %llu slots",
		  (unsigned long long)test_segment()->stats.hints_total,
		  (unsigned long long)count_slots());
}

static void *blocks[2 * COUNT];

/* A function of its own, so that both rounds allocate from one place. */
static TEST_NOINLINE void check_round(size_t round)
{
	void **mine = blocks + round * COUNT;

	/* The first three are in a nursery. */
	if (round == 0) {
		CHECK_MSG(one_vma(mine + 3, COUNT - 3).rss_bytes == 0, "it was touched");
		check(mine + 3, COUNT - 3);
	}
	fill_blocks(mine, COUNT, round);
	check(blocks + 3, (round + 1) * COUNT - 3);
}

static TEST_NOINLINE void go_on_in_child(void)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0)
		return;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_MSG(status == 0, "the child ended with %x", status);
	exit(0);
}

int main(void)
{
	need_hints();
	for (size_t round = test_opaque(0); round < 2; round++) {
		test_alloc_many(blocks + round * COUNT, COUNT, BLOCK);
		check_round(round);
		go_on_in_child();
	}
	return 0;
}
