/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker_memory.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static long field(const char *name)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	long value = -1;

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)) == 0)
			sscanf(line + strlen(name), ": %ld", &value);
	}
	if (file)
		fclose(file);
	return value;
}

/* The store's files that are open: inode and KiB of each. */
static void show_files(void)
{
	for (int i = 0; i < 1024; i++) {
		char path[64], name[64] = "";
		struct stat status;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", i);
		if (readlink(path, name, sizeof(name) - 1) > 0 && strstr(name, "memfd:ksmalloc-store") &&
		    stat(path, &status) == 0)
			printf(" %lu:%ld", (unsigned long)status.st_ino, (long)status.st_blocks / 2);
	}
}

void worker_show_memory(void)
{
	printf("%ld", field("Pss") - field("Pss_Shmem"));
	show_files();
	printf("\n");
}
