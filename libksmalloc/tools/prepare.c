/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILE_MOST KSM_MIB

static int add_machinery(const struct ksr_command *command, struct ksr_symbols *symbols, const char *path,
			 struct ksr_text *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int error = fd < 0 ? -errno : ksr_fs_read_fd(fd, FILE_MOST, text);
	char why[512];

	if (fd >= 0)
		close(fd);
	if (error)
		return ksr_usage_error(command, "--machinery '%s': %s; give a file that can be read", path,
				       strerror(-error));
	error = ksr_machinery_add(ksr_symbols_machinery(symbols), text->data, text->size, why, sizeof(why));
	return error ? ksr_usage_error(command, "--machinery '%s': %s", path, why) : 0;
}

static int tell(const struct ksr_command *command, struct ksr_symbols *symbols, const char *machinery,
		const char *sysroot, struct ksr_text *text)
{
	int error = sysroot ? ksr_symbols_sysroot(symbols, sysroot) : 0;

	if (error)
		return ksr_usage_error(command, "--sysroot '%s': %s; give a folder that has the other machine's files",
				       sysroot, strerror(-error));
	return machinery ? add_machinery(command, symbols, machinery, text) : 0;
}

int ksr_symbols_prepare(const struct ksr_command *command, struct ksr_symbols *symbols, const char *machinery,
			const char *sysroot)
{
	struct ksr_text text = {0};
	int status = tell(command, symbols, machinery, sysroot, &text);

	ksr_text_free(&text);
	return status;
}

int ksr_naming_prepare(const struct ksr_command *command, const struct ksr_name_options *options, struct ksr_text *text,
		       struct ksr_naming *naming)
{
	struct ksr_symbols *symbols;
	struct ksr_fs fs;
	int status;

	*text = (struct ksr_text){0};
	*naming = (struct ksr_naming){.resolve = !options->no_symbols, .sysroot = options->sysroot};
	if (!options->machinery && !options->sysroot)
		return 0;
	if (ksr_fs_init(&fs, NULL))
		return ksr_failure(command, "cannot open /");
	/* Tried once here, so that whoever names something later can take it as good. */
	symbols = ksr_symbols_create(&fs, false);
	status = symbols ? tell(command, symbols, options->machinery, options->sysroot, text) :
			   ksr_failure(command, "out of memory");
	ksr_symbols_destroy(symbols);
	ksr_fs_fini(&fs);
	if (status) {
		ksr_text_free(text);
		return status;
	}
	naming->machinery = text->data;
	naming->machinery_bytes = text->size;
	return 0;
}
