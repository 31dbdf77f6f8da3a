/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process reaches vm.max_map_count by its own doing. Slots can no longer
 * grow by a mapping of their own, yet what exists stays right, and memory comes
 * back as soon as the program gives mappings up.
 */
#include "test.h"

#include <sys/mman.h>

#define COUNT 256

/* Many mappings from one: every second page gets other rights. */
static char *take_all(size_t limit, size_t *made)
{
	size_t pages = limit + 1000;
	char *map = mmap(NULL, pages * TEST_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(map != MAP_FAILED);
	for (*made = 1; *made < pages; *made += 2)
		if (mprotect(map + *made * TEST_PAGE, TEST_PAGE, PROT_READ) != 0)
			break;
	return map;
}

int main(void)
{
	static void *blocks[3][COUNT];
	size_t limit = 0, made, failed = 0;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");

	if (!file || fscanf(file, "%zu", &limit) != 1 || limit > 1000000)
		test_skip("vm.max_map_count cannot be read or is too large to be reached");
	fclose(file);
	test_alloc_many(blocks[0], COUNT, 64 * TEST_KIB);
	for (size_t i = 0; i < COUNT; i++)
		test_fill(blocks[0][i], 64 * TEST_KIB, i);
	CHECK(test_is_placed(blocks[0][COUNT - 1]));
	char *map = take_all(limit, &made);

	CHECK_MSG(errno == ENOMEM, "the limit was not reached after %zu mappings", made);
	for (size_t i = 0; i < COUNT; i++) {
		errno = 0;
		blocks[1][i] = malloc(500 * TEST_KIB);
		if (blocks[1][i])
			test_fill(blocks[1][i], 500 * TEST_KIB, i);
		else
			CHECK(errno == ENOMEM);
		failed += !blocks[1][i];
	}
	for (size_t i = 0; i < COUNT; i++) {
		CHECK(test_matches(blocks[0][i], 64 * TEST_KIB, i));
		free(blocks[0][i]);
		if (blocks[1][i])
			CHECK(test_matches(blocks[1][i], 500 * TEST_KIB, i));
		free(blocks[1][i]);
	}
	/* What the program gives up serves malloc again. */
	CHECK(munmap(map, (limit + 1000) * TEST_PAGE) == 0);
	test_alloc_many(blocks[2], COUNT, 500 * TEST_KIB);
	for (size_t i = 0; i < COUNT; i++)
		test_fill(blocks[2][i], 500 * TEST_KIB, i);
	for (size_t i = 0; i < COUNT; i++)
		CHECK(test_matches(blocks[2][i], 500 * TEST_KIB, i));
	printf("%zu of %d blocks failed at the limit\n", failed, COUNT);
	return 0;
}
