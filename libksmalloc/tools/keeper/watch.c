/* SPDX-License-Identifier: BSD-2-Clause */
#include "keeper/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
/* A process that is not one is looked at again after the first time, and at the latest after the second. */
#define SOON_NS (SECOND / 10)
#define LATE_NS (120 * SECOND)

static bool is_ours(const struct ksr_fs *fs, pid_t pid)
{
	struct stat status;

	return ksr_fs_stat(fs, &status, "proc/%d", (int)pid) == 0 && status.st_uid == geteuid();
}

static void look_at(struct ksr_watch *watch, struct ksr_stranger *stranger, uint64_t now_ns,
		    const struct ksr_watcher *watcher)
{
	struct ksr_member member;
	int error = is_ours(watch->fs, stranger->pid) ?
			    ksr_member_open(&member, watch->fs, stranger->pid, watch->group) :
			    -ENOENT;

	if (!error)
		watcher->found(&member, watcher->data);
	if (error == -EPERM && !stranger->told)
		watcher->forbidden(stranger->pid, watcher->data);
	stranger->told = error == -EPERM;
	stranger->interval_ns = ksm_min(ksm_max(2 * stranger->interval_ns, SOON_NS), LATE_NS);
	stranger->next_ns = now_ns + stranger->interval_ns;
}

/* What was known of it at the last scan; *place goes on through those in ascending order. */
static struct ksr_stranger recall(const struct ksr_watch *watch, pid_t pid, size_t *place)
{
	while (*place < watch->count && watch->strangers[*place].pid < pid)
		(*place)++;
	if (*place < watch->count && watch->strangers[*place].pid == pid)
		return watch->strangers[*place];
	return (struct ksr_stranger){.pid = pid};
}

int ksr_watch_scan(struct ksr_watch *watch, uint64_t now_ns, const struct ksr_watcher *watcher)
{
	struct ksr_stranger *strangers;
	size_t place = 0;
	size_t kept = 0;
	size_t count;
	pid_t *pids;
	int error = ksr_fs_list_processes(watch->fs, &pids, &count);

	if (error)
		return error;
	strangers = calloc(count + 1, sizeof(*strangers));
	for (size_t i = 0; strangers && i < count; i++) {
		struct ksr_stranger stranger = recall(watch, pids[i], &place);

		if (pids[i] == getpid() || watcher->is_known(pids[i], watcher->data))
			continue;
		if (now_ns >= stranger.next_ns)
			look_at(watch, &stranger, now_ns, watcher);
		strangers[kept++] = stranger;
	}
	free(pids);
	if (!strangers)
		return -ENOMEM;
	free(watch->strangers);
	watch->strangers = strangers;
	watch->count = kept;
	return 0;
}

void ksr_watch_end(struct ksr_watch *watch)
{
	free(watch->strangers);
	watch->strangers = NULL;
	watch->count = 0;
}
