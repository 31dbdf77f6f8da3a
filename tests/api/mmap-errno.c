/* SPDX-License-Identifier: BSD-2-Clause */
/* The mapping calls answer as the kernel does: results, errno, hints and fixed addresses. */
#include "test.h"

#include <sys/mman.h>

static void failing_calls(void)
{
	errno = 0;
	CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	CHECK(errno == EINVAL);
	errno = 0;
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED);
	CHECK(errno == EBADF);
	errno = 0;
	CHECK(mmap(NULL, (size_t)1 << 62, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	CHECK(errno == ENOMEM);
	errno = 0;
	CHECK(munmap((void *)(uintptr_t)1, 4096) == -1);
	CHECK(errno == EINVAL);
	errno = 0;
	CHECK(mremap((void *)(uintptr_t)4096, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED);
	CHECK(errno == EFAULT);
}

int main(void)
{
	char *map;

	failing_calls();
	errno = 17;
	map = mmap(NULL, 64 * TEST_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(map != MAP_FAILED && errno == 17);
	CHECK(test_is_zero(map, 64 * TEST_PAGE));
	memset(map, 1, 64 * TEST_PAGE);
	/* A hole in the middle, and the same place asked for as a hint: runtimes test for it. */
	CHECK(munmap(map + 16 * TEST_PAGE, 8 * TEST_PAGE) == 0);
	CHECK(mmap(map + 16 * TEST_PAGE, 8 * TEST_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == map + 16 * TEST_PAGE);
	CHECK(map[16 * TEST_PAGE] == 0 && map[16 * TEST_PAGE - 1] == 1);
	errno = 0;
	CHECK(mmap(map, TEST_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
	      MAP_FAILED);
	CHECK(errno == EEXIST);
	CHECK(mmap(map, TEST_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == map);
	CHECK(map[0] == 0);
	CHECK(mprotect(map, TEST_PAGE, PROT_READ | PROT_WRITE) == 0);
	map[0] = 5;
	char *moved = mremap(map, 64 * TEST_PAGE, 128 * TEST_PAGE, MREMAP_MAYMOVE);

	/* The pieces are several mappings now, which mremap refuses on kernels before 6.17. */
	if (moved == MAP_FAILED)
		CHECK(errno == EFAULT);
	else
		CHECK(munmap(moved, 128 * TEST_PAGE) == 0);
	munmap(map, 64 * TEST_PAGE);
	return 0;
}
