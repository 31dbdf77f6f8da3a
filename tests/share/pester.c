/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pester GROUP SEED STEPS PAGES PID...: has these workers share by steps without a pause, until so many were made and so many
 * pages gained, or all have ended; prints how many steps there were, and how many failed for each reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "keeper/member.h"
#include "keeper/stop.h"
#include "test.h"

#define MOST 16

static unsigned long steps[32];
static uint64_t longest_ns;

static unsigned long sum_of_gains(const struct ksr_member *members, int count)
{
	unsigned long gained = 0;

	for (int i = 0; i < count; i++)
		gained += members[i].gained_pages;
	return gained;
}

static int pester(struct ksr_member *member)
{
	struct ksr_step step;
	struct ksr_look look;
	int error = ksr_member_look(member, &look);

	if (!error)
		error = ksr_member_step(member, 1000, &step);
	if (error == -ESRCH)
		return error;
	steps[step.reason]++;
	longest_ns = longest_ns > step.stood_ns ? longest_ns : step.stood_ns;
	return 0;
}

int main(int argc, char **argv)
{
	struct ksr_member members[MOST];
	struct ksmalloc_seed seed;
	struct ksr_kept_group group = { .name = argv[1] };
	struct ksr_fs fs;
	int count = 0, alive;
	int file;

	CHECK(argc > 5 && ksr_fs_init(&fs, NULL) == 0);
	file = open(argv[2], O_RDONLY | O_CLOEXEC);
	CHECK(file >= 0 && read(file, &seed, sizeof(seed)) == (ssize_t)sizeof(seed));
	close(file);
	group.stores[0] = ksr_group_store(&seed);
	for (; count < MOST && count + 5 < argc; count++) {
		int error = ksr_member_open(&members[count], &fs, atoi(argv[count + 5]), &group);

		CHECK_MSG(!error, "process %s: %d", argv[count + 5], error);
	}
	do {
		alive = 0;
		for (int i = 0; i < count; i++) {
			if (members[i].pid && pester(&members[i])) {
				ksr_member_close(&members[i]);
				members[i].pid = 0;
			}
			alive += members[i].pid != 0;
		}
	} while (alive && (steps[KSMALLOC_KEEPER_NONE] < strtoul(argv[3], NULL, 10) ||
			   sum_of_gains(members, count) < strtoul(argv[4], NULL, 10)));
	printf("%lu pages, %lu steps, %.1f ms the longest\n", sum_of_gains(members, count), steps[KSMALLOC_KEEPER_NONE], (double)longest_ns / 1e6);
	for (int i = 1; i < 32; i++) {
		if (steps[i])
			printf("%lu times: %s\n", steps[i], ksr_member_words((enum ksmalloc_keeper_reason)i));
	}
	return 0;
}
