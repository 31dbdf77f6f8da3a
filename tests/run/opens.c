/* SPDX-License-Identifier: BSD-2-Clause */
/* opens FILE: by every name, for reading, writing, and as a file without a name. */
#define _GNU_SOURCE
#define _LARGEFILE64_SOURCE
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int __open_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat64_2(int folder, const char *path, int flags);

static void check(const char *what, int fd)
{
	if (fd < 0) {
		printf("%s: %s\n", what, strerror(errno));
		exit(1);
	}
	close(fd);
}

static void check_file(const char *what, FILE *file)
{
	check(what, file ? dup(fileno(file)) : -1);
	fclose(file);
}

static void check_mode(const char *path, mode_t wanted)
{
	struct stat status;

	if (stat(path, &status) || (status.st_mode & 0777) != wanted) {
		printf("%s has mode %o\n", path, (unsigned int)status.st_mode & 0777);
		exit(1);
	}
	unlink(path);
}

int main(int argc, char **argv)
{
	char made[4096], folder[4096];

	if (argc != 2)
		return 2;
	umask(0);
	snprintf(made, sizeof(made), "%s.made", argv[1]);
	snprintf(folder, sizeof(folder), "%s", argv[1]);
	*strrchr(folder, '/') = '\0';
	check("open", open(argv[1], O_RDONLY));
	check("open64", open64(argv[1], O_RDONLY));
	check("openat", openat(AT_FDCWD, argv[1], O_RDONLY));
	check("openat64", openat64(AT_FDCWD, argv[1], O_RDONLY));
	check("__open_2", __open_2(argv[1], O_RDONLY));
	check("__open64_2", __open64_2(argv[1], O_RDONLY));
	check("__openat_2", __openat_2(AT_FDCWD, argv[1], O_RDONLY));
	check("__openat64_2", __openat64_2(AT_FDCWD, argv[1], O_RDONLY));
	check_file("fopen", fopen(argv[1], "r"));
	check_file("fopen64", fopen64(argv[1], "r+"));
	check("O_CREAT", open(made, O_CREAT | O_WRONLY | O_EXCL, 0641));
	check_mode(made, 0641);
	check("O_CREAT at", openat(AT_FDCWD, made, O_CREAT | O_RDWR, 0604));
	check_mode(made, 0604);
	check("O_TMPFILE", open(folder, O_TMPFILE | O_RDWR, 0600));
	if (open("/nowhere/at/all", O_RDONLY) != -1 || errno != ENOENT || fopen("/nowhere/at/all", "r") || errno != ENOENT)
		return 1;
	errno = 99;
	check("open", open(argv[1], O_RDONLY));
	return errno == 99 ? 0 : 1;
}
