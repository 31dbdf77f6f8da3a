/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel can do beyond Linux as it comes: hints, merging on request,
 * counters by site. Of a recorded tree only its files are looked at.
 */
#define _GNU_SOURCE
#include "doctor/hints.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "read/counters.h"
#include "read/kernel.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#define PR_SET_VMA_KSM_HINT 0x4b53 /* of kernel/, not yet of Linux */
#define PR_KSM_MERGE 0x4b534d47
#define KNOWN_VERSION 1

/* Both calls do nothing with a length of 0, and succeed where they are known. */
static int try_hint(void)
{
	return prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT, 0UL, 0UL, 0UL) == 0 ? 0 : errno;
}

static int try_merge(void)
{
	return prctl(PR_KSM_MERGE, 0UL, 0UL, 0UL, 0UL) == 0 ? 0 : errno;
}

/* true if the kernel takes hints, for all that can be seen. */
static bool check_interface(const struct ksr_fs *fs, const struct ksr_kernel *kernel,
			    struct ksr_findings *findings)
{
	bool listed = kernel->hint_version != KSR_NONE;
	int error = fs->live ? try_hint() : listed ? 0 : EINVAL;
	uint64_t version = listed ? kernel->hint_version : KNOWN_VERSION;

	if (error && !listed) {
		ksr_find(findings, KSR_LEVEL_OK, "hints", "",
			 "this kernel takes no hints, merges nothing on request and does not count "
			 "by site: with the patches of kernel/ it does");
		return false;
	}
	if (error)
		ksr_find(findings, KSR_LEVEL_WARN, "hints",
			 "let the seccomp profile of the container allow prctl(PR_SET_VMA)",
			 "the kernel takes hints, but prctl(PR_SET_VMA) fails in this process: %s",
			 strerrorname_np(error));
	else
		ksr_find(findings, KSR_LEVEL_OK, "hints", "",
			 "the kernel takes hints (version %" PRIu64 "%s): what was hinted is scanned first",
			 version, version > KNOWN_VERSION ? ", of which 1 is known here" : "");
	return true;
}

static void check_switches(const struct ksr_kernel *kernel, struct ksr_findings *findings)
{
	if (kernel->hints == 0)
		ksr_find(findings, KSR_LEVEL_WARN, "hints_on",
			 "as root: echo 1 > /sys/kernel/mm/ksm/hints",
			 "hints are switched off: hinted memory is scanned like all other");
	else if (kernel->hints != KSR_NONE)
		ksr_find(findings, KSR_LEVEL_OK, "hints_on", "", "hints are switched on");
	if (kernel->hint_share == 0)
		ksr_find(findings, KSR_LEVEL_WARN, "hint_share",
			 "as root: echo 80 > /sys/kernel/mm/ksm/hint_share",
			 "hinted memory has no share of its own in a batch (hint_share is 0)");
	else if (kernel->hint_share != KSR_NONE)
		ksr_find(findings, KSR_LEVEL_OK, "hint_share", "",
			 "hinted memory may have %" PRIu64
			 " %% of each batch while it earns merges",
			 kernel->hint_share);
}

static void check_merge_now(const struct ksr_fs *fs, const struct ksr_kernel *kernel,
			    struct ksr_findings *findings)
{
	const char *scope = kernel->merge_now_scope;
	int error = fs->live ? try_merge() : scope[0] ? 0 : EINVAL;

	if (error && error != EINVAL)
		ksr_find(findings, KSR_LEVEL_WARN, "merge_now",
			 "let the seccomp profile of the container allow prctl(PR_KSM_MERGE)",
			 "merging on request fails in this process: %s", strerrorname_np(error));
	else if (error)
		ksr_find(findings, KSR_LEVEL_OK, "merge_now", "", "nothing merges on request");
	else if (strcmp(scope, "system") == 0)
		ksr_find(findings, KSR_LEVEL_WARN, "merge_now",
			 "unless all users trust each other, as root: echo user > "
			 "/sys/kernel/mm/ksm/merge_now_scope",
			 "programs may merge memory on request with that of all users, and so find "
			 "out what it holds");
	else
		ksr_find(findings, KSR_LEVEL_OK, "merge_now", "",
			 "programs may merge memory on request with that of their own user");
}

/* This process; of a recorded tree the first one that has the file. */
static int read_counters(const struct ksr_fs *fs, struct ksr_counter_table *table)
{
	int error = -ENOENT;
	size_t count = 0;
	pid_t *pids;

	if (fs->live)
		return ksr_counters_read(fs, getpid(), table);
	if (ksr_fs_list_processes(fs, &pids, &count))
		return error;
	for (size_t i = 0; i < count && error == -ENOENT; i++)
		error = ksr_counters_read(fs, pids[i], table);
	free(pids);
	return error;
}

static void check_counters(const struct ksr_fs *fs, struct ksr_findings *findings)
{
	struct ksr_counter_table table = {0};
	int error = read_counters(fs, &table);

	if (!error)
		ksr_find(findings, KSR_LEVEL_OK, "site_counters", "",
			 "the kernel counts by site: what the report calls saved is exact");
	else if (error == -EINVAL)
		ksr_find(findings, KSR_LEVEL_WARN, "site_counters",
			 "use the command of the release that the kernel's patches belong to",
			 "/proc/PID/ksm_sites has a form that is not known here: the report uses "
			 "Rss "
			 "- Pss");
	else
		ksr_find(findings, KSR_LEVEL_WARN, "site_counters",
			 "make /proc/PID/ksm_sites readable to the owner of a process",
			 "the kernel's counters by site cannot be read (%s): the report uses Rss - "
			 "Pss",
			 strerrorname_np(-error));
	ksr_counters_free(&table);
}

void ksr_check_hints(const struct ksr_fs *fs, const struct ksr_kernel *kernel,
		     struct ksr_findings *findings)
{
	if (!check_interface(fs, kernel, findings))
		return;
	check_switches(kernel, findings);
	check_merge_now(fs, kernel, findings);
	check_counters(fs, findings);
}
