/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of a thousand masters with a worker each, and of as many programs, those of a kind are found with work that grows as their
 * number does, not as its square. Work is counted, not timed: the compiler has each piece of code of the two modules that are
 * looked at tell when it is entered (see the CMakeLists.txt).
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "judge/siblings.h"
#include "recorded_tree.h"

#define MASTERS 1000
#define FIRST_PID 1000
#define MOST_WORK 100000000 /* where each is compared with each, and more: nobody waits for the end of that */

void __sanitizer_cov_trace_pc(void);

static uint64_t work;

void __sanitizer_cov_trace_pc(void)
{
	if (++work == MOST_WORK)
		cr_assert_fail("more than %d steps", MOST_WORK);
}

/* A worker each, which is the larger one; the last master has two. */
static void make_members(struct ksr_workers *members, size_t masters)
{
	size_t count = 2 * masters + 1;

	members->list = calloc(count, sizeof(*members->list));
	members->count = count;
	cr_assert(members->list);
	for (size_t i = 0; i < count; i++) {
		struct ksr_worker *member = &members->list[i];
		bool is_master = i < masters;

		member->pid = FIRST_PID + (pid_t)i;
		member->memory = is_master ? 1000 : 2000 + i;
		member->space.status.parent = is_master	       ? 1 :
					      i < 2 * masters ? FIRST_PID + (pid_t)(i - masters) :
								FIRST_PID + (pid_t)(masters - 1);
	}
}

static uint64_t work_of_siblings(size_t masters)
{
	struct ksr_findings findings = {0};
	struct ksr_workers members;
	uint64_t before = work;

	make_members(&members, masters);
	cr_assert(ksr_keep_siblings(&members, &findings));
	/* All masters are siblings of each other, too, and are not taken for a family of workers. */
	cr_assert_eq(members.count, 2);
	cr_assert_eq(members.list[0].pid, FIRST_PID + (pid_t)(2 * masters));
	cr_assert_eq(members.list[1].pid, FIRST_PID + (pid_t)(2 * masters - 1));
	cr_assert_eq(findings.count, 1);
	ksr_workers_free(&members);
	ksr_findings_free(&findings);
	return work - before;
}

Test(kin, test_of_many_masters_are_found_with_little_work)
{
	uint64_t fewer = work_of_siblings(MASTERS);
	uint64_t more = work_of_siblings(4 * MASTERS);

	cr_log_info("%lu steps, and %lu", (unsigned long)fewer, (unsigned long)more);
	cr_assert_gt(fewer, MASTERS, "nothing was counted");
	cr_assert_lt(more, 6 * fewer, "%lu steps for %d masters, %lu for four times as many", (unsigned long)fewer, MASTERS,
		     (unsigned long)more);
}

/* Without families those stay that are nobody's parents. */
Test(kin, test_masters_that_have_forked_one_each_leave_the_workers)
{
	struct ksr_findings findings = {0};
	struct ksr_workers members;

	make_members(&members, 3);
	members.count--; /* the second worker of the last master */
	cr_assert(ksr_keep_siblings(&members, &findings));
	cr_assert_eq(members.count, 3);
	for (size_t i = 0; i < members.count; i++)
		cr_assert_geq(members.list[i].pid, FIRST_PID + 3);
	ksr_workers_free(&members);
	ksr_findings_free(&findings);
}

/* --- programs, in a recorded tree ------------------------------------------------------------- */

/* A program of its own each, but for the last three. */
static void put_process(int pid, int count)
{
	int number = pid - FIRST_PID < count - 3 ? pid : FIRST_PID + count;
	char path[128];
	char text[128];

	snprintf(path, sizeof(path), "%s/proc/%d", root, pid);
	if (access(path, F_OK) != 0)
		cr_assert_eq(mkdir(path, 0700), 0);
	put("maps", pid, "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n");
	put("smaps", pid, "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \nRss:    4 kB\nAnonymous:   4 kB\nVmFlags: rd wr\n");
	snprintf(text, sizeof(text), "%d (p) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 7 10768384 2336 0 0 0 0 0\n", pid);
	put("stat", pid, text);
	snprintf(text, sizeof(text), "Name:\tp\nPid:\t%d\nPPid:\t1\nNSpid:\t%d\nThreads:\t1\n", pid, pid);
	put("status", pid, text);
	strcat(path, "/exe");
	snprintf(text, sizeof(text), "/usr/bin/program%d", number);
	unlink(path);
	cr_assert_eq(symlink(text, path), 0);
}

static uint64_t work_of_reading(int count)
{
	struct ksr_findings findings = {0};
	struct ksr_workers members;
	struct ksr_fs fs;
	uint64_t before;
	pid_t *pids = calloc((size_t)count, sizeof(*pids));

	cr_assert(pids);
	for (int i = 0; i < count; i++) {
		pids[i] = FIRST_PID + i;
		put_process(pids[i], count);
	}
	cr_assert_eq(ksr_fs_init(&fs, root), 0);
	before = work;
	ksr_workers_read(&fs, pids, (size_t)count, &members, &findings);
	before = work - before;
	cr_assert_eq(members.count, 3, "%zu of %d", members.count, count);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(members.list[i].pid, FIRST_PID + count - 3 + i);
	ksr_workers_free(&members);
	ksr_findings_free(&findings);
	ksr_fs_fini(&fs);
	free(pids);
	return before;
}

Test(kin, test_of_many_programs_the_most_common_is_found_with_little_work, .init = make_root, .fini = remove_root)
{
	uint64_t fewer = work_of_reading(250);
	uint64_t more = work_of_reading(1000);

	cr_assert_gt(fewer, 250, "nothing was counted");
	cr_assert_lt(more, 6 * fewer, "%lu steps for 250 processes, %lu for 1000", (unsigned long)fewer, (unsigned long)more);
}
