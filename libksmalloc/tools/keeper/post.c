/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "keeper/post.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ksmalloc/keeper.h"
#include "ksmalloc/seed.h"

int ksr_post_name(struct ksr_post *post, const char *seed)
{
	struct stat space;

	*post = (struct ksr_post){.file = -1};
	if (stat("/proc/self/ns/pid", &space) == 0)
		post->space = (off_t)space.st_ino;
	return ksmalloc_seed_beside(seed, KSMALLOC_KEEPER_PREFIX, post->path, sizeof(post->path)) ? 0 : -ENAMETOOLONG;
}

static int open_file(const struct ksr_post *post)
{
	int file = open(post->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat status;

	if (file < 0)
		return -errno;
	if (!fstat(file, &status) && S_ISREG(status.st_mode) && status.st_uid == geteuid() && !(status.st_mode & 077))
		return file;
	close(file);
	return -EPERM;
}

static struct flock lock_of(const struct ksr_post *post, short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = post->space, .l_len = 1};
}

static int lock(const struct ksr_post *post, int file)
{
	struct flock lock = lock_of(post, F_WRLCK);

	return fcntl(file, F_SETLK, &lock) ? -errno : 0;
}

/* 0 if nobody has it. */
static pid_t holder_of(const struct ksr_post *post, int file)
{
	struct flock lock = lock_of(post, F_WRLCK);

	if (fcntl(file, F_GETLK, &lock))
		return -errno;
	return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

static struct timespec time_of(int file)
{
	struct stat status;

	return fstat(file, &status) ? (struct timespec){0} : status.st_mtim;
}

int ksr_post_take(struct ksr_post *post, pid_t *holder)
{
	int file = open_file(post);
	int error = file < 0 ? file : lock(post, file);

	*holder = 0;
	if (error == -EACCES)
		error = -EAGAIN;
	if (error == -EAGAIN)
		*holder = holder_of(post, file);
	if (error) {
		if (file >= 0)
			close(file);
		return error;
	}
	post->file = file;
	post->asked = time_of(file);
	return 0;
}

int ksr_post_hold(struct ksr_post *post)
{
	struct ksr_post anew = *post;
	struct stat ours, there;
	pid_t holder;
	int error;

	if (!fstat(post->file, &ours) && !lstat(post->path, &there) && ours.st_dev == there.st_dev &&
	    ours.st_ino == there.st_ino)
		return 0;
	error = ksr_post_take(&anew, &holder);
	/* Without its folder nobody can ask for a keeper either. */
	if (error)
		return error == -EAGAIN ? error : 0;
	close(post->file);
	*post = anew;
	return 0;
}

bool ksr_post_leave(struct ksr_post *post)
{
	struct flock unlock = lock_of(post, F_UNLCK);
	struct timespec asked;

	fcntl(post->file, F_SETLK, &unlock);
	asked = time_of(post->file);
	if ((asked.tv_sec != post->asked.tv_sec || asked.tv_nsec != post->asked.tv_nsec) && lock(post, post->file) == 0) {
		post->asked = asked;
		return false;
	}
	close(post->file);
	post->file = -1;
	return true;
}

pid_t ksr_post_ask(const struct ksr_post *post)
{
	int file = open_file(post);
	struct timespec now[2];
	pid_t holder;

	if (file < 0)
		return file;
	/* By itself the kernel writes the time of its last tick, which may be that of the last time. */
	clock_gettime(CLOCK_REALTIME, &now[0]);
	now[1] = now[0];
	futimens(file, now);
	holder = holder_of(post, file);
	close(file);
	return holder;
}
