/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block that was allocated by one of libc's other names of the family is freed by any of them, small
 * or placed: __libc_malloc and its kin, __posix_memalign and cfree are the same functions.
 */
#include "test.h"

#define ROUNDS 40

/* No header declares them. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
void __libc_free(void *block);
int __libc_mallopt(int parameter, int value);
struct mallinfo __libc_mallinfo(void);

/* libc.so has these for itself and for old programs only: nothing new is linked with them. */
void *__libc_reallocarray(void *block, size_t count, size_t size);
struct mallinfo2 __libc_mallinfo2(void);
int __posix_memalign(void **result, size_t alignment, size_t size);
void cfree(void *block);
#ifdef KSM_TEST_PRELOADED
#pragma weak __libc_reallocarray
#pragma weak __libc_mallinfo2
#pragma weak __posix_memalign
#pragma weak cfree
#endif

static void *make_calloc(size_t size)
{
	return __libc_calloc(1, size);
}

static void *make_realloc(size_t size)
{
	return __libc_realloc(NULL, size);
}

static void *make_reallocarray(size_t size)
{
	return __libc_reallocarray(NULL, 1, size);
}

static void *make_memalign(size_t size)
{
	return __libc_memalign(64, size);
}

static void *make_posix_memalign(size_t size)
{
	void *block = NULL;

	CHECK(__posix_memalign(&block, 64, size) == 0);
	return block;
}

static void *(*const makers[])(size_t size) = {
	malloc, __libc_malloc, make_calloc, make_realloc, make_reallocarray, make_memalign, make_posix_memalign,
	__libc_valloc, __libc_pvalloc,
};

/* Calls of names that may be missing are bound at run time, addresses in data are not. */
static void free_cfree(void *block)
{
	cfree(block);
}

static void free_realloc(void *block)
{
	block = __libc_realloc(block, 200 * TEST_KIB);
	CHECK(block != NULL);
	block = realloc(block, 100);
	CHECK(block != NULL);
	block = __libc_reallocarray(block, 100, 3);
	CHECK(block != NULL);
	free(block);
}

static void (*const takers[])(void *block) = { free, __libc_free, free_cfree, free_realloc };

static void try_pair(void *(*make)(size_t size), void (*take)(void *block), size_t size)
{
	void *blocks[ROUNDS];

	for (size_t i = test_opaque(0); i < ROUNDS; i++) {
		blocks[i] = make(size);
		CHECK(blocks[i] != NULL);
		CHECK(malloc_usable_size(blocks[i]) >= size);
		test_fill(blocks[i], size, i);
	}
	for (size_t i = 0; i < ROUNDS; i++) {
		CHECK(test_matches(blocks[i], size, i));
		take(blocks[i]);
	}
}

int main(void)
{
	for (size_t i = 0; i < TEST_COUNT_OF(makers); i++) {
		for (size_t k = 0; k < TEST_COUNT_OF(takers); k++) {
			try_pair(makers[i], takers[k], 100);
			try_pair(makers[i], takers[k], 64 * TEST_KIB);
		}
	}
	CHECK(__libc_mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
	CHECK(__libc_mallinfo2().arena > 0 && __libc_mallinfo().arena > 0);
	return 0;
}
