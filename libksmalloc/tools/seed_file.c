/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The folder is the one in which the library makes the statistics segment when
 * nothing else is said: the user's run-time folder, else one in shared memory.
 * It is emptied by a reboot, and a group's seed with it.
 */
#define _GNU_SOURCE
#include "seed_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define GROUP_NAME_MOST 63
/* So often the folder's lock is tried, and so long it is waited between. */
#define LOCK_TIMES 400
#define LOCK_US	   5000

/* Where the file lies, opened, so that nobody can exchange a folder on the way. */
struct place {
	int folder;
	char name[NAME_MAX + 1];
};

bool ksr_seed_group_is_good(const char *group)
{
	size_t length = strspn(group, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-");

	return length > 0 && length <= GROUP_NAME_MOST && group[length] == '\0';
}

bool ksr_parse_duration(const char *text, uint64_t *seconds)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
	uint64_t number;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || number > UINT32_MAX)
		return false;
	*seconds = 0;
	if (number == 0 && *end == '\0')
		return true;
	for (size_t i = 0; i < KSM_COUNT_OF(units); i++) {
		if (end[0] == units[i].unit && end[1] == '\0') {
			*seconds = number * units[i].seconds;
			return true;
		}
	}
	return false;
}

/* --- the place -------------------------------------------------------------------------- */

/* The user's own, and no other user may put files into it; else a negative errno. */
static int open_folder(const char *path, bool create)
{
	struct stat status;
	int folder;

	if (create && mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	if (fstat(folder, &status) || status.st_uid != geteuid() || status.st_mode & 022) {
		close(folder);
		return -EPERM;
	}
	return folder;
}

/* The same places in the same order as the library's for the segment. */
static int open_default_folder(char path[PATH_MAX], char *why, size_t why_bytes)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	unsigned int user = (unsigned int)geteuid();
	int folder;

	if (runtime && runtime[0] == '/' &&
	    snprintf(path, PATH_MAX, "%s/ksmalloc", runtime) < PATH_MAX) {
		folder = open_folder(path, true);
		if (folder >= 0)
			return folder;
	}
	snprintf(path, PATH_MAX, "/run/user/%u/ksmalloc", user);
	folder = open_folder(path, true);
	if (folder >= 0)
		return folder;
	snprintf(path, PATH_MAX, "/dev/shm/ksmalloc-%u", user);
	folder = open_folder(path, true);
	if (folder == -EPERM || folder == -ELOOP || folder == -ENOTDIR)
		snprintf(why, why_bytes,
			 "the folder %s is not this user's alone; have its owner remove it, or set "
			 "XDG_RUNTIME_DIR, or give --seed-file",
			 path);
	else if (folder < 0)
		snprintf(why, why_bytes,
			 "no folder for seeds can be made, %s: %s; set XDG_RUNTIME_DIR, or give "
			 "--seed-file",
			 path, strerror(-folder));
	return folder;
}

static int find_default(struct place *place, struct ksr_seed_file *file, const char *group,
			char *why, size_t why_bytes)
{
	char folder[PATH_MAX];

	place->folder = open_default_folder(folder, why, why_bytes);
	if (place->folder < 0)
		return place->folder;
	snprintf(place->name, sizeof(place->name), KSMALLOC_SEED_PREFIX "%s", group);
	snprintf(file->path, sizeof(file->path), "%.*s/%s",
		 (int)(sizeof(file->path) - sizeof(place->name) - 1), folder, place->name);
	return 0;
}

/* The library opens the file by its path, perhaps after the program went to another folder. */
static int find_given(struct place *place, struct ksr_seed_file *file, const char *path, char *why,
		      size_t why_bytes)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char folder[PATH_MAX];
	char *real;
	int length =
		snprintf(folder, sizeof(folder), "%.*s",
			 slash ? (int)ksm_max((uint64_t)(slash - path), 1) : 1, slash ? path : ".");

	real = length < (int)sizeof(folder) ? realpath(folder, NULL) : NULL;
	place->folder = real ? open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (place->folder < 0 || !name[0] || strlen(name) > NAME_MAX ||
	    strlen(real) + strlen(name) + 2 > sizeof(file->path)) {
		int error = errno ? errno : EINVAL;

		snprintf(why, why_bytes, "the seed file '%s': %s; give the path of a file", path,
			 strerror(error));
		if (place->folder >= 0)
			close(place->folder);
		free(real);
		return -error;
	}
	memcpy(place->name, name, strlen(name) + 1);
	snprintf(file->path, sizeof(file->path), "%s/%s", real[1] ? real : "", name);
	free(real);
	return 0;
}

/* --- reading and making ------------------------------------------------------------------- */

static int read_seed(const struct place *place, struct ksr_seed_file *file, const char **problem)
{
	int fd = openat(place->folder, place->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	ssize_t got;

	*problem = NULL;
	if (fd < 0) {
		if (errno == ELOOP)
			*problem = "is a symbolic link";
		return -errno;
	}
	if (fstat(fd, &status)) {
		close(fd);
		return -EIO;
	}
	got = S_ISREG(status.st_mode) ? pread(fd, &file->seed, sizeof(file->seed), 0) : 0;
	close(fd);
	*problem =
		ksmalloc_seed_problem(&file->seed, got < 0 ? 0 : (size_t)got, &status, geteuid());
	return *problem ? -EINVAL : 0;
}

static int fill_random(void *words, size_t bytes)
{
	char *next = words;

	while (bytes > 0) {
		ssize_t got = getrandom(next, bytes, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -EIO;
		next += got;
		bytes -= (size_t)got;
	}
	return 0;
}

static int write_seed(int fd, struct ksmalloc_seed *seed)
{
	struct timespec now;

	*seed = (struct ksmalloc_seed){
		.magic = KSMALLOC_SEED_MAGIC,
		.version = KSMALLOC_SEED_VERSION,
		.bytes = sizeof(*seed),
	};
	clock_gettime(CLOCK_REALTIME, &now);
	seed->created = (uint64_t)now.tv_sec;
	if (fill_random(seed->words, sizeof(seed->words)))
		return -EIO;
	seed->checksum = ksmalloc_seed_checksum(seed);
	/* A mask of the user's may have taken bits away; others' were never given. */
	if (fchmod(fd, 0600))
		return -errno;
	if (pwrite(fd, seed, sizeof(*seed), 0) != (ssize_t)sizeof(*seed))
		return errno ? -errno : -ENOSPC;
	return 0;
}

/*
 * Makes a seed whole under a name of its own and brings it into place: replace puts it
 * there in any case; else -EEXIST says that somebody was first.
 */
static int make_seed(const struct place *place, struct ksr_seed_file *file, bool replace)
{
	char name[64];
	uint64_t random;
	int error = fill_random(&random, sizeof(random));
	int fd;

	if (error)
		return error;
	snprintf(name, sizeof(name), ".seed-%d-%016llx", (int)getpid(), (unsigned long long)random);
	fd = openat(place->folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	errno = 0;
	error = write_seed(fd, &file->seed);
	close(fd);
	if (!error && replace)
		error = renameat(place->folder, name, place->folder, place->name) ? -errno : 0;
	else if (!error)
		error = linkat(place->folder, name, place->folder, place->name, 0) ? -errno : 0;
	if (error || !replace)
		unlinkat(place->folder, name, 0);
	file->made = !error;
	return error;
}

/* A clock that was set back makes no seed old. */
static bool is_old(const struct ksmalloc_seed *seed, uint64_t age_seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return age_seconds != 0 && (uint64_t)now.tv_sec > seed->created &&
	       (uint64_t)now.tv_sec - seed->created >= age_seconds;
}

static int refuse(const struct ksr_seed_file *file, int error, const char *problem, char *why,
		  size_t why_bytes)
{
	if (problem)
		snprintf(why, why_bytes,
			 "the seed file %s %s; remove it, or replace it by a new one with "
			 "--renew-seed",
			 file->path, problem);
	else if (error == -ENOENT)
		snprintf(why, why_bytes,
			 "the seed file %s does not exist; make it with --renew-seed, or leave "
			 "--seed-file away",
			 file->path);
	else
		snprintf(why, why_bytes,
			 "the seed file %s cannot be read or made: %s; see that its folder is this "
			 "user's and has room",
			 file->path, strerror(-error));
	return error;
}

/* The folder is locked: between looking at the age and replacing nobody else replaces. */
static int get_locked(const struct place *place, struct ksr_seed_file *file,
		      const struct ksr_seed_request *request, const char **problem)
{
	int error;

	*problem = NULL;
	if (request->renew)
		return make_seed(place, file, true);
	error = read_seed(place, file, problem);
	if (error == -ENOENT && !request->path && !request->existing) {
		error = make_seed(place, file, false);
		if (error == -EEXIST)
			error = read_seed(place, file, problem);
	}
	if (!error && !file->made && is_old(&file->seed, request->age_seconds))
		error = make_seed(place, file, true);
	return error;
}

/*
 * Who makes a seed has the lock for a moment. The folder may be one that others can open, or in which a program keeps files of its own,
 * and has locked it for as long as it runs: a file system without locks still has link(2), which lets one of two win, and so there is
 * that then.
 */
static void lock_folder(const struct place *place)
{
	for (int i = 0; i < LOCK_TIMES && flock(place->folder, LOCK_EX | LOCK_NB); i++)
		usleep(LOCK_US);
}

int ksr_seed_get(struct ksr_seed_file *file, const struct ksr_seed_request *request, char *why,
		 size_t why_bytes)
{
	const char *problem = NULL;
	struct place place;
	int error;

	*file = (struct ksr_seed_file){0};
	errno = 0;
	error = request->path ? find_given(&place, file, request->path, why, why_bytes)
			      : find_default(&place, file, request->group, why, why_bytes);
	if (error)
		return error;
	/* One that is there is only read. */
	error = request->renew ? -ENOENT : read_seed(&place, file, &problem);
	if (error ? !problem : is_old(&file->seed, request->age_seconds)) {
		lock_folder(&place);
		error = get_locked(&place, file, request, &problem);
	}
	close(place.folder);
	return error ? refuse(file, error, problem, why, why_bytes) : 0;
}
