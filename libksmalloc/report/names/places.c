/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The places are those of libdwfl's dwfl_standard_find_debuginfo(): by build-id
 * and by .gnu_debuglink, whose file name is not known before the file is opened,
 * so that the folders stand for what is in them. A new file in a folder changes
 * the folder's time. Nothing is opened.
 */
#define _GNU_SOURCE
#include "names/places.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DEBUG_FOLDER "/usr/lib/debug"

/* FNV-1a: nobody gains anything by a collision but an old answer about his own file. */
static void mix(uint64_t *hash, const void *data, size_t bytes)
{
	const unsigned char *next = data;

	for (size_t i = 0; i < bytes; i++)
		*hash = (*hash ^ next[i]) * UINT64_C(0x100000001b3);
}

static void mix_place(uint64_t *hash, const char *format, ...) KSM_PRINTF(2, 3);

static void mix_place(uint64_t *hash, const char *format, ...)
{
	uint64_t values[6] = {0};
	char path[PATH_MAX];
	struct stat status;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	if (length < (int)sizeof(path) && stat(path, &status) == 0) {
		values[0] = (uint64_t)status.st_dev;
		values[1] = (uint64_t)status.st_ino;
		values[2] = (uint64_t)status.st_mtim.tv_sec;
		values[3] = (uint64_t)status.st_mtim.tv_nsec;
		values[4] = (uint64_t)status.st_ctim.tv_sec;
		values[5] = (uint64_t)status.st_ctim.tv_nsec;
	}
	mix(hash, values, sizeof(values));
}

/* Beside the file, and below the folder for debug files. */
static void mix_folder(uint64_t *hash, const char *folder)
{
	mix_place(hash, "%s", folder);
	mix_place(hash, "%s/.debug", folder);
	mix_place(hash, DEBUG_FOLDER "%s", folder);
}

uint64_t ksr_debug_places(const char *path, const char *build_id)
{
	const char *servers = getenv("DEBUGINFOD_URLS");
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	char *real;

	mix_place(&hash, "%s", path);
	if (strlen(build_id) > 2)
		mix_place(&hash, DEBUG_FOLDER "/.build-id/%.2s/%s.debug", build_id, build_id + 2);
	/* What several packages' debug files share. */
	mix_place(&hash, DEBUG_FOLDER "/.dwz");
	/* A server that had nothing, or was dead, may have it in an hour. */
	if (servers && servers[0]) {
		uint64_t hour = (uint64_t)time(NULL) / 3600;

		mix(&hash, servers, strlen(servers));
		mix(&hash, &hour, sizeof(hour));
	}
	if (!slash || slash - path >= (ptrdiff_t)sizeof(folder))
		return hash;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	mix_folder(&hash, folder);
	/* As /lib, which is /usr/lib. */
	real = realpath(folder[0] ? folder : "/", NULL);
	if (real && strcmp(real, folder) != 0)
		mix_folder(&hash, real);
	free(real);
	return hash;
}
