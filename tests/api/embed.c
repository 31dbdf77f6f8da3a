/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ksmalloc/embed.h: the same program with the library and without. Given "alone", nothing of the library is there, and a heap
 * is memory of mmap(2)'s; else it is an arena. Either way it grows by zeros, shrinks, and is refused where it should be.
 */
#include <ksmalloc/embed.h>

#include "test.h"

#include <string.h>

static void grow_and_shrink(struct ksmalloc_heap *heap)
{
	CHECK(ksmalloc_heap_resize(heap, 100000) == 0);
	CHECK(heap->committed == 102400 && test_is_zero(heap->base, 100000));
	memset(heap->base, 1, 100000);
	CHECK(ksmalloc_heap_resize(heap, 5000) == 0);
	CHECK(heap->committed == 8192 && heap->base[5000] == 1);
	CHECK(ksmalloc_heap_resize(heap, TEST_MIB) == 0);
	CHECK(heap->base[5000] == 1 && test_is_zero(heap->base + 8192, TEST_MIB - 8192));
	ksmalloc_heap_set_live(heap, 12);
	CHECK(ksmalloc_heap_resize(heap, TEST_MIB + 1) == -ENOSPC);
	CHECK(ksmalloc_heap_resize(heap, SIZE_MAX) == -ENOSPC);
	CHECK(heap->committed == TEST_MIB);
	CHECK(ksmalloc_heap_resize(heap, 0) == 0 && ksmalloc_heap_resize(heap, 0) == 0);
}

static void labels(bool alone)
{
	int id = ksmalloc_embed_label("phase"), begun = ksmalloc_embed_begin(id);

	CHECK(alone ? id <= 0 && !begun : id > 0 && begun);
	ksmalloc_embed_end(begun);
	CHECK(!ksmalloc_embed_begin(0) && !ksmalloc_embed_begin(-ENOMEM));
	begun = ksmalloc_embed_begin_name("name");
	CHECK(begun == !alone);
	ksmalloc_embed_end(begun);
	CHECK(!ksmalloc_embed_begin_name(""));
}

int main(int argc, char **argv)
{
	bool alone = argc > 1 && strcmp(argv[1], "alone") == 0;
	struct ksmalloc_heap heap;

	CHECK(ksmalloc_embed_is_loaded() == !alone);
	labels(alone);
	/* Nobody has asked for it. */
	CHECK(ksmalloc_embed_share() == -EOPNOTSUPP);
	CHECK(ksmalloc_heap_reserve(&heap, "heap", 0, 0) == -EINVAL && !heap.base);
	CHECK(ksmalloc_heap_reserve(&heap, "heap", SIZE_MAX, 0) == -ENOMEM && !heap.base);
	CHECK(ksmalloc_heap_release(&heap) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(ksmalloc_heap_reserve(&heap, "heap", TEST_MIB - 1, i ? KSMALLOC_ARENA_PRIVATE : 0) == 0);
		CHECK(heap.is_arena == !alone && heap.reserved == TEST_MIB && heap.committed == 0);
		grow_and_shrink(&heap);
		CHECK(ksmalloc_heap_release(&heap) == 0 && !heap.base);
	}
	return 0;
}
