/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "doctor/lasting.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH "/etc/tmpfiles.d/ksmalloc.conf"
#define FIRST_LINE "# Written by 'ksmalloc doctor --fix --keep'; 'ksmalloc doctor --undo' removes it."
#define FORMER "# before: "

/* The file, if it is ours: -ENOENT without one, -EEXIST for somebody else's. */
static int read_ours(struct ksr_text *text)
{
	int fd = open(PATH, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int error;

	if (fd < 0)
		return -errno;
	error = ksr_fs_read_fd(fd, 65536, text);
	close(fd);
	if (error || strncmp(text->data, FIRST_LINE "\n", strlen(FIRST_LINE "\n")) == 0)
		return error;
	ksr_text_free(text);
	return -EEXIST;
}

/* The numbers behind FORMER: run, pages_to_scan, sleep_millisecs. */
static bool former(const struct ksr_text *text, uint64_t values[3])
{
	const char *found = strstr(text->data, FORMER);

	return found && sscanf(found + strlen(FORMER), "%" SCNu64 " %" SCNu64 " %" SCNu64, &values[0], &values[1], &values[2]) == 3;
}

static int write_file(const char *text)
{
	if (mkdir("/etc/tmpfiles.d", 0755) && errno != EEXIST)
		return -errno;
	return ksr_fs_install(PATH, text, strlen(text));
}

void ksr_lasting_keep(const struct ksr_fs *fs, const struct ksr_kernel *before, struct ksr_findings *findings)
{
	uint64_t values[3] = {before->run, before->pages_to_scan, before->sleep_millisecs};
	struct ksr_text text;
	struct ksr_kernel now;
	char wanted[1024];
	int error = read_ours(&text);

	if (!error) {
		(void)former(&text, values);
		ksr_text_free(&text);
	}
	ksr_kernel_read(fs, &now);
	snprintf(wanted, sizeof(wanted),
		 FIRST_LINE "\n" FORMER "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n"
		 "w /sys/kernel/mm/ksm/pages_to_scan - - - - %" PRIu64 "\n"
		 "w /sys/kernel/mm/ksm/sleep_millisecs - - - - %" PRIu64 "\n"
		 "w /sys/kernel/mm/ksm/run - - - - %" PRIu64 "\n",
		 values[0], values[1], values[2], now.pages_to_scan, now.sleep_millisecs, now.run);
	if (!error || error == -ENOENT)
		error = write_file(wanted);
	if (error)
		ksr_find(findings, KSR_LEVEL_BAD, "keep", error == -EEXIST ? "move it away; it was not written by this command" :
			 "run it as root", PATH ": %s", strerror(-error));
	else
		ksr_find(findings, KSR_LEVEL_OK, "keep", "", "KSM's settings hold after a reboot (" PATH "); undo: ksmalloc doctor --undo");
}

void ksr_lasting_undo(const struct ksr_fs *fs, const char *owner, struct ksr_findings *findings)
{
	static const char *const names[] = {"run", "pages_to_scan", "sleep_millisecs"};
	uint64_t values[3];
	struct ksr_text text;
	int error = read_ours(&text);

	if (error) {
		ksr_find(findings, KSR_LEVEL_WARN, "undo", "'ksmalloc doctor --fix --keep' is what can be undone", PATH ": %s",
			 error == -EEXIST ? "it was not written by this command" : strerror(-error));
		return;
	}
	/* run first: KSM stops before its speed changes. */
	if (!owner && !former(&text, values)) {
		ksr_text_free(&text);
		ksr_find(findings, KSR_LEVEL_BAD, "undo", "set them by hand, and remove the file",
			 PATH " does not say any more what KSM's settings were before");
		return;
	}
	for (size_t i = 0; i < KSM_COUNT_OF(names) && !owner && !error; i++)
		error = ksr_kernel_set(fs, names[i], values[i]);
	ksr_text_free(&text);
	if (!error && unlink(PATH))
		error = -errno;
	if (error)
		ksr_find(findings, KSR_LEVEL_BAD, "undo", "run it as root", "KSM's settings cannot be put back: %s", strerror(-error));
	else if (owner)
		ksr_find(findings, KSR_LEVEL_OK, "undo", "", PATH " is removed; KSM's settings are left as they are, %s owns them", owner);
	else
		ksr_find(findings, KSR_LEVEL_OK, "undo", "", "KSM's settings are what they were before --fix --keep");
}
