/* SPDX-License-Identifier: BSD-2-Clause */
/* Two processes that call the same get the same places in their slots, whatever the base is. */
#include "test.h"

#define SLOTS 128

static void print_places(void)
{
	static void *blocks[SLOTS];
	uint64_t state = 99;

	for (int i = 0; i < 10000; i++) {
		size_t at = test_random(&state) % SLOTS;
		size_t size = 16 * TEST_KIB + test_random(&state) % (100 * TEST_KIB);

		if (blocks[at] && test_random(&state) % 3 == 0) {
			free(blocks[at]);
			blocks[at] = NULL;
		} else {
			blocks[at] = realloc(blocks[at], size);
		}
	}
	for (int i = 0; i < SLOTS; i++) {
		const struct ksmalloc_segment_slot *slot = test_slot_of(blocks[i]);

		if (blocks[i] && slot)
			printf("%d:%llx ", i, (unsigned long long)((uintptr_t)blocks[i] - slot->base));
	}
	printf("base %llx\n", (unsigned long long)test_segment()->span_base);
}

int main(int argc, char **argv)
{
	static const char *const child[] = { "deterministic", "child", NULL };
	static char output[2][65536];

	(void)argv;
	if (argc > 1) {
		print_places();
		return 0;
	}
	for (int i = 0; i < 2; i++)
		CHECK(test_run_self(child, output[i], sizeof(output[i])) == 0);
	char *base[2] = { strstr(output[0], "base"), strstr(output[1], "base") };

	CHECK(base[0] && base[1]);
	/* Another base each time, else nothing is shown about randomised processes. */
	CHECK(strcmp(base[0], base[1]) != 0);
	*base[0] = *base[1] = '\0';
	CHECK_MSG(strlen(output[0]) > 500, "hardly any block is placed: %s", output[0]);
	CHECK(strcmp(output[0], output[1]) == 0);
	return 0;
}
