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

static int reject(struct ksr_report *report, pid_t pid, int error, const char *why)
{
	struct ksr_rejected *larger = reallocarray(report->rejected, report->rejected_count + 1,
						   sizeof(*report->rejected));

	if (!larger)
		return -ENOMEM;
	report->rejected = larger;
	larger[report->rejected_count].pid = pid;
	larger[report->rejected_count].error = error;
	snprintf(larger[report->rejected_count].why, KSR_WHY_BYTES, "%s", why);
	report->rejected_count++;
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
	struct ksr_process *larger = reallocarray(report->processes, report->process_count + 1,
						  sizeof(*report->processes));

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

static bool is_collected(const struct ksr_report *report, pid_t pid)
{
	for (size_t i = 0; i < report->process_count; i++) {
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
	pid_t *pids = NULL;
	int error;

	for (size_t i = 0; i < selection->pid_count; i++) {
		if (is_collected(report, selection->pids[i]))
			continue;
		error = collect_process(fs, selection, report, selection->pids[i], true);
		if (error)
			return error;
	}
	/* Numbers and groups may be given together: then groups look at all the others. */
	if (selection->pid_count && !selection->group_count)
		return 0;
	error = ksr_fs_list_processes(fs, &pids, &count);
	for (size_t i = 0; i < count && !error; i++) {
		if (may_look_at(fs, selection, pids[i]) && !is_collected(report, pids[i]))
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
	return child->status.parent == parent->snapshot.pid &&
	       syscall(SYS_kcmp, child->snapshot.pid, parent->snapshot.pid, KCMP_VM, 0, 0) == 0;
}

/* Of the processes that map one file, the one it was made by, else the first. */
static bool owns_file(const struct ksr_report *report, size_t index)
{
	const struct ksr_snapshot *mine = &report->processes[index].snapshot;
	bool first = true;
	bool someone_else_did = false;

	for (size_t k = 0; k < report->process_count; k++) {
		const struct ksr_process *other = &report->processes[k];

		if (k == index || other->snapshot.inode != mine->inode ||
		    other->snapshot.device != mine->device)
			continue;
		first = first && index < k;
		someone_else_did = someone_else_did || made_segment(other, &mine->header);
	}
	return made_segment(&report->processes[index], &mine->header) ||
	       (first && !someone_else_did);
}

static bool owns_memory(const struct ksr_fs *fs, const struct ksr_report *report, size_t index)
{
	for (size_t k = 0; k < report->process_count && fs->live; k++) {
		if (shares_memory(&report->processes[index], &report->processes[k]))
			return false;
	}
	return true;
}

static void find_owners(const struct ksr_fs *fs, struct ksr_report *report)
{
	for (size_t i = 0; i < report->process_count; i++) {
		struct ksr_process *process = &report->processes[i];

		process->owner = process->snapshot.inode ? owns_file(report, i) :
							   owns_memory(fs, report, i);
	}
}

int ksr_report_collect(const struct ksr_fs *fs, const struct ksr_selection *selection,
		       struct ksr_report *report)
{
	int error = collect_all(fs, selection, report);

	if (!error)
		find_owners(fs, report);
	return error;
}
