/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILE_MOST KSM_MIB

static int add_machinery(const struct ksr_command *command, struct ksr_symbols *symbols, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct ksr_text text = {0};
	int error = fd < 0 ? -errno : ksr_fs_read_fd(fd, FILE_MOST, &text);
	char why[512];

	if (fd >= 0)
		close(fd);
	if (error)
		return ksr_usage_error(command, "--machinery '%s': %s; give a file that can be read", path,
				       strerror(-error));
	error = ksr_machinery_add(ksr_symbols_machinery(symbols), text.data, text.size, why, sizeof(why));
	ksr_text_free(&text);
	return error ? ksr_usage_error(command, "--machinery '%s': %s", path, why) : 0;
}

int ksr_symbols_prepare(const struct ksr_command *command, struct ksr_symbols *symbols, const char *machinery,
			const char *sysroot)
{
	int error = sysroot ? ksr_symbols_sysroot(symbols, sysroot) : 0;

	if (error)
		return ksr_usage_error(command, "--sysroot '%s': %s; give a folder that has the other machine's files",
				       sysroot, strerror(-error));
	return machinery ? add_machinery(command, symbols, machinery) : 0;
}
