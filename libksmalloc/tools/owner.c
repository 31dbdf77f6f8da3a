/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "read/status.h"

static const struct ksr_owner nobody;
static const struct ksr_owner ksmtuned = {
	.name = "ksmtuned",
	.sentence = "ksmtuned sets them; as root: systemctl disable --now ksmtuned",
	.advice = "ksmtuned decides that, by /etc/ksmtuned.conf; or as root: systemctl disable --now ksmtuned, then "
		  "ksmalloc doctor --fix",
};
static const struct ksr_owner tune = {
	.name = "'ksmalloc tune'",
	.sentence = "'ksmalloc tune' sets them; as root: systemctl disable --now ksmalloc-ksm",
	.advice = "'ksmalloc tune' decides that, by its options; or as root: systemctl disable --now ksmalloc-ksm, then "
		  "ksmalloc doctor --fix",
};

bool ksr_owner_is_advisor(const struct ksr_kernel *kernel)
{
	return kernel->advisor_mode[0] && strcmp(kernel->advisor_mode, "none") != 0;
}

#define LOCKED "sys/kernel/mm/ksm/run"

bool ksr_owner_holds(const struct ksr_fs *fs)
{
	/* What a reader would wait for are locks of those who may write. */
	struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	int fd = ksr_fs_open(fs, O_RDONLY, LOCKED);
	bool holds = fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type == F_WRLCK;

	if (fd >= 0)
		close(fd);
	return holds;
}

int ksr_owner_take(const struct ksr_fs *fs)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = ksr_fs_open(fs, O_RDWR, LOCKED);

	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &whole) == 0)
		return fd;
	/* Who held it may have ended since. What else is in the way is a reader's lock, who owns nothing. */
	if (!ksr_owner_holds(fs) && (fcntl(fd, F_OFD_SETLK, &whole) == 0 || !ksr_owner_holds(fs)))
		return fd;
	close(fd);
	return -EWOULDBLOCK;
}

/* One that waits for its turn has kept nothing. */
static bool has_kept(const struct ksr_fs *fs)
{
	struct ksr_text kept;

	if (ksr_fs_read(fs, &kept, "run/ksmalloc-ksm.kept"))
		return false;
	ksr_text_free(&kept);
	return true;
}

/* Is this ksmalloc `ksmalloc tune`, but not one that puts settings back and ends, or waits. */
static bool is_tune(const struct ksr_fs *fs, pid_t pid)
{
	struct ksr_text words;
	size_t position = 0;
	const char *word;
	bool is = false;

	if (ksr_fs_read(fs, &words, "proc/%d/cmdline", (int)pid))
		return false;
	if (ksr_text_entry(&words, &position)) {
		word = ksr_text_entry(&words, &position);
		is = word && strcmp(word, "tune") == 0;
	}
	while (is && (word = ksr_text_entry(&words, &position)))
		is = strcmp(word, "--undo") != 0 && (strcmp(word, "--wait") != 0 || has_kept(fs) || ksr_owner_holds(fs));
	ksr_text_free(&words);
	return is;
}

struct ksr_owner ksr_owner_find(const struct ksr_fs *fs, bool also_tune)
{
	struct ksr_owner found = nobody;
	size_t count = 0;
	pid_t *pids;

	if (ksr_fs_list_processes(fs, &pids, &count))
		return nobody;
	for (size_t i = 0; i < count && !found.name; i++) {
		struct ksr_status status;

		/* Nobody but root can set them, and a name is easily had. */
		if (ksr_status_read(fs, pids[i], &status) || status.uid != 0)
			continue;
		if (strcmp(status.command, "ksmtuned") == 0)
			found = ksmtuned;
		else if (also_tune && strcmp(status.command, "ksmalloc") == 0 && is_tune(fs, pids[i]))
			found = tune;
	}
	free(pids);
	return found;
}
