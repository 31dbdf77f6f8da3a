/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arguments and environment lie above the stack: each byte more moves all that
 * is below, and every pointer into the stack that was kept somewhere. Only
 * lengths count, so variables are compared by length.
 */
#define _GNU_SOURCE
#include "doctor/environment.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the entry of the same variable in this member, 0 when it has none. */
static size_t entry_bytes(const struct ksr_worker *member, const char *entry)
{
	size_t length = strcspn(entry, "=");
	char name[256];
	const char *value;

	if (length >= sizeof(name))
		return 0;
	memcpy(name, entry, length);
	name[length] = '\0';
	value = ksr_worker_variable(member, name);
	return value ? length + 1 + strlen(value) : 0;
}

/* Adds names of variables of one member whose entries have another length in the other. */
static size_t list_variables(const struct ksr_worker *member, const struct ksr_worker *other,
			     bool missing_only, char *names, size_t bytes, size_t count)
{
	size_t position = 0;
	const char *entry;

	while ((entry = ksr_text_entry(&member->environment, &position))) {
		size_t there = entry_bytes(other, entry);
		size_t used = strlen(names);

		if (there == strlen(entry) || (missing_only && there))
			continue;
		if (count < 4 && used < bytes)
			snprintf(names + used, bytes - used, "%s%.*s", used ? ", " : "",
				 (int)ksm_min(strcspn(entry, "="), 40), entry);
		count++;
	}
	return count;
}

static bool check_environment(const struct ksr_worker *first, const struct ksr_worker *other,
			      struct ksr_findings *findings)
{
	char names[256] = "";
	size_t count;

	if (!first->environment.data || !other->environment.data ||
	    first->environment.size == other->environment.size)
		return false;
	count = list_variables(first, other, false, names, sizeof(names), 0);
	count = list_variables(other, first, true, names, sizeof(names), count);
	ksr_find(findings, KSR_LEVEL_WARN, "environment",
		 "give these variables values of equal length in all workers",
		 "environments of processes %d and %d have %zu and %zu bytes, which moves the "
		 "stack; other lengths: %s%s",
		 (int)first->pid, (int)other->pid, first->environment.size, other->environment.size,
		 names[0] ? names : "(their order)", count > 4 ? " and more" : "");
	return true;
}

static bool check_arguments(const struct ksr_worker *first, const struct ksr_worker *other,
			    struct ksr_findings *findings)
{
	if (!first->arguments.data || !other->arguments.data ||
	    first->arguments.size == other->arguments.size)
		return false;
	ksr_find(findings, KSR_LEVEL_WARN, "arguments",
		 "give workers arguments of equal length, such as --id=01 instead of --id=1",
		 "arguments of processes %d and %d have %zu and %zu bytes, which moves the stack",
		 (int)first->pid, (int)other->pid, first->arguments.size, other->arguments.size);
	return true;
}

/* One member that differs is enough to say so. */
static void check_stacks(const struct ksr_workers *members, struct ksr_findings *findings)
{
	bool environment = false;
	bool arguments = false;
	bool readable = true;

	for (size_t i = 0; i < members->count; i++)
		readable = readable && members->list[i].environment.data &&
			   members->list[i].arguments.data;
	for (size_t i = 1; i < members->count; i++) {
		const struct ksr_worker *member = &members->list[i];

		if (!environment)
			environment = check_environment(&members->list[0], member, findings);
		if (!arguments)
			arguments = check_arguments(&members->list[0], member, findings);
	}
	if (readable && !environment && !arguments)
		ksr_find(findings, KSR_LEVEL_OK, "environment", "",
			 "environments and arguments are equally long");
}

static void check_limits(const struct ksr_workers *members, struct ksr_findings *findings)
{
	for (size_t i = 1; i < members->count; i++) {
		if (members->list[i].stack_limit == members->list[0].stack_limit)
			continue;
		ksr_find(findings, KSR_LEVEL_WARN, "stack_limit",
			 "start all workers under the same 'ulimit -s'",
			 "processes %d and %d have soft stack limits of %" PRIu64 " and %" PRIu64
			 " bytes: the stacks of their threads differ in size",
			 (int)members->list[0].pid, (int)members->list[i].pid,
			 members->list[0].stack_limit, members->list[i].stack_limit);
		return;
	}
}

static void check_threads(const struct ksr_workers *members, struct ksr_findings *findings)
{
	uint64_t least = UINT64_MAX;
	uint64_t most = 0;

	for (size_t i = 0; i < members->count; i++) {
		least = ksm_min(least, members->list[i].threads);
		most = ksm_max(most, members->list[i].threads);
	}
	if (least != most)
		ksr_find(findings, KSR_LEVEL_WARN, "threads",
			 "give all workers the same number of threads",
			 "the processes have %" PRIu64 " to %" PRIu64 " threads", least, most);
	else
		ksr_find(findings, KSR_LEVEL_OK, "threads", "",
			 "each process has %" PRIu64 " thread%s", most, most == 1 ? "" : "s");
}

void ksr_check_environments(const struct ksr_workers *members, struct ksr_findings *findings)
{
	check_stacks(members, findings);
	check_limits(members, findings);
	check_threads(members, findings);
}
