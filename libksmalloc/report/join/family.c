/* SPDX-License-Identifier: BSD-2-Clause */
#include "join/family.h"

#include <errno.h>
#include <stdlib.h>

#include "read/search.h"

static int compare_pids(const void *left, const void *right)
{
	const struct ksr_family_member *a = left;
	const struct ksr_family_member *b = right;

	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

int ksr_family_create(const struct ksr_report *report, struct ksr_family *family)
{
	*family = (struct ksr_family){.members = calloc(report->process_count + 1, sizeof(*family->members))};
	if (!family->members)
		return -ENOMEM;
	for (size_t i = 0; i < report->process_count; i++)
		family->members[family->count++] =
			(struct ksr_family_member){report->processes[i].snapshot.pid, i};
	qsort(family->members, family->count, sizeof(*family->members), compare_pids);
	return 0;
}

void ksr_family_destroy(struct ksr_family *family)
{
	free(family->members);
	*family = (struct ksr_family){0};
}

static uint64_t pid_of(const void *element)
{
	return (uint64_t)((const struct ksr_family_member *)element)->pid;
}

size_t ksr_family_find(const struct ksr_family *family, pid_t pid)
{
	size_t at = ksr_search_from(family->members, family->count, sizeof(*family->members), pid_of, (uint64_t)pid);

	return at < family->count && family->members[at].pid == pid ? family->members[at].index : KSR_FAMILY_NONE;
}

size_t ksr_family_parent(const struct ksr_family *family, const struct ksr_process *process)
{
	return ksr_family_find(family, process->status.parent);
}
