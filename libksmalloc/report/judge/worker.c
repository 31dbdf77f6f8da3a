/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "judge/worker.h"

#include <stdlib.h>
#include <string.h>

#include "read/smaps.h"

const char *ksr_worker_variable(const struct ksr_worker *member, const char *name)
{
	return ksr_text_variable(&member->environment, name);
}

static void read_numbers(const struct ksr_fs *fs, struct ksr_worker *member)
{
	struct ksr_text text;
	const char *line;

	if (ksr_fs_read(fs, &text, "proc/%d/status", (int)member->pid) == 0) {
		line = strstr(text.data, "\nThreads:");
		member->threads = line ? strtoull(line + 9, NULL, 10) : 0;
		ksr_text_free(&text);
	}
	if (ksr_fs_read(fs, &text, "proc/%d/limits", (int)member->pid) == 0) {
		member->stack_limit = ksr_limits_stack(&text);
		ksr_text_free(&text);
	}
}

static void read_memory(const struct ksr_fs *fs, struct ksr_worker *member)
{
	struct ksr_smaps smaps;

	if (ksr_smaps_read(fs, member->pid, &smaps))
		return;
	for (size_t i = 0; i < smaps.count; i++) {
		const struct ksr_vma *vma = &smaps.vmas[i];
		bool asked = (vma->flags & KSR_VMA_ASKED_HUGE) != 0;

		member->memory += vma->anonymous;
		member->huge += vma->huge;
		member->asked += asked ? vma->anonymous : 0;
		member->asked_huge += asked ? vma->huge : 0;
	}
	ksr_smaps_free(&smaps);
}

/* false when the process cannot be looked at; then there is a finding. */
static bool read_member(const struct ksr_fs *fs, pid_t pid, struct ksr_worker *member,
			struct ksr_findings *findings)
{
	char why[KSR_WHY_BYTES];

	memset(member, 0, sizeof(*member));
	member->pid = pid;
	if (ksr_space_create(fs, pid, &member->space, why)) {
		ksr_find_why(findings, KSR_LEVEL_WARN, "member", pid, why,
			     "name processes that run");
		return false;
	}
	if (ksr_fs_read(fs, &member->environment, "proc/%d/environ", (int)pid))
		member->environment.data = NULL;
	if (ksr_fs_read(fs, &member->arguments, "proc/%d/cmdline", (int)pid))
		member->arguments.data = NULL;
	if (ksr_fs_read_link(fs, member->program, sizeof(member->program), "proc/%d/exe",
			     (int)pid) < 0)
		member->program[0] = '\0';
	read_numbers(fs, member);
	read_memory(fs, member);
	return true;
}

void ksr_worker_free(struct ksr_worker *member)
{
	ksr_space_destroy(&member->space);
	ksr_text_free(&member->environment);
	ksr_text_free(&member->arguments);
}

void ksr_workers_free(struct ksr_workers *members)
{
	for (size_t i = 0; i < members->count; i++)
		ksr_worker_free(&members->list[i]);
	free(members->list);
}

static void read_members(const struct ksr_fs *fs, const pid_t *pids, size_t count,
			 struct ksr_workers *members, struct ksr_findings *findings)
{
	members->count = 0;
	members->list = calloc(count ? count : 1, sizeof(*members->list));
	for (size_t i = 0; members->list && i < count; i++)
		members->count +=
			read_member(fs, pids[i], &members->list[members->count], findings);
}

static int compare_programs(const void *left, const void *right)
{
	const struct ksr_worker *a = *(const struct ksr_worker *const *)left;
	const struct ksr_worker *b = *(const struct ksr_worker *const *)right;
	int order = strcmp(a->program, b->program);

	return order ? order : a < b ? -1 : a > b;
}

/* The first of those that run the program that most run, and how many these are; of several such programs the first member's. */
static const struct ksr_worker *most_common(const struct ksr_workers *members, size_t *most)
{
	const struct ksr_worker **sorted = calloc(members->count + 1, sizeof(const struct ksr_worker *));
	const struct ksr_worker *best = NULL;
	size_t next;

	*most = 0;
	if (!sorted)
		return NULL;
	for (size_t i = 0; i < members->count; i++)
		sorted[i] = &members->list[i];
	qsort(sorted, members->count, sizeof(*sorted), compare_programs);
	for (size_t i = 0; i < members->count; i = next) {
		for (next = i + 1; next < members->count && strcmp(sorted[next]->program, sorted[i]->program) == 0;)
			next++;
		if (next - i > *most || (next - i == *most && sorted[i] < best)) {
			best = sorted[i];
			*most = next - i;
		}
	}
	free(sorted);
	return best;
}

/* Keeps the members that run the program that most of them run. */
static void keep_one_program(struct ksr_workers *members, struct ksr_findings *findings)
{
	char program[PATH_MAX];
	size_t best_count;
	size_t kept = 0;
	const struct ksr_worker *best = most_common(members, &best_count);

	/* Without memory to compare them all are kept. */
	if (!best || best_count == members->count)
		return;
	memcpy(program, best->program, sizeof(program));
	ksr_find(findings, KSR_LEVEL_WARN, "program",
		 "give workers that run the same program a group of their own",
		 "%zu of %zu processes run %s; the others are not looked at", best_count,
		 members->count, program);
	for (size_t i = 0; i < members->count; i++) {
		if (strcmp(members->list[i].program, program) == 0)
			members->list[kept++] = members->list[i];
		else
			ksr_worker_free(&members->list[i]);
	}
	members->count = kept;
}

void ksr_workers_read(const struct ksr_fs *fs, const pid_t *pids, size_t count,
		      struct ksr_workers *members, struct ksr_findings *findings)
{
	read_members(fs, pids, count, members, findings);
	keep_one_program(members, findings);
}
