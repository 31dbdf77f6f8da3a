/* SPDX-License-Identifier: BSD-2-Clause */
/* Which files a process may map pages of: sealed ones of its user's, of the length that all have. And what they have. */
#include "store/share.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static struct ksm_share_file file;

static void setup(void)
{
	file = (struct ksm_share_file){ ksm_os_create_store("test"), 2 * KSM_SHARE_SLICE, NULL };
	cr_assert_geq(file.descriptor, 0);
	cr_assert_eq(ksm_os_set_length(file.descriptor, file.bytes), 0);
}

TestSuite(share_check, .init = setup, .timeout = KSM_CASE_SECONDS);

Test(share_check, a_file_that_may_change_is_refused)
{
	const int seals[] = { F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL };

	for (uint32_t left_out = 0; left_out < 4; left_out++) {
		int all = 0;

		file.descriptor = ksm_os_create_store("test");
		cr_assert_eq(ksm_os_set_length(file.descriptor, file.bytes), 0);
		for (uint32_t i = 0; i < 4; i++)
			all |= i == left_out ? 0 : seals[i];
		cr_assert_eq(fcntl(file.descriptor, F_ADD_SEALS, all), 0);
		cr_assert_eq(ksm_share_check(&file), -EPERM);
		close(file.descriptor);
	}
}

Test(share_check, a_file_of_another_length_is_refused)
{
	cr_assert_eq(ksm_os_seal(file.descriptor), 0);
	cr_assert_eq(ksm_share_check(&file), 0);
	file.bytes -= KSM_PAGE;
	cr_assert_eq(ksm_share_check(&file), -EINVAL);
	file.bytes += 2 * KSM_PAGE;
	cr_assert_eq(ksm_share_check(&file), -EINVAL);
}

Test(share_check, what_is_no_memory_file_is_refused)
{
	const char *const paths[] = { "/dev/null", "/proc/self/maps", "/", "/proc/self/exe" };
	int ends[2];

	for (uint32_t i = 0; i < KSM_COUNT_OF(paths); i++) {
		file.descriptor = ksm_os_open_to_read(paths[i]);
		cr_assert_lt(ksm_share_check(&file), 0, "%s", paths[i]);
		close(file.descriptor);
	}
	cr_assert_eq(pipe(ends), 0);
	file.descriptor = ends[0];
	cr_assert_lt(ksm_share_check(&file), 0);
	file.descriptor = 12345;
	cr_assert_eq(ksm_share_check(&file), -EBADF);
}

Test(share_check, a_file_of_another_user_is_refused)
{
	if (fchown(file.descriptor, 1, (gid_t)-1) != 0)
		cr_skip("only root may give files away");
	cr_assert_eq(ksm_os_seal(file.descriptor), 0);
	cr_assert_eq(ksm_share_check(&file), -EPERM);
}

Test(share_check, a_file_on_huge_pages_is_refused)
{
	/* MFD_HUGETLB. No such page is needed for it. */
	file.descriptor = memfd_create("test", MFD_ALLOW_SEALING | 4);
	if (file.descriptor < 0)
		cr_skip("there are none here");
	cr_assert_eq(ksm_os_set_length(file.descriptor, file.bytes), 0);
	cr_assert_eq(ksm_os_seal(file.descriptor), 0);
	cr_assert_eq(ksm_share_check(&file), -EPERM);
}

static void put(uint64_t offset)
{
	cr_assert_eq(pwrite(file.descriptor, "x", 1, (off_t)offset), 1);
}

Test(share_check, it_is_told_which_slices_have_data)
{
	struct ksm_share_extent known = { 0, 0, 0 };

	file.bytes = 6 * KSM_SHARE_SLICE;
	cr_assert_eq(ksm_os_set_length(file.descriptor, file.bytes), 0);
	for (uint64_t offset = KSM_SHARE_SLICE + KSM_PAGE; offset < 3 * KSM_SHARE_SLICE; offset += KSM_PAGE)
		put(offset);
	put(5 * KSM_SHARE_SLICE - KSM_PAGE);
	/* Once as the kernel says each time, and then in any order with what was found last. */
	for (uint32_t round = 0; round < 100; round++) {
		uint32_t slice = round < 6 ? round : round * 7919 % 6;

		file.known = round < 6 ? NULL : &known;
		cr_assert_eq(ksm_share_has_data(&file, slice * KSM_SHARE_SLICE), slice == 1 || slice == 2 || slice == 4,
			     "slice %u", slice);
	}
}

/* To find the end of much data again for each slice of it takes longer than to compare it. */
Test(share_check, data_is_looked_for_once)
{
	struct ksm_share_extent known = { 0, 0, 0 };

	for (uint64_t offset = KSM_SHARE_SLICE; offset < 2 * KSM_SHARE_SLICE; offset += KSM_PAGE)
		put(offset);
	file.known = &known;
	cr_assert(!ksm_share_has_data(&file, 0));
	/* Nobody is there to be asked any more. */
	close(file.descriptor);
	cr_assert(!ksm_share_has_data(&file, 0));
	cr_assert(ksm_share_has_data(&file, KSM_SHARE_SLICE));
	file.known = NULL;
	cr_assert(!ksm_share_has_data(&file, KSM_SHARE_SLICE));
}
