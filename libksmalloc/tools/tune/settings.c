/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "tune/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "owner.h"
#include "read/kernel.h"

#define LOCK "/run/ksmalloc-ksm.lock"
#define KEPT "/run/ksmalloc-ksm.kept"

/* run is the last one: nothing is merged with half of the settings. */
static const char *const names[] = {"pages_to_scan", "sleep_millisecs", "run"};

const char *ksr_settings_other(const struct ksr_fs *fs)
{
	struct ksr_kernel kernel;

	ksr_kernel_read(fs, &kernel);
	if (ksr_owner_is_advisor(&kernel))
		return "the kernel's advisor sets KSM's speed; as root: echo none > /sys/kernel/mm/ksm/advisor_mode";
	return ksr_owner_find(fs, false).sentence;
}

bool ksr_settings_kept(void)
{
	return access(KEPT, F_OK) == 0;
}

static int keep(const struct ksr_fs *fs)
{
	char text[256] = "";

	if (ksr_settings_kept())
		return 0;
	for (size_t i = 0; i < KSM_COUNT_OF(names); i++) {
		size_t used = strlen(text);
		uint64_t value;
		int error = ksr_fs_read_u64(fs, &value, "sys/kernel/mm/ksm/%s", names[i]);

		if (error)
			return error;
		snprintf(text + used, sizeof(text) - used, "%s %" PRIu64 "\n", names[i], value);
	}
	return ksr_fs_replace(KEPT, text, strlen(text));
}

static bool is_there(const struct ksr_fs *fs)
{
	uint64_t value;

	return ksr_fs_read_u64(fs, &value, "sys/kernel/mm/ksm/run") != -ENOENT;
}

/* By both: what is kept is kept in one place for those who have the file in common, and the settings for all who see them. */
static int take(struct ksr_settings *settings)
{
	settings->lock = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (settings->lock < 0 || flock(settings->lock, LOCK_EX | LOCK_NB))
		return -errno;
	settings->taken = ksr_owner_take(settings->fs);
	return settings->taken < 0 ? settings->taken : 0;
}

int ksr_settings_own(struct ksr_settings *settings, const struct ksr_fs *fs, char why[KSR_SETTINGS_WHY])
{
	const size_t bytes = KSR_SETTINGS_WHY;
	const char *other = ksr_settings_other(fs);
	int error;

	settings->fs = fs;
	settings->lock = -1;
	settings->taken = -1;
	if (!is_there(fs)) {
		snprintf(why, bytes, "this kernel has no KSM, or it is not seen here: there is no /sys/kernel/mm/ksm");
		return -ENODEV;
	}
	if (!ksr_fs_writable(fs, "sys/kernel/mm/ksm/run")) {
		snprintf(why, bytes, "KSM's settings cannot be written; run it as root");
		return -EACCES;
	}
	if (other) {
		snprintf(why, bytes, "KSM's settings are somebody else's: %s", other);
		return -EBUSY;
	}
	error = take(settings);
	if (error) {
		snprintf(why, bytes, error == -EWOULDBLOCK ? "another 'ksmalloc tune' owns KSM's settings, here or in a container" :
				     settings->lock < 0 ? LOCK ": %s" : "KSM's settings cannot be locked: %s", strerror(-error));
		ksr_settings_release(settings);
		return error;
	}
	error = keep(fs);
	if (error) {
		snprintf(why, bytes, "the settings cannot be kept in " KEPT ": %s", strerror(-error));
		ksr_settings_release(settings);
	}
	return error;
}

int ksr_settings_restore(struct ksr_settings *settings, size_t *restored)
{
	struct ksr_text text;
	size_t position = 0;
	const char *line;
	size_t bytes;
	int error = 0;
	int fd = open(KEPT, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	*restored = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	error = ksr_fs_read_fd(fd, 4096, &text);
	close(fd);
	if (error)
		return error;
	while (ksr_text_line(&text, &position, &line, &bytes)) {
		for (size_t i = 0; i < KSM_COUNT_OF(names); i++) {
			size_t length = strlen(names[i]);
			int failed;

			if (bytes <= length || line[length] != ' ' || strncmp(line, names[i], length) != 0)
				continue;
			failed = ksr_kernel_set(settings->fs, names[i], strtoull(line + length + 1, NULL, 10));
			error = error ? error : failed;
			*restored += !failed;
		}
	}
	ksr_text_free(&text);
	if (!error && unlink(KEPT))
		error = -errno;
	return error;
}

void ksr_settings_leave(struct ksr_settings *settings)
{
	unlink(KEPT);
	ksr_settings_release(settings);
}

void ksr_settings_release(struct ksr_settings *settings)
{
	if (settings->taken >= 0)
		close(settings->taken);
	if (settings->lock >= 0)
		close(settings->lock);
	settings->lock = -1;
	settings->taken = -1;
}
