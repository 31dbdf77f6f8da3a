/* SPDX-License-Identifier: BSD-2-Clause */
/* Seeds as files: made, read, renewed; and what follows from ten thousand of them. */
#define _GNU_SOURCE
#include "seed_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEEDS 10000
#define LIMIT_PAGES_BITS 33
/* Five standard deviations of a fair coin that is thrown SEEDS times. */
#define DEVIATION 250

static char folder[] = "/tmp/ksmalloc-seeds.XXXXXX";
static char why[PATH_MAX + 200];

static void setup(void)
{
	cr_assert(mkdtemp(folder) != NULL);
	cr_assert(setenv("XDG_RUNTIME_DIR", folder, 1) == 0);
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	cr_assert(system(command) == 0);
}

TestSuite(seed_file, .init = setup, .fini = teardown);

static int get(struct ksr_seed_file *file, struct ksr_seed_request request)
{
	why[0] = '\0';
	return ksr_seed_get(file, &request, why, sizeof(why));
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

Test(seed_file, ten_thousand_seeds_share_no_stack_limit)
{
	static uint64_t limits[SEEDS];
	int balanced = 0;

	for (int i = 0; i < SEEDS; i++) {
		struct ksr_seed_file file;

		cr_assert(get(&file, (struct ksr_seed_request){.group = "g", .renew = true}) == 0);
		limits[i] = ksmalloc_seed_stack_limit(&file.seed, (uintptr_t)&file);
		cr_assert(limits[i] % 4096 == 0 && limits[i] >= (UINT64_C(256) << 20));
	}
	for (int bit = 12; bit < 48; bit++) {
		int ones = 0;

		for (int i = 0; i < SEEDS; i++)
			ones += (int)((limits[i] - (UINT64_C(256) << 20)) >> bit & 1);
		balanced += abs(ones - SEEDS / 2) <= DEVIATION;
	}
	cr_assert(balanced >= 24, "only %d bits are balanced", balanced);
	cr_assert(balanced <= LIMIT_PAGES_BITS, "%d bits, more than there are", balanced);
	qsort(limits, SEEDS, sizeof(limits[0]), compare);
	/* Of 2^33 places two of ten thousand are the same in 0.6 % of all cases. */
	for (int i = 2; i < SEEDS; i++)
		cr_assert(limits[i] != limits[i - 2], "a limit came three times");
}

Test(seed_file, words_are_independent)
{
	struct ksr_seed_file file;

	cr_assert(get(&file, (struct ksr_seed_request){.group = "g"}) == 0);
	for (int i = 0; i < KSMALLOC_SEED_WORDS; i++) {
		cr_assert(file.seed.words[i] != 0);
		for (int k = 0; k < i; k++)
			cr_assert(file.seed.words[i] != file.seed.words[k]);
	}
}

Test(seed_file, a_second_call_reads_the_first_ones)
{
	struct ksr_seed_file first;
	struct ksr_seed_file second;
	struct stat status;

	umask(0);
	cr_assert(get(&first, (struct ksr_seed_request){.group = "g"}) == 0);
	cr_assert(get(&second, (struct ksr_seed_request){.group = "g"}) == 0);
	cr_assert(first.made && !second.made);
	cr_assert(memcmp(&first.seed, &second.seed, sizeof(first.seed)) == 0);
	cr_assert_str_eq(first.path, second.path);
	cr_assert(stat(first.path, &status) == 0 && (status.st_mode & 07777) == 0600);
	cr_assert(get(&second, (struct ksr_seed_request){.group = "h"}) == 0);
	cr_assert(memcmp(&first.seed.words, &second.seed.words, sizeof(first.seed.words)) != 0);
}

Test(seed_file, age_renews)
{
	struct ksr_seed_file first;
	struct ksr_seed_file second;
	int fd;

	cr_assert(get(&first, (struct ksr_seed_request){.group = "g", .age_seconds = 100}) == 0);
	cr_assert(get(&second, (struct ksr_seed_request){.group = "g", .age_seconds = 100}) == 0);
	cr_assert(memcmp(&first.seed, &second.seed, sizeof(first.seed)) == 0);
	/* As if it had been made 101 seconds earlier. */
	first.seed.created -= 101;
	first.seed.checksum = ksmalloc_seed_checksum(&first.seed);
	fd = open(first.path, O_WRONLY);
	cr_assert(pwrite(fd, &first.seed, sizeof(first.seed), 0) == sizeof(first.seed));
	close(fd);
	cr_assert(get(&second, (struct ksr_seed_request){.group = "g"}) == 0);
	cr_assert(memcmp(&first.seed, &second.seed, sizeof(first.seed)) == 0, "0 is for never");
	cr_assert(get(&second, (struct ksr_seed_request){.group = "g", .age_seconds = 100}) == 0);
	cr_assert(second.made);
	cr_assert(memcmp(&first.seed.words, &second.seed.words, sizeof(first.seed.words)) != 0);
}

Test(seed_file, a_named_file_is_not_made_unless_asked)
{
	struct ksr_seed_file file;
	char path[64];

	snprintf(path, sizeof(path), "%s/mine", folder);
	cr_assert(get(&file, (struct ksr_seed_request){.group = "g", .path = path}) == -ENOENT);
	cr_assert(strstr(why, path) && strstr(why, "--renew-seed"), "%s", why);
	cr_assert(access(path, F_OK) != 0);
	cr_assert(get(&file, (struct ksr_seed_request){
				     .group = "g", .path = path, .renew = true}) == 0);
	cr_assert_str_eq(file.path, path);
	cr_assert(get(&file, (struct ksr_seed_request){.group = "g", .path = path}) == 0);
}

Test(seed_file, durations)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} good[] = {{"0", 0},	      {"0d", 0},	 {"5s", 5},	   {"2m", 120},
		    {"12h", 43200}, {"30d", 2592000}, {"1w", 604800}};
	static const char *const bad[] = {"", "5", "d", "-1d", "1.5h", "1dd", "1 d", " 1d",
					  "99999999999d"};
	uint64_t seconds;

	for (size_t i = 0; i < KSM_COUNT_OF(good); i++) {
		cr_assert(ksr_parse_duration(good[i].text, &seconds), "%s", good[i].text);
		cr_assert(seconds == good[i].seconds, "%s", good[i].text);
	}
	for (size_t i = 0; i < KSM_COUNT_OF(bad); i++)
		cr_assert(!ksr_parse_duration(bad[i], &seconds), "%s", bad[i]);
}

Test(seed_file, names_of_groups)
{
	char longest[65];

	memset(longest, 'a', sizeof(longest));
	longest[63] = '\0';
	cr_assert(ksr_seed_group_is_good(longest));
	longest[63] = 'a';
	longest[64] = '\0';
	cr_assert(!ksr_seed_group_is_good(longest));
	cr_assert(ksr_seed_group_is_good("web-2.a_B"));
	cr_assert(!ksr_seed_group_is_good(""));
	cr_assert(!ksr_seed_group_is_good("a/b"));
	cr_assert(!ksr_seed_group_is_good("a b"));
	cr_assert(!ksr_seed_group_is_good("\xc3\xa4"));
}

/* The hash's authors' own example: the key's bytes are 0 to 15, the message's 0 to 7. */
Test(seed_file, derived_numbers_are_those_of_siphash)
{
	struct ksmalloc_seed seed = {.words = {0}};

	seed.words[KSMALLOC_SEED_HASHES] = UINT64_C(0x0706050403020100);
	seed.words[KSMALLOC_SEED_KEY] = UINT64_C(0x0f0e0d0c0b0a0908);
	cr_assert(ksmalloc_seed_derive(&seed, KSMALLOC_SEED_HASHES, UINT64_C(0x0706050403020100)) ==
		  UINT64_C(0x93f5f5799a932462));
}
