/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "enable/generate.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enable/commands.h"
#include "enable/section.h"
#include "enable/unit_files.h"
#include "enable/unit_text.h"
#include "obstacle.h"

#define NAME "ksmalloc-generator"

struct generation {
	const struct ksr_command *command;
	const char *folder;
	const char *own;
	int status;
};

static int write_run(const char *folder, const char *unit, const char *text)
{
	char path[PATH_MAX];
	int bytes = snprintf(path, sizeof(path), "%s/%s.d", folder, unit);

	if (bytes + 64 > (int)sizeof(path))
		return -ENAMETOOLONG;
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	snprintf(path + bytes, sizeof(path) - (size_t)bytes, "/" KSR_ENABLE_RUN_NAME);
	return ksr_fs_install(path, text, strlen(text));
}

/*
 * Settings with which the service would not start, or the group's secret would go to others. Nobody asks systemd here, so
 * that those are left out that mean something only when it has worked on them; with these the service runs, and doctor says.
 */
static int check_settings(const struct ksr_text *files, char *why, size_t bytes)
{
	static const char *const keys[] = {"RootDirectory", "RootImage", "DynamicUser"};
	struct ksr_unit_text *reader = calloc(1, sizeof(*reader));
	char values[KSM_COUNT_OF(keys)][256] = {""};
	char text[1024];
	struct ksr_text shown = {.data = text};
	const struct ksr_obstacle *obstacle;
	size_t position = 0;

	if (!reader)
		return -ENOMEM;
	while (ksr_unit_text_next(reader, files) > 0)
		for (size_t i = 0; strcmp(reader->section, "Service") == 0 && i < KSM_COUNT_OF(keys); i++)
			if (strcmp(reader->name, keys[i]) == 0)
				snprintf(values[i], sizeof(values[i]), "%s", ksr_section_boolean(reader->value) == 1 ? "yes" : reader->value);
	free(reader);
	shown.size = (size_t)snprintf(text, sizeof(text), "%s=%s\n%s=%s\n%s=%s\n", keys[0], values[0], keys[1], values[1], keys[2], values[2]);
	obstacle = ksr_obstacle_next(&shown, true, NULL, &position, values[0], sizeof(values[0]));
	if (!obstacle)
		return 0;
	snprintf(why, bytes, "it has %s=%s: %s; %s", obstacle->key, values[0], obstacle->what, obstacle->advice);
	return -EINVAL;
}

/* *written: the service has commands of ours. */
static int generate_unit(const struct generation *all, const char *unit, const struct ksr_text *files, bool *written, char *why,
			 size_t bytes)
{
	struct ksr_section section;
	struct ksr_enable_run run = {.command = all->own, .group = section.group, .profile = section.profile};
	char *text;
	int error = ksr_section_read(files, unit, &section, why, bytes);

	if (error || !section.shares)
		return error;
	error = check_settings(files, why, bytes);
	if (error)
		return error;
	text = ksr_enable_commands(files, &run, why, bytes);
	error = text ? write_run(all->folder, unit, text) : -EINVAL;
	free(text);
	*written = !error;
	return error;
}

/* What was written for all instances of a template is not for one whose own files say otherwise: a file of the same name hides it. */
static int hide_template(const struct generation *all, const char *unit)
{
	const char *at = strchr(unit, '@');
	char path[PATH_MAX];

	if (!at || strcmp(at, "@.service") == 0)
		return 0;
	snprintf(path, sizeof(path), "%s/%.*s@.service.d/" KSR_ENABLE_RUN_NAME, all->folder, (int)(at - unit), unit);
	return access(path, F_OK) ? 0 : write_run(all->folder, unit, KSR_GENERATE_HIDING);
}

/* "a-.service" is no unit: its drop-ins are for all whose names begin so. */
static bool is_beginning(const char *unit)
{
	const char *end = strchr(unit, '@');

	if (!end)
		end = unit + strlen(unit) - strlen(".service");
	return end > unit && end[-1] == '-';
}

static void visit(const char *unit, void *user)
{
	struct generation *all = user;
	char why[512] = "";
	bool written = false;
	struct ksr_text files;
	int error = ksr_unit_files(unit, &files);

	if (!files.data || !strstr(files.data, "[" KSR_SECTION "]") || (error == -ENOENT && is_beginning(unit)))
		error = 0;
	else if (!error)
		error = generate_unit(all, unit, &files, &written, why, sizeof(why));
	ksr_text_free(&files);
	if (!written && hide_template(all, unit) && !error)
		error = -EIO;
	if (error)
		all->status = ksr_failure(all->command, "%s is started without libksmalloc: %s", unit,
					  why[0] ? why : error == -ENOENT ? "no file is this unit's" : strerror(-error));
}

int ksr_generate(const struct ksr_command *command, const char *folder, const char *own)
{
	struct generation all = {.command = command, .folder = folder, .own = own};

	if (ksr_unit_files_each(visit, &all))
		return ksr_failure(command, "out of memory");
	return all.status;
}

bool ksr_generate_is_known(void)
{
	static const char *const folders[] = {"/run", "/etc", "/usr/local/lib", "/usr/lib", "/lib"};
	char path[PATH_MAX];
	bool found = false;

	for (size_t i = 0; !found && i < KSM_COUNT_OF(folders); i++) {
		snprintf(path, sizeof(path), "%s/systemd/system-generators/" NAME, folders[i]);
		found = access(path, X_OK) == 0;
	}
	return found;
}
