/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debian's debug packages say for which build-ids they are, in a field of the
 * lists that apt keeps as text. Some older ones do not: these are known by name.
 */
#define _GNU_SOURCE
#include "doctor/package.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTS "var/lib/apt/lists"
#define LIST_LIMIT (512 * KSM_MIB)

extern char **environ;

/* --- one list ---------------------------------------------------------------------- */

/* The name of the package whose stanza this place is in. */
static bool stanza_name(const struct ksr_text *list, const char *inside,
			char name[KSR_PACKAGE_BYTES])
{
	static const char field[] = "Package: ";
	const char *begin = inside;
	size_t bytes;

	/* Stanzas are separated by empty lines; the field is the first of each. */
	while (begin > list->data &&
	       !(begin[-1] == '\n' && (begin == list->data + 1 || begin[-2] == '\n')))
		begin--;
	if (strncmp(begin, field, strlen(field)) != 0)
		return false;
	begin += strlen(field);
	bytes = strcspn(begin, "\n");
	if (bytes == 0 || bytes >= KSR_PACKAGE_BYTES)
		return false;
	memcpy(name, begin, bytes);
	name[bytes] = '\0';
	return true;
}

/* Is this place in a line of the field? */
static bool is_in_field(const struct ksr_text *list, const char *place, const char *field)
{
	while (place > list->data && place[-1] != '\n')
		place--;
	return strncmp(place, field, strlen(field)) == 0;
}

bool ksr_packages_with_build_id(const struct ksr_text *list, const char *build_id,
				char name[KSR_PACKAGE_BYTES])
{
	const char *place = list->data;
	size_t bytes = strlen(build_id);

	if (bytes < 8)
		return false;
	/* The text ends with a NUL, and has no other one: it is text. */
	while ((place = strstr(place, build_id))) {
		char after = place[bytes];

		if (place > list->data && place[-1] == ' ' && (after == ' ' || after == '\n') &&
		    is_in_field(list, place, "Build-Ids: ") && stanza_name(list, place, name) &&
		    strstr(name, "-dbg"))
			return true;
		place += bytes;
	}
	return false;
}

bool ksr_packages_have(const struct ksr_text *list, const char *name)
{
	char line[KSR_PACKAGE_BYTES + 16];
	const char *place = list->data;
	int bytes = snprintf(line, sizeof(line), "Package: %s\n", name);

	if (bytes >= (int)sizeof(line))
		return false;
	for (; (place = strstr(place, line)); place += bytes) {
		if (place == list->data || place[-1] == '\n')
			return true;
	}
	return false;
}

/* --- dpkg ---------------------------------------------------------------------------- */

/* What the command writes on its output, if it ends well. */
static bool output_of(const char *const *argv, size_t limit, struct ksr_text *text)
{
	posix_spawn_file_actions_t actions;
	int ends[2];
	int status = -1;
	pid_t child;
	bool good;

	if (pipe2(ends, O_CLOEXEC))
		return false;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	good = posix_spawnp(&child, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv,
			    environ) == 0;
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	text->data = NULL;
	if (good) {
		good = ksr_fs_read_fd(ends[0], limit, text) == 0;
		/* One that has more to say than is read must not wait for a reader. */
		close(ends[0]);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	} else {
		close(ends[0]);
	}
	if (good && status == 0)
		return true;
	ksr_text_free(text);
	return false;
}

bool ksr_package_of_line(const char *line, char name[KSR_PACKAGE_BYTES])
{
	/* A name, of several the first, and its architecture where there are more. */
	size_t bytes = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789+-.");

	if (bytes == 0 || bytes >= KSR_PACKAGE_BYTES || (line[bytes] != ':' && line[bytes] != ','))
		return false;
	memcpy(name, line, bytes);
	name[bytes] = '\0';
	return true;
}

static bool ask_owner(const char *path, char name[KSR_PACKAGE_BYTES])
{
	const char *argv[] = {"dpkg-query", "--search", path, NULL};
	struct ksr_text text;
	size_t position = 0;
	const char *line;
	size_t bytes;
	bool found = false;

	if (!output_of(argv, KSM_MIB, &text))
		return false;
	/* Lines about diversions begin with other words. */
	while (!found && ksr_text_line(&text, &position, &line, &bytes))
		found = ksr_package_of_line(line, name);
	ksr_text_free(&text);
	return found;
}

/* dpkg may know it under the other of two names, where /lib is /usr/lib. */
static bool find_owner(const char *path, char name[KSR_PACKAGE_BYTES])
{
	char other[PATH_MAX];

	if (ask_owner(path, name))
		return true;
	if (strncmp(path, "/usr/", 5) == 0)
		return ask_owner(path + 4, name);
	if (snprintf(other, sizeof(other), "/usr%s", path) >= (int)sizeof(other))
		return false;
	return ask_owner(other, name);
}

static bool find_source(const char *package, char name[KSR_PACKAGE_BYTES])
{
	const char *argv[] = {"dpkg-query", "--show", "--showformat=${source:Package}:", package,
			      NULL};
	struct ksr_text text;
	bool found;

	if (!output_of(argv, KSM_MIB, &text))
		return false;
	found = ksr_package_of_line(text.data, name);
	ksr_text_free(&text);
	return found;
}

static void find_names(struct ksr_debug_package *package)
{
	char source[KSR_PACKAGE_BYTES];

	if (package->path[0] != '/' || !find_owner(package->path, package->owner))
		return;
	snprintf(package->names[0], KSR_PACKAGE_BYTES, "%.110s-dbgsym", package->owner);
	snprintf(package->names[1], KSR_PACKAGE_BYTES, "%.110s-dbg", package->owner);
	package->name_count = 2;
	if (find_source(package->owner, source))
		snprintf(package->names[package->name_count++], KSR_PACKAGE_BYTES, "%.110s-dbg",
			 source);
}

/* --- all lists ---------------------------------------------------------------------- */

/* Better is what comes first: the build-id, then names in their order. */
static void look_for(const struct ksr_text *list, struct ksr_debug_package *package)
{
	if (package->certain)
		return;
	if (ksr_packages_with_build_id(list, package->build_id, package->name)) {
		package->certain = true;
		package->listed = true;
		return;
	}
	for (size_t i = 0; i < package->name_count; i++) {
		if (!ksr_packages_have(list, package->names[i]))
			continue;
		memcpy(package->name, package->names[i], sizeof(package->name));
		package->listed = true;
		package->name_count = i;
	}
}

static bool read_list(const struct ksr_fs *fs, int folder, const char *name, struct ksr_text *list)
{
	static const char middle[] = "_Packages";
	const char *end = strstr(name, middle);
	const char *argv[] = {"/usr/lib/apt/apt-helper", "cat-file", NULL, NULL};
	char path[PATH_MAX];
	bool good;
	int fd;

	if (!end || (end[strlen(middle)] != '\0' && end[strlen(middle)] != '.'))
		return false;
	if (end[strlen(middle)] == '.') {
		snprintf(path, sizeof(path), "/" LISTS "/%s", name);
		argv[2] = path;
		return fs->live && output_of(argv, LIST_LIMIT, list);
	}
	fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	good = ksr_fs_read_fd(fd, LIST_LIMIT, list) == 0;
	close(fd);
	return good;
}

static void look_into_lists(const struct ksr_fs *fs, struct ksr_debug_package *packages,
			    size_t count)
{
	int fd = ksr_fs_open(fs, O_RDONLY | O_DIRECTORY, LISTS);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!folder) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(folder))) {
		struct ksr_text list;

		if (!read_list(fs, dirfd(folder), entry->d_name, &list))
			continue;
		for (size_t i = 0; i < count; i++)
			look_for(&list, &packages[i]);
		ksr_text_free(&list);
	}
	closedir(folder);
}

void ksr_debug_packages_find(const struct ksr_fs *fs, struct ksr_debug_package *list, size_t count)
{
	for (size_t i = 0; i < count && fs->live; i++)
		find_names(&list[i]);
	look_into_lists(fs, list, count);
	for (size_t i = 0; i < count; i++) {
		if (!list[i].name[0] && list[i].name_count)
			memcpy(list[i].name, list[i].names[0], sizeof(list[i].name));
	}
}
