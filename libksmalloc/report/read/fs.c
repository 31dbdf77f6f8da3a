/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files are opened relative to a descriptor of the root, so that a recorded
 * tree is read by the same code as the live system. Files of other processes
 * are opened in three steps: resolve with O_PATH inside of the process's root,
 * look at what it is, and only then open it for reading. Opening first would
 * let a process make a privileged reader open a device or hang on a FIFO.
 */
#define _GNU_SOURCE
#include "read/fs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "read/grow.h"

int ksr_fs_init(struct ksr_fs *fs, const char *root)
{
	fs->live = root == NULL || strcmp(root, "/") == 0;
	fs->root_fd = open(fs->live ? "/" : root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fs->root_fd < 0 ? -errno : 0;
}

void ksr_fs_fini(struct ksr_fs *fs)
{
	if (fs->root_fd >= 0)
		close(fs->root_fd);
	fs->root_fd = -1;
}

static int format_path(char path[PATH_MAX], const char *format, va_list args)
{
	int length = vsnprintf(path, PATH_MAX, format, args);

	return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Used by all functions that take a format: the arguments become a path. */
#define FORMAT_PATH(path, format, error)                                                           \
	do {                                                                                       \
		va_list path_args;                                                                 \
		va_start(path_args, format);                                                       \
		(error) = format_path(path, format, path_args);                                    \
		va_end(path_args);                                                                 \
	} while (0)

static int open_path(const struct ksr_fs *fs, const char *path, int flags)
{
	int fd = openat(fs->root_fd, path, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int ksr_fs_open(const struct ksr_fs *fs, int flags, const char *format, ...)
{
	char path[PATH_MAX];
	int error;

	FORMAT_PATH(path, format, error);
	return error ? error : open_path(fs, path, flags);
}

/* Grows by doubling because /proc files have no size that could be asked for. */
int ksr_fs_read_fd(int fd, size_t limit, struct ksr_text *text)
{
	size_t room = 16 * 1024;
	size_t size = 0;
	char *data = malloc(room + 1);

	while (data) {
		ssize_t got = read(fd, data + size, room - size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int error = -errno;

			free(data);
			return error;
		}
		if (got == 0)
			break;
		size += (size_t)got;
		if (size > limit) {
			free(data);
			return -EFBIG;
		}
		if (size == room) {
			char *larger = realloc(data, 2 * room + 1);

			if (!larger)
				free(data);
			data = larger;
			room *= 2;
		}
	}
	if (!data)
		return -ENOMEM;
	data[size] = '\0';
	text->data = data;
	text->size = size;
	return 0;
}

static int read_path(const struct ksr_fs *fs, const char *path, struct ksr_text *text)
{
	int fd = open_path(fs, path, O_RDONLY | O_NONBLOCK);
	int error;

	if (fd < 0)
		return fd;
	error = ksr_fs_read_fd(fd, KSR_FS_TEXT_LIMIT, text);
	close(fd);
	return error;
}

int ksr_fs_read(const struct ksr_fs *fs, struct ksr_text *text, const char *format, ...)
{
	char path[PATH_MAX];
	int error;

	FORMAT_PATH(path, format, error);
	return error ? error : read_path(fs, path, text);
}

int ksr_fs_read_u64(const struct ksr_fs *fs, uint64_t *value, const char *format, ...)
{
	struct ksr_text text;
	char path[PATH_MAX];
	char *end;
	int error;

	FORMAT_PATH(path, format, error);
	if (!error)
		error = read_path(fs, path, &text);
	if (error)
		return error;
	errno = 0;
	*value = strtoull(text.data, &end, 10);
	if (end == text.data || errno)
		error = -EINVAL;
	ksr_text_free(&text);
	return error;
}

int ksr_fs_write(const struct ksr_fs *fs, const char *value, const char *format, ...)
{
	char path[PATH_MAX];
	ssize_t put;
	int error;
	int fd;

	FORMAT_PATH(path, format, error);
	if (error)
		return error;
	fd = open_path(fs, path, O_WRONLY);
	if (fd < 0)
		return fd;
	put = write(fd, value, strlen(value));
	error = put < 0 ? -errno : (size_t)put == strlen(value) ? 0 : -EIO;
	if (close(fd) && !error)
		error = -errno;
	return error;
}

bool ksr_fs_writable(const struct ksr_fs *fs, const char *format, ...)
{
	char path[PATH_MAX];
	int error;
	int fd;

	FORMAT_PATH(path, format, error);
	if (error)
		return false;
	/* access(2) would say yes to root on a read-only mount of sysfs in some containers. */
	fd = open_path(fs, path, O_WRONLY);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

int ksr_fs_read_link(const struct ksr_fs *fs, char *target, size_t bytes, const char *format, ...)
{
	char path[PATH_MAX];
	ssize_t length;
	int error;

	FORMAT_PATH(path, format, error);
	if (error)
		return error;
	length = readlinkat(fs->root_fd, path, target, bytes - 1);
	if (length < 0)
		return -errno;
	target[length] = '\0';
	return (int)length;
}

int ksr_fs_stat(const struct ksr_fs *fs, struct stat *status, const char *format, ...)
{
	char path[PATH_MAX];
	int error;

	FORMAT_PATH(path, format, error);
	if (error)
		return error;
	return fstatat(fs->root_fd, path, status, 0) ? -errno : 0;
}

void ksr_text_free(struct ksr_text *text)
{
	free(text->data);
	text->data = NULL;
	text->size = 0;
}

static int compare_pids(const void *left, const void *right)
{
	pid_t a = *(const pid_t *)left;
	pid_t b = *(const pid_t *)right;

	return a < b ? -1 : a > b;
}

int ksr_fs_list_processes(const struct ksr_fs *fs, pid_t **pids, size_t *count)
{
	int fd = open_path(fs, "proc", O_RDONLY | O_DIRECTORY);
	const struct dirent *entry;
	size_t room = 0;
	DIR *folder;

	*pids = NULL;
	*count = 0;
	if (fd < 0)
		return fd;
	folder = fdopendir(fd);
	if (!folder) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(folder))) {
		pid_t *larger;
		long pid = isdigit((unsigned char)entry->d_name[0]) ? atol(entry->d_name) : 0;

		if (pid <= 0 || pid > INT_MAX)
			continue;
		larger = ksr_grow(*pids, *count, &room, sizeof(**pids));
		if (!larger) {
			closedir(folder);
			free(*pids);
			*pids = NULL;
			return -ENOMEM;
		}
		*pids = larger;
		(*pids)[(*count)++] = (pid_t)pid;
	}
	closedir(folder);
	if (*count)
		qsort(*pids, *count, sizeof(**pids), compare_pids);
	return 0;
}

int ksr_fs_list_folder(const char *folder, int (*visit)(const char *name, void *user), void *user)
{
	DIR *stream = opendir(folder);
	const struct dirent *entry;
	int result = 0;

	if (!stream)
		return -errno;
	while (!result && (entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			result = visit(entry->d_name, user);
	}
	closedir(stream);
	return result;
}

/* Resolves inside of the folder, where absolute links also count from the folder. */
static int open_inside(int folder, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	while (*path == '/')
		path++;
	fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
	/* Old kernels and seccomp filters lack the call; the check of the inode still follows. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = openat(folder, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int ksr_fs_reopen(int path_fd, struct stat *status)
{
	char self[64];
	int fd;

	if (fstat(path_fd, status))
		return -errno;
	if (!S_ISREG(status->st_mode))
		return -EINVAL;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* What the path names below the process's root, not yet opened for reading; or -errno. */
static int find_in_process(const struct ksr_fs *fs, pid_t pid, const char *path)
{
	int folder = ksr_fs_open(fs, O_PATH | O_DIRECTORY, "proc/%d/root", (int)pid);
	int path_fd;

	if (folder < 0)
		return folder;
	path_fd = open_inside(folder, path);
	close(folder);
	return path_fd;
}

int ksr_fs_open_in_process(const struct ksr_fs *fs, pid_t pid, const char *path,
			   struct stat *status)
{
	int path_fd = find_in_process(fs, pid, path);
	int fd;

	if (path_fd < 0)
		return path_fd;
	fd = ksr_fs_reopen(path_fd, status);
	close(path_fd);
	return fd;
}

/* Links of the process's root count from that root; its working folder is a link of the kernel's. */
int ksr_fs_open_folder_in_process(const struct ksr_fs *fs, pid_t pid, const char *path)
{
	char joined[PATH_MAX];
	char self[64];
	int path_fd;
	int length;
	int fd;

	if (path[0] != '/') {
		length = ksr_fs_read_link(fs, joined, sizeof(joined), "proc/%d/cwd", (int)pid);
		if (length < 0)
			return length;
		if ((size_t)length + 1 + strlen(path) >= sizeof(joined))
			return -ENAMETOOLONG;
		joined[length] = '/';
		strcpy(joined + length + 1, path);
		path = joined;
	}
	path_fd = find_in_process(fs, pid, path);
	if (path_fd < 0)
		return path_fd;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	fd = open(self, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	close(path_fd);
	return fd;
}

int ksr_fs_make_folder(const char *folder)
{
	char path[PATH_MAX];
	size_t length = strlen(folder);

	if (length == 0 || length >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, folder, length + 1);
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t put = write(fd, data, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		data += put;
		size -= (size_t)put;
	}
	return 0;
}

#define NOBODYS ((uid_t)-1)

/* Of a file that is replaced: whose it was, and who could read it. */
static int take_after(int fd, const struct stat *like)
{
	struct stat now;

	if (fstat(fd, &now))
		return -errno;
	if (like->st_uid != NOBODYS && (now.st_uid != like->st_uid || now.st_gid != like->st_gid) && fchown(fd, like->st_uid, like->st_gid))
		return -errno;
	return fchmod(fd, like->st_mode & 07777) ? -errno : 0;
}

/* like NULL: whoever writes it owns it, and nobody else reads it; nothing is waited for. */
static int replace(const char *path, const char *data, size_t size, const struct stat *like)
{
	char temporary[PATH_MAX];
	int error;
	int fd;

	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = like ? take_after(fd, like) : 0;
	if (!error)
		error = write_all(fd, data, size);
	if (!error && like && fsync(fd))
		error = -errno;
	if (close(fd) && !error)
		error = -errno;
	if (!error && rename(temporary, path))
		error = -errno;
	if (error)
		unlink(temporary);
	return error;
}

int ksr_fs_replace(const char *path, const char *data, size_t size)
{
	return replace(path, data, size, NULL);
}

int ksr_fs_install(const char *path, const char *data, size_t size)
{
	const struct stat anybodys = {.st_mode = 0644, .st_uid = NOBODYS};

	return replace(path, data, size, &anybodys);
}

int ksr_fs_rewrite(const char *path, const char *data, size_t size)
{
	char file[PATH_MAX];
	struct stat status;

	/* A link stays one, and what it leads to is replaced. */
	if (!realpath(path, file) || stat(file, &status))
		return -errno;
	return S_ISREG(status.st_mode) ? replace(file, data, size, &status) : -EINVAL;
}

int ksr_fs_open_private(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		error = -errno;
	else if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 022))
		error = -EPERM;
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

bool ksr_text_line(const struct ksr_text *text, size_t *position, const char **line, size_t *bytes)
{
	const char *newline;

	if (*position >= text->size)
		return false;
	*line = text->data + *position;
	newline = memchr(*line, '\n', text->size - *position);
	*bytes = newline ? (size_t)(newline - *line) : text->size - *position;
	*position += *bytes + (newline != NULL);
	return true;
}

/* Reads digits of a base up to the delimiter; false without a digit, on overflow or another end. */
static bool take_number(const char **cursor, const char *end, unsigned int base, char delimiter,
			uint64_t *value)
{
	const char *start = *cursor;
	uint64_t sum = 0;

	for (; *cursor < end && **cursor != delimiter; (*cursor)++) {
		unsigned char c = (unsigned char)**cursor;
		unsigned int digit = 99;

		if (isdigit(c))
			digit = c - '0';
		else if (isxdigit(c))
			digit = (unsigned int)tolower(c) - 'a' + 10;
		if (digit >= base || sum > (UINT64_MAX - digit) / base)
			return false;
		sum = sum * base + digit;
	}
	if (*cursor == start || *cursor == end)
		return false;
	(*cursor)++;
	*value = sum;
	return true;
}

bool ksr_map_line_parse(const char *line, size_t bytes, struct ksr_map_line *map)
{
	const char *end = line + bytes;
	uint64_t major;
	uint64_t minor;
	uint64_t inode = 0;

	if (!take_number(&line, end, 16, '-', &map->begin) ||
	    !take_number(&line, end, 16, ' ', &map->end) || map->begin >= map->end)
		return false;
	if (end - line < 5 || line[4] != ' ')
		return false;
	memcpy(map->perms, line, 4);
	map->perms[4] = '\0';
	line += 5;
	if (!take_number(&line, end, 16, ' ', &map->offset) ||
	    !take_number(&line, end, 16, ':', &major) || !take_number(&line, end, 16, ' ', &minor))
		return false;
	/* The inode is the last field of a mapping that has no name: then no blank need follow. */
	if (line == end || !isdigit((unsigned char)*line))
		return false;
	for (; line < end && isdigit((unsigned char)*line); line++) {
		if (inode > (UINT64_MAX - 9) / 10)
			return false;
		inode = inode * 10 + (uint64_t)(*line - '0');
	}
	while (line < end && *line == ' ')
		line++;
	map->inode = inode;
	map->major = (unsigned int)major;
	map->minor = (unsigned int)minor;
	map->path = line;
	map->path_bytes = (size_t)(end - line);
	return true;
}

const char *ksr_text_entry(const struct ksr_text *text, size_t *position)
{
	const char *entry = text->data + *position;

	if (!text->data || *position >= text->size)
		return NULL;
	/* The text ends with a NUL beyond its size, whatever the process wrote there. */
	*position += strlen(entry) + 1;
	return entry;
}

const char *ksr_text_variable(const struct ksr_text *text, const char *name)
{
	size_t length = strlen(name);
	size_t position = 0;
	const char *entry;

	while ((entry = ksr_text_entry(text, &position))) {
		if (strncmp(entry, name, length) == 0 && entry[length] == '=')
			return entry + length + 1;
	}
	return NULL;
}
