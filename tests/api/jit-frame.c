/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Code that was made at run time lies in no file. A stack ends at its frame, so
 * that its address, another one in each process, is not part of the site.
 */
#include "test.h"

#include <sys/mman.h>

#if defined(__x86_64__)
#define COUNT 64

typedef void jitted(void **blocks, void (*function)(void **blocks));

static TEST_NOINLINE void take(void **blocks)
{
	test_alloc_many(blocks, COUNT, 40000);
}

static jitted *make(size_t offset)
{
	/* push rbp; mov rbp, rsp; call rsi; pop rbp; ret */
	static const unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd6, 0x5d, 0xc3 };
	char *map = mmap(NULL, 64 * TEST_KIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	jitted *result;

	CHECK(map != MAP_FAILED);
	memcpy(map + offset, code, sizeof(code));
	CHECK(mprotect(map, 64 * TEST_KIB, PROT_READ | PROT_EXEC) == 0);
	map += offset;
	memcpy(&result, &map, sizeof(result));
	return result;
}

int main(void)
{
	void *first[COUNT], *second[COUNT];

	make(256)(first, take);
	make(20000)(second, take);
	CHECK(test_is_placed(first[COUNT - 1]) && test_is_placed(second[COUNT - 1]));
	CHECK(test_site_of(first[COUNT - 1])->id == test_site_of(second[COUNT - 1])->id);
	CHECK(test_site_of(first[COUNT - 1])->frame_count >= 2);
	for (size_t i = 0; i < COUNT; i++) {
		free(first[i]);
		free(second[i]);
	}
	return 0;
}
#else
int main(void)
{
	test_skip("the code is for x86-64 only");
}
#endif
