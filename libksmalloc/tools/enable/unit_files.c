/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "enable/unit_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "read/grow.h"
#include "service.h"

#define SUFFIX	   ".service"
#define MOST_FILES 128

/* The first that has a file of a name has the one that counts. */
static const char *const folders[] = {
	"/etc/systemd/system",
	"/run/systemd/system",
	"/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system",
	"/lib/systemd/system",
};

struct drop_ins {
	char *paths[MOST_FILES];
	size_t count;
	bool failed;
	const char *folder; /* that is being read */
};

static const char *name_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

static int add(const char *name, void *user)
{
	struct drop_ins *all = user;
	size_t length = strlen(name);

	if (name[0] == '.' || length <= strlen(".conf") || strcmp(name + length - strlen(".conf"), ".conf") != 0)
		return 0;
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(name_of(all->paths[i]), name) == 0)
			return 0;
	if (all->count == MOST_FILES || asprintf(&all->paths[all->count], "%s/%s", all->folder, name) < 0)
		all->failed = true;
	else
		all->count++;
	return all->failed;
}

static void add_folders(struct drop_ins *all, const char *name)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < KSM_COUNT_OF(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s.d", folders[i], name);
		all->folder = path;
		ksr_fs_list_folder(path, add, all);
	}
	all->folder = NULL;
}

/* Of a name with dashes also what all with the same beginning have: a-b.service, then a-.service. */
static void add_name(struct drop_ins *all, const char *unit)
{
	char name[KSR_UNIT_BYTES];
	char begin[KSR_UNIT_BYTES];
	const char *rest = strchr(unit, '@');
	char *dash;

	add_folders(all, unit);
	if (!rest)
		rest = unit + strlen(unit) - strlen(SUFFIX);
	snprintf(begin, sizeof(begin), "%.*s", (int)(rest - unit), unit);
	while ((dash = strrchr(begin, '-')) && dash > begin) {
		dash[1] = '\0';
		if (snprintf(name, sizeof(name), "%s%s", begin, rest) < (int)sizeof(name))
			add_folders(all, name);
		dash[0] = '\0';
	}
}

/* "web@1.service" is an instance of "web@.service"; false if it is none. */
static bool name_template(const char *unit, char name[KSR_UNIT_BYTES])
{
	const char *at = strchr(unit, '@');

	if (!at)
		return false;
	snprintf(name, KSR_UNIT_BYTES, "%.*s@" SUFFIX, (int)(at - unit), unit);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(name_of(*(char *const *)a), name_of(*(char *const *)b));
}

/* -ENOENT where there is none; one that leads to /dev/null is empty. */
static int append(FILE *out, const char *path)
{
	struct ksr_text text;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int error;

	if (fd < 0)
		return -errno;
	error = ksr_fs_read_fd(fd, KSM_MIB, &text);
	close(fd);
	if (error)
		return error;
	/* What is in a file is its own section, whatever the one before ended in. */
	fprintf(out, "# %s\n%s\n\n", path, text.data);
	ksr_text_free(&text);
	return 0;
}

static int append_fragment(FILE *out, const char *unit)
{
	char path[PATH_MAX];
	int error = -ENOENT;

	for (size_t i = 0; error == -ENOENT && i < KSM_COUNT_OF(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], unit);
		error = append(out, path);
	}
	return error;
}

int ksr_unit_files(const char *unit, struct ksr_text *text)
{
	struct drop_ins all = {.count = 0};
	char name[KSR_UNIT_BYTES];
	bool is_instance = name_template(unit, name);
	FILE *out;
	int error;

	*text = (struct ksr_text){0};
	out = open_memstream(&text->data, &text->size);
	if (!out)
		return -ENOMEM;
	error = append_fragment(out, unit);
	if (error == -ENOENT && is_instance)
		error = append_fragment(out, name);
	add_name(&all, unit);
	if (is_instance)
		add_name(&all, name);
	add_folders(&all, "service");
	qsort(all.paths, all.count, sizeof(all.paths[0]), by_name);
	if (!error && all.failed)
		error = -E2BIG;
	for (size_t i = 0; i < all.count; i++) {
		int failed = append(out, all.paths[i]);

		error = error || failed == -ENOENT ? error : failed;
		free(all.paths[i]);
	}
	if (fclose(out) && !error)
		error = -ENOMEM;
	return error;
}

/* --- which there are ------------------------------------------------------------------ */

struct units {
	char (*names)[KSR_UNIT_BYTES];
	size_t count;
	size_t room;
	const char *folder; /* that is being read */
};

/* A link to a file of another name is an alias, an instance, or a unit that may not be started. */
static bool is_other_name(const char *folder, const char *name)
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	const char *last;
	ssize_t length;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	length = readlink(path, target, sizeof(target) - 1);
	if (length <= 0)
		return false;
	target[length] = '\0';
	last = strrchr(target, '/');
	return strcmp(last ? last + 1 : target, name) != 0;
}

/* By its file, or by a folder of drop-ins. */
static int add_unit(const char *name, void *user)
{
	struct units *units = user;
	size_t length = strlen(name);
	bool is_folder = length > 2 && strcmp(name + length - 2, ".d") == 0;
	void *larger;

	length -= is_folder ? 2 : 0;
	if (length <= strlen(SUFFIX) || length >= KSR_UNIT_BYTES || strncmp(name + length - strlen(SUFFIX), SUFFIX, strlen(SUFFIX)) != 0 ||
	    (!is_folder && is_other_name(units->folder, name)))
		return 0;
	larger = ksr_grow(units->names, units->count, &units->room, sizeof(units->names[0]));
	if (!larger)
		return -ENOMEM;
	units->names = larger;
	snprintf(units->names[units->count++], KSR_UNIT_BYTES, "%.*s", (int)length, name);
	return 0;
}

/* A template is in front of its instances. */
static int by_unit(const void *a, const void *b)
{
	bool is_template = strstr(a, "@" SUFFIX);

	return is_template == !!strstr(b, "@" SUFFIX) ? strcmp(a, b) : is_template ? -1 : 1;
}

int ksr_unit_files_each(void (*visit)(const char *unit, void *user), void *user)
{
	struct units units = {.count = 0};
	int error = 0;

	for (size_t i = 0; error != -ENOMEM && i < KSM_COUNT_OF(folders); i++) {
		units.folder = folders[i];
		error = ksr_fs_list_folder(folders[i], add_unit, &units);
	}
	if (units.count)
		qsort(units.names, units.count, sizeof(units.names[0]), by_unit);
	for (size_t i = 0; error != -ENOMEM && i < units.count; i++) {
		if (i == 0 || strcmp(units.names[i - 1], units.names[i]) != 0)
			visit(units.names[i], user);
	}
	free(units.names);
	return error == -ENOMEM ? error : 0;
}
