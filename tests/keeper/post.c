/* SPDX-License-Identifier: BSD-2-Clause */
/* A group has one keeper at most, and never none after somebody has asked for one. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/post.h"
#include "test.h"

static char folder[] = "/tmp/keeper-post.XXXXXX";
static struct ksr_post post;

static void name_it(void)
{
	char seed[128];

	snprintf(seed, sizeof(seed), "%s/seed.group", folder);
	CHECK(ksr_post_name(&post, seed) == 0);
	snprintf(seed, sizeof(seed), "%s/keeper.seed.group", folder);
	CHECK(strcmp(post.path, seed) == 0);
}

/* Another process that has the post until it is killed. */
static pid_t hold(void)
{
	int ends[2];
	char byte;
	pid_t child;

	CHECK(pipe(ends) == 0);
	child = fork();
	if (child == 0) {
		pid_t holder;

		CHECK(ksr_post_take(&post, &holder) == 0);
		CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && write(ends[1], "x", 1) == 1);
		for (;;)
			pause();
	}
	close(ends[1]);
	CHECK(child > 0 && read(ends[0], &byte, 1) == 1);
	close(ends[0]);
	return child;
}

static void check_one(void)
{
	pid_t child = hold();
	pid_t holder;

	CHECK(ksr_post_take(&post, &holder) == -EAGAIN && holder == child);
	CHECK(ksr_post_ask(&post) == child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(ksr_post_ask(&post) == 0);
	CHECK(ksr_post_take(&post, &holder) == 0 && post.file >= 0);
	CHECK(ksr_post_leave(&post) && post.file < 0);
}

/* Who was asked meanwhile stays. */
static void check_asked(void)
{
	pid_t child, holder;
	int status;

	CHECK(ksr_post_take(&post, &holder) == 0);
	child = fork();
	if (child == 0)
		_exit(ksr_post_ask(&post) != getppid());
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(!ksr_post_leave(&post) && post.file >= 0);
	CHECK(ksr_post_leave(&post));
}

/* A file that somebody has removed is made again, unless another keeper has done so. */
static void check_removed(void)
{
	pid_t child, holder;
	int status;

	CHECK(ksr_post_take(&post, &holder) == 0 && ksr_post_hold(&post) == 0);
	CHECK(unlink(post.path) == 0 && ksr_post_hold(&post) == 0);
	child = fork();
	if (child == 0)
		_exit(ksr_post_ask(&post) != getppid());
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(unlink(post.path) == 0);
	child = hold();
	CHECK(ksr_post_hold(&post) == -EAGAIN);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(ksr_post_hold(&post) == 0 && ksr_post_leave(&post));
}

/* 0 if the first process of a container finds no keeper, and may be one; 2 where there can be no container. */
static int take_in_container(void)
{
	int status;
	pid_t inside, holder;

	if (unshare(CLONE_NEWPID))
		return 2;
	inside = fork();
	if (inside == 0) {
		name_it();
		_exit(ksr_post_ask(&post) != 0 || ksr_post_take(&post, &holder) != 0);
	}
	return waitpid(inside, &status, 0) != inside || status != 0;
}

/* Containers may have the folder in common, and a keeper sees the processes of its own alone. */
static void check_containers(void)
{
	pid_t child = hold(), container;
	int status;

	container = fork();
	if (container == 0)
		_exit(take_in_container());
	CHECK(waitpid(container, &status, 0) == container && WIFEXITED(status) && WEXITSTATUS(status) != 1);
	if (WEXITSTATUS(status) == 2)
		fprintf(stderr, "no namespace of pids may be made here, that part was left out\n");
	CHECK(ksr_post_ask(&post) == child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void check_strangers(void)
{
	pid_t holder;

	CHECK(chmod(post.path, 0666) == 0);
	CHECK(ksr_post_take(&post, &holder) == -EPERM && ksr_post_ask(&post) == -EPERM);
	CHECK(unlink(post.path) == 0 && symlink("/dev/null", post.path) == 0);
	CHECK(ksr_post_take(&post, &holder) < 0 && ksr_post_ask(&post) < 0);
	CHECK(unlink(post.path) == 0);
}

int main(void)
{
	CHECK(mkdtemp(folder));
	name_it();
	check_one();
	check_asked();
	check_removed();
	check_containers();
	check_strangers();
	CHECK(rmdir(folder) == 0);
	return 0;
}
