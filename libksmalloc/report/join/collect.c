/* SPDX-License-Identifier: BSD-2-Clause */
/* Which processes a report is about, and reading what the kernel and they themselves count. */
#define _GNU_SOURCE
#include "join/collect.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "join/family.h"
#include "read/grow.h"
#include "read/store_files.h"

static int reject(struct ksr_report *report, pid_t pid, int error, const char *why)
{
	struct ksr_rejected *rejected = ksr_grow_by_count(report->rejected, report->rejected_count, sizeof(*rejected));

	if (!rejected)
		return -ENOMEM;
	report->rejected = rejected;
	rejected += report->rejected_count++;
	rejected->pid = pid;
	rejected->error = error;
	snprintf(rejected->why, KSR_WHY_BYTES, "%s", why);
	return 0;
}

static bool wants_group(const struct ksr_selection *selection, const char *group)
{
	for (size_t i = 0; i < selection->group_count; i++) {
		if (strcmp(selection->groups[i], group) == 0)
			return true;
	}
	return selection->group_count == 0;
}

static int append_process(struct ksr_report *report, const struct ksr_process *process)
{
	struct ksr_process *larger = ksr_grow_by_count(report->processes, report->process_count, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	report->processes = larger;
	larger[report->process_count++] = *process;
	return 0;
}

/* Takes over the snapshot, also on failure. chosen: see collect_process(). */
static int read_counters(const struct ksr_fs *fs, struct ksr_report *report,
			 struct ksr_process *process, bool chosen)
{
	pid_t pid = process->snapshot.pid;
	char why[KSR_WHY_BYTES];
	int error = ksr_status_read(fs, pid, &process->status);

	/* Before smaps: what merges in between is then mapped and not yet counted, not the reverse.
	 */
	if (!error) {
		process->counters_error = ksr_counters_read(fs, pid, &process->counters);
		error = ksr_smaps_read(fs, pid, &process->smaps);
	}
	if (!error) {
		ksr_cgroup_read(fs, pid, process->container);
		/* Kernels without it leave the sums incomplete, which the report shows as 0. */
		(void)ksr_ksm_stat_read(fs, pid, &process->ksm);
		error = append_process(report, process);
		if (!error)
			return 0;
	}
	ksr_process_free(process);
	if (error == -ENOMEM)
		return error;
	/* It ended in between. */
	if (error == -ENOENT || error == -ESRCH)
		return chosen ? reject(report, pid, -ESRCH, "has ended") : 0;
	snprintf(why, sizeof(why), "cannot read its counters in /proc: %s", strerror(-error));
	return reject(report, pid, error, why);
}

/*
 * chosen: the caller named this very process, so that it deserves a line when
 * it has no segment. Processes that vanish during the scan never get one.
 */
static int collect_process(const struct ksr_fs *fs, const struct ksr_selection *selection,
			   struct ksr_report *report, pid_t pid, bool chosen)
{
	struct ksr_process process;
	char why[KSR_WHY_BYTES];
	int error;

	memset(&process, 0, sizeof(process));
	error = ksr_snapshot_create(fs, pid, &process.snapshot, why);
	if (error == -ENOMEM)
		return error;
	if (!chosen && (error == -ENOENT || error == -ESRCH))
		return 0;
	/* Of most processes of others nobody can tell whether they have one. */
	if (!chosen && error == -EACCES && !process.snapshot.found)
		return 0;
	if (error && !chosen && selection->group_count) {
		/* Nobody can tell which group it belongs to. */
		report->unreadable++;
		return 0;
	}
	if (error)
		return reject(report, pid, error, why);
	if (!chosen && !wants_group(selection, process.snapshot.header.group)) {
		ksr_snapshot_destroy(&process.snapshot);
		return 0;
	}
	return read_counters(fs, report, &process, chosen);
}

/* Among the first so many. */
static bool is_collected(const struct ksr_report *report, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++) {
		if (report->processes[i].snapshot.pid == pid)
			return true;
	}
	return false;
}

/* Root that names groups means those of all users: they are somebody's services most often. */
static bool may_look_at(const struct ksr_fs *fs, const struct ksr_selection *selection, pid_t pid)
{
	struct stat status;

	if (selection->everyone || !fs->live || (selection->group_count && geteuid() == 0))
		return true;
	return ksr_fs_stat(fs, &status, "proc/%d", (int)pid) == 0 && status.st_uid == getuid();
}

static int collect_all(const struct ksr_fs *fs, const struct ksr_selection *selection,
		       struct ksr_report *report)
{
	size_t count = 0;
	size_t named;
	pid_t *pids = NULL;
	int error;

	for (size_t i = 0; i < selection->pid_count; i++) {
		if (is_collected(report, report->process_count, selection->pids[i]))
			continue;
		error = collect_process(fs, selection, report, selection->pids[i], true);
		if (error)
			return error;
	}
	/* Numbers and groups may be given together: then groups look at all the others. */
	if (selection->pid_count && !selection->group_count)
		return 0;
	/* The list has each of them once. */
	named = report->process_count;
	error = ksr_fs_list_processes(fs, &pids, &count);
	for (size_t i = 0; i < count && !error; i++) {
		if (may_look_at(fs, selection, pids[i]) && !is_collected(report, named, pids[i]))
			error = collect_process(fs, selection, report, pids[i], false);
	}
	free(pids);
	return error;
}

/*
 * A child that was forked within the clock tick in which its parent started has
 * the same start time; the pid tells them apart.
 */
static bool made_segment(const struct ksr_process *process,
			 const struct ksmalloc_segment_header *header)
{
	const struct ksr_status *status = &process->status;

	return status->start_time_ticks == header->start_time_ticks &&
	       (status->inner_pid == 0 || status->inner_pid == header->pid);
}

/*
 * Do the two share their memory, as a child of vfork(2) does with its parent until it executes a
 * program? Segments in memory belong to one process otherwise, also when a child has a copy.
 */
static bool shares_memory(const struct ksr_process *child, const struct ksr_process *parent)
{
	return syscall(SYS_kcmp, child->snapshot.pid, parent->snapshot.pid, KCMP_VM, 0, 0) == 0;
}

static int compare_files(const void *left, const void *right)
{
	const struct ksr_process *a = *(const struct ksr_process *const *)left;
	const struct ksr_process *b = *(const struct ksr_process *const *)right;

	if (a->snapshot.device != b->snapshot.device)
		return a->snapshot.device < b->snapshot.device ? -1 : 1;
	if (a->snapshot.inode != b->snapshot.inode)
		return a->snapshot.inode < b->snapshot.inode ? -1 : 1;
	return a < b ? -1 : a > b;
}

/* Of the processes that map one file, in the order of the report, the one it was made by, else the first. */
static void find_owner_of_file(struct ksr_process *const *processes, size_t count)
{
	bool is_made = false;

	for (size_t i = 0; i < count; i++) {
		processes[i]->owner = made_segment(processes[i], &processes[i]->snapshot.header);
		is_made = is_made || processes[i]->owner;
	}
	processes[0]->owner = processes[0]->owner || !is_made;
}

static int find_owners_of_files(struct ksr_report *report)
{
	struct ksr_process **processes = calloc(report->process_count + 1, sizeof(*processes));
	size_t count = 0;
	size_t next;

	if (!processes)
		return -ENOMEM;
	for (size_t i = 0; i < report->process_count; i++) {
		if (report->processes[i].snapshot.inode)
			processes[count++] = &report->processes[i];
	}
	qsort(processes, count, sizeof(struct ksr_process *), compare_files);
	for (size_t i = 0; i < count; i = next) {
		const struct ksr_snapshot *first = &processes[i]->snapshot;

		for (next = i + 1; next < count && processes[next]->snapshot.inode == first->inode &&
				   processes[next]->snapshot.device == first->device;
		     next++)
			continue;
		find_owner_of_file(processes + i, next - i);
	}
	free(processes);
	return 0;
}

/* Segments in memory are their process's, unless it has its memory from its parent. */
static int find_owners_of_memory(const struct ksr_fs *fs, struct ksr_report *report)
{
	struct ksr_family family;
	int error = ksr_family_create(report, &family);

	for (size_t i = 0; i < report->process_count && !error; i++) {
		struct ksr_process *process = &report->processes[i];
		size_t parent = ksr_family_parent(&family, process);

		if (process->snapshot.inode == 0)
			process->owner = !fs->live || parent == KSR_FAMILY_NONE ||
					 !shares_memory(process, &report->processes[parent]);
	}
	ksr_family_destroy(&family);
	return error;
}

/* Of files that many map each is looked at once. */
static void look_at_store_files(const struct ksr_fs *fs, struct ksr_report *report)
{
	struct ksr_store_files files = {.count = 0};

	for (size_t i = 0; i < report->process_count; i++)
		ksr_store_files_look(&files, fs, report->processes[i].snapshot.pid, &report->processes[i].smaps);
	ksr_store_files_free(&files);
}

int ksr_report_collect(const struct ksr_fs *fs, const struct ksr_selection *selection,
		       struct ksr_report *report)
{
	int error = collect_all(fs, selection, report);

	if (!error)
		look_at_store_files(fs, report);
	if (!error)
		error = find_owners_of_files(report);
	return error ? error : find_owners_of_memory(fs, report);
}
