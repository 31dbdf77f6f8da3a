/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "enable/dropin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enable/section.h"
#include "enable/unit_text.h"

#define FOLDER "/etc/systemd/system"
#define FIRST_LINE "# Written by 'ksmalloc enable'; 'ksmalloc disable' removes it."

int ksr_dropin_open(struct ksr_dropin *dropin, const char *unit)
{
	struct ksr_text text;
	int error;
	int fd;

	*dropin = (struct ksr_dropin){0};
	snprintf(dropin->unit, sizeof(dropin->unit), "%s", unit);
	snprintf(dropin->folder, sizeof(dropin->folder), "%s/%s.d", FOLDER, unit);
	snprintf(dropin->path, sizeof(dropin->path), "%s/%s.d/%s", FOLDER, unit, KSR_ENABLE_NAME);
	fd = open(dropin->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	error = ksr_fs_read_fd(fd, KSM_MIB, &text);
	close(fd);
	if (error)
		return error;
	dropin->now = text.data;
	return strncmp(text.data, FIRST_LINE "\n", strlen(FIRST_LINE "\n")) == 0 ? 0 : -EEXIST;
}

void ksr_dropin_close(struct ksr_dropin *dropin)
{
	free(dropin->now);
}

/* --- the text ----------------------------------------------------------------------- */

char *ksr_dropin_text(const struct ksr_dropin_wish *wish)
{
	char *text;
	int bytes;

	if (wish->shares)
		bytes = asprintf(&text, FIRST_LINE "\n"
				 "# Whenever systemd reads its files, 'ksmalloc run' is put in front of the commands that stand there.\n"
				 "[" KSR_SECTION "]\nShare=yes\nGroup=%s\nProfile=%s\n", wish->group, wish->profile);
	else
		bytes = asprintf(&text, FIRST_LINE "\n"
				 "[Service]\nEnvironment=\"LD_PRELOAD=%s%s%s\"\nEnvironment=KSMALLOC_GROUP=%s\n", wish->library,
				 wish->preloaded[0] ? ":" : "", wish->preloaded, wish->group);
	return bytes < 0 ? NULL : text;
}

/* --- the file ------------------------------------------------------------------------ */

static bool has_line(const char *text, const char *line, size_t bytes)
{
	for (const char *at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		if (strcspn(at, "\n") == bytes && strncmp(at, line, bytes) == 0)
			return true;
	}
	return false;
}

/* Lines of one text that the other has not. */
static void show_lines(char sign, const char *text, const char *other)
{
	while (text && *text) {
		size_t bytes = strcspn(text, "\n");

		if (!has_line(other, text, bytes))
			printf("%c%.*s\n", sign, (int)bytes, text);
		text += bytes + (text[bytes] == '\n');
	}
}

void ksr_dropin_show(const char *path, const char *now, const char *wanted)
{
	printf("%s\n", path);
	show_lines('-', now, wanted);
	show_lines('+', wanted, now);
	fflush(stdout);
}

int ksr_dropin_write(const struct ksr_dropin *dropin, const char *wanted)
{
	if (wanted) {
		if (mkdir(dropin->folder, 0755) && errno != EEXIST)
			return -errno;
		return ksr_fs_install(dropin->path, wanted, strlen(wanted));
	}
	if (unlink(dropin->path))
		return -errno;
	/* It is left if it has something else in it. */
	rmdir(dropin->folder);
	return 0;
}
