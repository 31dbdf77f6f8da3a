/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the program did to the pages of a block, rights and flags, ends with the block: who gets its
 * run next has ordinary memory, in one mapping with the rest of the slot.
 */
#include "test.h"

#include <sys/mman.h>
#include <sys/wait.h>

#define COUNT 64
#define SIZE  (64 * TEST_KIB)

static void *blocks[COUNT];

/* All blocks come from one line. */
static TEST_NOINLINE void take_all(void)
{
	test_alloc_many(blocks, COUNT, SIZE);
}

static void alter(int step, void *block)
{
	static const int advice[] = { MADV_DONTFORK, MADV_WIPEONFORK, MADV_HUGEPAGE, MADV_DONTDUMP, MADV_RANDOM };

	switch (step) {
	case 0:
		CHECK(mprotect(block, SIZE, PROT_NONE) == 0);
		break;
	case 1:
		CHECK(mprotect((char *)block + TEST_PAGE, TEST_PAGE, PROT_READ) == 0);
		break;
	default:
		madvise(block, SIZE, advice[step - 2]);
	}
}

static void check_ordinary(void *block)
{
	static const char *const flags[] = { "dc", "wf", "hg", "dd", "rr" };
	struct test_vma vma = test_vma_of(block);

	CHECK_MSG(strncmp(vma.perms, "rw-p", 4) == 0, "rights are %s", vma.perms);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		CHECK_MSG(!test_has_flag(block, flags[i]), "the flag %s is left", flags[i]);
	CHECK(test_has_flag(block, "mg"));
}

/* A child sees what its parent wrote. */
static void check_fork(void)
{
	pid_t child;
	int status;

	for (int i = 0; i < COUNT; i++)
		test_fill(blocks[i], SIZE, (uint64_t)i);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		for (int i = 0; i < COUNT; i++)
			CHECK(test_matches(blocks[i], SIZE, (uint64_t)i));
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	size_t mappings = 0;

	for (int round = 0; round < 9; round++) {
		take_all();
		if (round == 1)
			mappings = test_vma_count();
		for (int i = 16; i < COUNT; i++)
			check_ordinary(blocks[i]);
		if (round < 8) {
			for (int i = 16; i < COUNT; i += 3)
				memset(blocks[i], 0x55, SIZE);
			for (int i = 16; i < COUNT; i += 3)
				alter(round % 7, blocks[i]);
			test_free_many(blocks, COUNT);
		}
	}
	check_fork();
	CHECK_MSG(test_vma_count() <= mappings + 4, "%zu mappings, %zu before", test_vma_count(), mappings);
	test_free_many(blocks, COUNT);
	return 0;
}
