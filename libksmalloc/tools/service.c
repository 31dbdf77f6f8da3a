/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_LIMIT (4 * KSM_MIB)
#define UNIT_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\@"

extern char **environ;

bool ksr_service_name(const char *text, char unit[KSR_UNIT_BYTES])
{
	size_t bytes = strspn(text, UNIT_LETTERS);
	bool whole = bytes > strlen(".service") && strcmp(text + bytes - strlen(".service"), ".service") == 0;

	if (bytes == 0 || text[bytes] || text[0] == '.' || text[0] == '-' || bytes + sizeof(".service") > KSR_UNIT_BYTES)
		return false;
	snprintf(unit, KSR_UNIT_BYTES, "%s%s", text, whole ? "" : ".service");
	return true;
}

/* Runs systemctl for a unit or, with NULL, for none; text is NULL where nobody asks for its output. */
static int ask(const char *verb, const char *unit, struct ksr_text *text)
{
	char words[5][KSR_UNIT_BYTES] = {"systemctl", "--no-pager", "", "--", ""};
	char *list[] = {words[0], words[1], words[2], unit ? words[3] : NULL, words[4], NULL};
	posix_spawn_file_actions_t actions;
	pid_t child;
	int ends[2];
	int status = 0;
	int error;

	/* Its answers are read by a program, whatever its user likes to see. */
	if (setenv("SYSTEMD_COLORS", "0", 1) || setenv("SYSTEMD_URLIFY", "0", 1))
		return -errno;
	snprintf(words[2], sizeof(words[2]), "%s", verb);
	snprintf(words[4], sizeof(words[4]), "%s", unit ? unit : "");
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	posix_spawn_file_actions_init(&actions);
	if (text)
		posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	error = -posix_spawnp(&child, "systemctl", &actions, NULL, list, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (!error && text)
		error = ksr_fs_read_fd(ends[0], ANSWER_LIMIT, text);
	close(ends[0]);
	while (error != -ENOENT && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (!error && status) {
		error = -EIO;
		if (text)
			ksr_text_free(text);
	}
	return error;
}

int ksr_service_show(const char *unit, struct ksr_text *text)
{
	return ask("show", unit, text);
}

int ksr_service_files(const char *unit, struct ksr_text *text)
{
	return ask("cat", unit, text);
}

int ksr_service_reload(void)
{
	return ask("daemon-reload", NULL, NULL);
}

const char *ksr_service_value(const struct ksr_text *text, const char *name, char *value, size_t bytes)
{
	size_t length = strlen(name);
	size_t position = 0;
	size_t line_bytes;
	const char *line;

	value[0] = '\0';
	while (ksr_text_line(text, &position, &line, &line_bytes)) {
		if (line_bytes > length && line[length] == '=' && strncmp(line, name, length) == 0) {
			snprintf(value, bytes, "%.*s", (int)(line_bytes - length - 1), line + length + 1);
			break;
		}
	}
	return value;
}

bool ksr_service_of(const struct ksr_fs *fs, pid_t pid, char unit[KSR_UNIT_BYTES])
{
	struct ksr_text text;
	size_t position = 0;
	const char *line;
	bool found = false;
	size_t bytes;

	if (ksr_fs_read(fs, &text, "proc/%d/cgroup", (int)pid))
		return false;
	/* One line for each hierarchy; the folders of systemd's end in the unit, or have it on the way. */
	while (!found && ksr_text_line(&text, &position, &line, &bytes)) {
		char path[512];

		snprintf(path, sizeof(path), "%.*s", (int)bytes, line);
		for (char *rest = path, *part; !found && (part = strsep(&rest, "/"));) {
			size_t length = strlen(part);

			found = length > strlen(".service") && strcmp(part + length - strlen(".service"), ".service") == 0 &&
				strncmp(part, "user@", 5) != 0 && ksr_service_name(part, unit);
		}
	}
	ksr_text_free(&text);
	return found;
}
