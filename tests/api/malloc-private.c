/* SPDX-License-Identifier: BSD-2-Clause */
/* What ksmalloc_malloc_private gives is never mergeable, however large, many or often resized. */
#include "test.h"

#define COUNT 64

static void check_private(void *const *blocks, size_t size)
{
	struct test_vma vma = { 0 };

	for (size_t i = 0; i < COUNT; i++) {
		/* Most lie in one mapping, and a sanitizer's process has many to look through. */
		if ((uintptr_t)blocks[i] < vma.begin || (uintptr_t)blocks[i] >= vma.end)
			vma = test_vma_of(blocks[i]);
		CHECK_MSG(!strstr(vma.flags, " mg "), "private block %zu of %zu bytes is mergeable", i, size);
	}
}

static TEST_NOINLINE void take(void **blocks, size_t size)
{
	for (size_t i = 0; i < COUNT; i++) {
		blocks[i] = ksmalloc_malloc_private(size);
		CHECK(blocks[i] != NULL);
		test_fill(blocks[i], size, i);
	}
}

static TEST_NOINLINE void resize(void **blocks, size_t from, size_t to)
{
	for (size_t i = 0; i < COUNT; i++) {
		blocks[i] = realloc(blocks[i], to);
		CHECK(blocks[i] != NULL);
		CHECK(test_matches(blocks[i], from < to ? from : to, i));
		test_fill(blocks[i], to, i);
	}
}

int main(void)
{
	static const size_t sizes[] = { 10, 2000, 16384, 100000, 1 << 20, 6 << 20, 50000, 16384, 30, 70000 };
	void *blocks[COUNT], *ordinary[COUNT];

	/* Mergeable memory all around: a private block must not slip into it. */
	test_alloc_many(ordinary, COUNT, 100000);
	CHECK(test_has_flag(ordinary[COUNT - 1], "mg"));
	for (size_t first = 0; first < TEST_COUNT_OF(sizes); first++) {
		size_t size = sizes[first];

		take(blocks, size);
		check_private(blocks, size);
		for (size_t i = 0; i < TEST_COUNT_OF(sizes); i++) {
			resize(blocks, size, sizes[i]);
			size = sizes[i];
			check_private(blocks, size);
		}
		for (size_t i = 0; i < COUNT; i++)
			free(blocks[i]);
	}
	errno = 0;
	CHECK(ksmalloc_malloc_private(PTRDIFF_MAX) == NULL);
	CHECK(errno == ENOMEM);
	return 0;
}
