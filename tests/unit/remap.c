/* SPDX-License-Identifier: BSD-2-Clause */
/* Two mappings side by side that the kernel does not join are moved as one. */
#include "store/remap.h"

#include "os/os.h"
#include "store/shared.h"
#include "layout/span.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define PAGES 20u
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW    (PROT_READ | PROT_WRITE)

static unsigned char *memory;
static size_t introduced;

static void introduce(void *addr, size_t length)
{
	(void)addr;
	introduced += length;
}

static size_t bytes(uint32_t pages)
{
	return (size_t)pages * KSM_PAGE;
}

/* Room for thrice as many, of which the first are two halves; each was written to where it was alone. */
static void setup(void)
{
	unsigned char *other = mmap(NULL, bytes(PAGES), RW, ANON, -1, 0);

	ksm_span_init((void *)UINTPTR_MAX);
	ksm_shared_init(introduce, NULL);
	memory = mmap(NULL, bytes(3 * PAGES), RW, ANON, -1, 0);
	cr_assert_eq(munmap(memory + bytes(PAGES / 2), bytes(3 * PAGES - PAGES / 2)), 0);
	memset(memory, 1, bytes(PAGES / 2));
	memset(other, 2, bytes(PAGES / 2));
	cr_assert_neq(mremap(other, bytes(PAGES / 2), bytes(PAGES / 2), MREMAP_MAYMOVE | MREMAP_FIXED, memory + bytes(PAGES / 2)),
		      MAP_FAILED);
	errno = 0;
	cr_assert_eq(mremap(memory, bytes(PAGES), bytes(2 * PAGES), MREMAP_MAYMOVE), MAP_FAILED);
	cr_assert_eq(errno, EFAULT);
}

TestSuite(remap, .init = setup, .timeout = KSM_CASE_SECONDS);

static unsigned char *call(size_t after, int flags, unsigned char *to)
{
	return ksm_remap_pieces(&(struct ksm_remap){ (char *)memory, bytes(PAGES) - 5, after, flags, (char *)to });
}

static void expect(const unsigned char *moved, uint32_t pages)
{
	for (size_t i = 0; i < bytes(pages); i++)
		cr_assert_eq(moved[i], i < bytes(PAGES / 2) ? 1 : i < bytes(PAGES) ? 2 : 0, "byte %zu is %u", i, moved[i]);
}

Test(remap, grows_in_its_place)
{
	cr_assert_eq(call(bytes(2 * PAGES), 0, NULL), memory);
	expect(memory, 2 * PAGES);
	cr_assert_eq(introduced, bytes(PAGES));
}

Test(remap, stays_and_fails_without_room)
{
	cr_assert_eq(ksm_os_map_place(memory + bytes(PAGES), KSM_PAGE, PROT_NONE, ANON), 0);
	cr_assert_eq(call(bytes(2 * PAGES), 0, NULL), MAP_FAILED);
	cr_assert_eq(errno, ENOMEM);
	expect(memory, PAGES);
}

Test(remap, grows_elsewhere)
{
	unsigned char *moved;

	cr_assert_eq(ksm_os_map_place(memory + bytes(PAGES), KSM_PAGE, PROT_NONE, ANON), 0);
	moved = call(bytes(2 * PAGES), MREMAP_MAYMOVE, NULL);
	cr_assert_neq(moved, MAP_FAILED);
	expect(moved, 2 * PAGES);
	cr_assert_not(ksm_os_is_mapped(memory, bytes(PAGES)));
}

Test(remap, shrinks_in_its_place)
{
	cr_assert_eq(call(bytes(15), MREMAP_MAYMOVE, NULL), memory);
	expect(memory, 15);
	cr_assert_not(ksm_os_is_mapped(memory + bytes(15), KSM_PAGE));
}

Test(remap, goes_where_it_is_told_to)
{
	unsigned char *to = mmap(NULL, bytes(PAGES), RW, ANON, -1, 0);

	cr_assert_eq(call(bytes(15), MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	expect(to, 15);
	cr_assert_not(ksm_os_is_mapped(memory, KSM_PAGE));
	cr_assert_eq(call(bytes(PAGES), MREMAP_MAYMOVE | MREMAP_FIXED, memory + bytes(3)), MAP_FAILED);
	cr_assert_eq(errno, EINVAL);
}

Test(remap, memory_with_other_rights_stays)
{
	cr_assert_eq(mprotect(memory + bytes(PAGES / 2), bytes(PAGES / 2), PROT_READ), 0);
	cr_assert_eq(call(bytes(2 * PAGES), MREMAP_MAYMOVE | MREMAP_FIXED, memory + bytes(100)), MAP_FAILED);
	cr_assert_eq(errno, EFAULT);
	expect(memory, PAGES);
}
