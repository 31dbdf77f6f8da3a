/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two processes that allocate, free and resize in the same way hold page for
 * page the same in their slots, tails and reused runs included, although all
 * their addresses differ. A checksum per page goes to standard output.
 */
#include "test.h"

#define SLOTS 128

static char *blocks[SLOTS];
static size_t sizes[SLOTS];

static void churn(void)
{
	uint64_t state = 7;

	for (int i = 0; i < 4000; i++) {
		size_t at = test_random(&state) % SLOTS;
		size_t size = 16 * TEST_KIB + test_random(&state) % (90 * TEST_KIB);

		if (blocks[at] && test_random(&state) % 3 == 0) {
			free(blocks[at]);
			blocks[at] = NULL;
			continue;
		}
		size_t old = blocks[at] ? sizes[at] : 0;

		blocks[at] = realloc(blocks[at], size);
		CHECK(blocks[at] != NULL);
		/* Every byte that malloc left undefined is the program's to set. */
		if (size > old)
			memset(blocks[at] + old, (int)(test_random(&state) & 0xff), size - old);
		sizes[at] = size;
	}
}

static uint64_t checksum(const unsigned char *page)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < TEST_PAGE; i++)
		sum = (sum ^ page[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/* Freed runs are left out: when they are given back may depend on time. */
static void print_blocks(void)
{
	size_t pages = 0;

	for (size_t i = 0; i < SLOTS; i++) {
		const struct ksmalloc_segment_slot *slot = test_slot_of(blocks[i]);

		if (!blocks[i] || !slot)
			continue;
		printf("\n%zu %llx:", i, (unsigned long long)((uintptr_t)blocks[i] - slot->base));
		for (size_t at = 0; at < sizes[i]; at += TEST_PAGE, pages++)
			printf(" %llx", (unsigned long long)checksum((const unsigned char *)blocks[i] + at));
	}
	printf("\nend %zu\n", pages);
}

int main(int argc, char **argv)
{
	static const char *const child[] = { "c-pages", "child", NULL };
	static char output[2][8 << 20];

	(void)argv;
	if (argc > 1) {
		churn();
		print_blocks();
		return 0;
	}
	for (int i = 0; i < 2; i++)
		CHECK(test_run_self(child, output[i], sizeof(output[i])) == 0);
	CHECK(strstr(output[0], "end ") != NULL);
	CHECK_MSG(strlen(output[0]) > 20000, "too few pages to compare: %zu bytes", strlen(output[0]));
	CHECK(strcmp(output[0], output[1]) == 0);
	return 0;
}
