/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that was there is not taken for readable when it is gone, whoever has unmapped it or taken the right to read from it. */
#include "system/readable.h"

#include <criterion/criterion.h>
#include <sys/mman.h>

#include "store/shared.h"

static char *map(size_t pages)
{
	char *memory = mmap(NULL, pages * KSM_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(memory, MAP_FAILED);
	for (size_t i = 0; i < pages; i++)
		cr_assert(ksm_readable(memory + i * KSM_PAGE));
	return memory;
}

static size_t count(const char *memory, size_t pages)
{
	size_t readable = 0;

	for (size_t i = 0; i < pages; i++)
		readable += ksm_readable(memory + i * KSM_PAGE);
	return readable;
}

/* Another thread's call, which comes between the kernel's answer and that it is kept. */
static char *unmapped_meanwhile;

bool __real_ksm_os_can_read(const void *address);
bool __wrap_ksm_os_can_read(const void *address);
bool __wrap_ksm_os_can_read(const void *address)
{
	bool answer = __real_ksm_os_can_read(address);

	if (unmapped_meanwhile)
		cr_assert_eq(ksm_shared_munmap_raw(unmapped_meanwhile, KSM_PAGE), 0);
	unmapped_meanwhile = NULL;
	return answer;
}

Test(readable, what_is_unmapped_while_it_is_asked_for_is_not_kept)
{
	char *memory = map(1);

	ksm_readable_forget_all();
	unmapped_meanwhile = memory;
	cr_assert(ksm_readable(memory), "it was there when the kernel was asked");
	cr_assert_not(ksm_readable(memory));
}

Test(readable, what_was_unmapped_is_not)
{
	/* More than are remembered, too. */
	static const size_t sizes[] = { 1, 7, KSM_READABLE_PAGES, 3 * KSM_READABLE_PAGES };

	for (size_t i = 0; i < KSM_COUNT_OF(sizes); i++) {
		char *memory = map(sizes[i] + 2);

		cr_assert_eq(ksm_shared_munmap_raw(memory + KSM_PAGE, sizes[i] * KSM_PAGE), 0);
		cr_assert_eq(count(memory, sizes[i] + 2), 2, "%zu pages", sizes[i]);
		cr_assert_eq(ksm_shared_munmap_raw(memory, (sizes[i] + 2) * KSM_PAGE), 0);
		cr_assert_eq(count(memory, sizes[i] + 2), 0, "%zu pages", sizes[i]);
	}
}

Test(readable, what_was_replaced_by_a_reservation_is_not)
{
	char *memory = map(3);

	cr_assert_eq(ksm_shared_mmap_raw(memory, 2 * KSM_PAGE, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), memory);
	cr_assert_eq(count(memory, 3), 1);
}

Test(readable, all_is_asked_for_again)
{
	char *memory = map(2);

	cr_assert_eq(munmap(memory, 2 * KSM_PAGE), 0);
	ksm_readable_forget_all();
	cr_assert_eq(count(memory, 2), 0);
}
