/* SPDX-License-Identifier: BSD-2-Clause */
/* A site whose blocks are freed at once gets no slot; when it begins to keep them, it does. */
#include "test.h"

#define COUNT 256
#define SIZE  (32 * TEST_KIB)

static TEST_NOINLINE void *take(void)
{
	return malloc(SIZE);
}

int main(void)
{
	static void *kept[COUNT];

	for (int i = 0; i < 1500 + COUNT; i++) {
		/* One call from one line: the same site in both halves of the loop. */
		void *block = take();

		CHECK(block != NULL);
		if (i < 1500) {
			CHECK(i % 100 || !test_is_placed(block));
			free(block);
		} else {
			kept[i - 1500] = block;
		}
	}
	/* The decision is reversible: 8 MiB are held now. */
	CHECK(test_is_placed(kept[COUNT - 1]));
	CHECK(test_has_flag(kept[COUNT - 1], "mg"));
	return 0;
}
