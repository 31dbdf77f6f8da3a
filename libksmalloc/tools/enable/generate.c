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
#include "enable/dropin.h"
#include "enable/unit_files.h"

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

static void generate_unit(struct generation *all, const char *unit, const struct ksr_enable_run *run)
{
	char why[512] = "";
	struct ksr_text files;
	char *text = NULL;
	int error = ksr_unit_files(unit, &files);

	if (!error) {
		text = ksr_enable_commands(&files, run, why, sizeof(why));
		ksr_text_free(&files);
		error = text ? write_run(all->folder, unit, text) : -EINVAL;
	}
	free(text);
	if (error)
		all->status = ksr_failure(all->command, "%s is started without libksmalloc: %s", unit,
					  why[0] ? why : error == -ENOENT ? "no file is this unit's" : strerror(-error));
}

static int visit(const char *unit, void *user)
{
	struct generation *all = user;
	struct ksr_dropin dropin;
	char group[64];
	char profile[64];

	if (ksr_dropin_open(&dropin, unit) == 0 && ksr_dropin_shares(&dropin, group, profile)) {
		struct ksr_enable_run run = {.command = all->own, .group = group, .profile = profile};

		generate_unit(all, unit, &run);
	}
	ksr_dropin_close(&dropin);
	return 0;
}

int ksr_generate(const struct ksr_command *command, const char *folder, const char *own)
{
	struct generation all = {.command = command, .folder = folder, .own = own};
	int error = ksr_dropin_each(visit, &all);

	if (error)
		return ksr_failure(command, "cannot read the drop-ins: %s", strerror(-error));
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
