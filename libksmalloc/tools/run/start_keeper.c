/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "run/start_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/post.h"

#define WAIT_TIMES 200 /* 5 ms each */

extern char **environ;

/* The library is not for the keeper: it would be a worker itself. */
static void clean_environment(void)
{
	for (size_t i = 0; environ[i];) {
		char name[64];
		size_t length = strcspn(environ[i], "=");

		snprintf(name, sizeof(name), "%.*s", (int)length, environ[i]);
		if (length < sizeof(name) && (strcmp(name, "LD_PRELOAD") == 0 || strncmp(name, "KSMALLOC_", 9) == 0))
			unsetenv(name);
		else
			i++;
	}
}

static void close_all(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int i = 0; null >= 0 && i < 3; i++)
		dup2(null, i);
	if (close_range(3, ~0U, 0))
		for (int i = 3; i < 1024; i++)
			close(i);
}

_Noreturn static void become_keeper(const char *group, const char *path)
{
	char option[PATH_MAX + sizeof("--seed-file=")];
	const char *line[] = {"ksmalloc", "keep", "--quiet", "--", group, NULL, NULL};
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	clean_environment();
	close_all();
	snprintf(option, sizeof(option), "--seed-file=%s", path ? path : "");
	if (path) {
		line[3] = option;
		line[4] = "--";
		line[5] = group;
	}
	if (chdir("/") == 0)
		execv("/proc/self/exe", (char **)(uintptr_t)line);
	_exit(1);
}

/*
 * Whose orphans come to this process (the first one of a container), which is the program soon: it would have a child that it
 * knows nothing of, wait for its end, or think that one of its workers was killed.
 */
static bool gets_orphans(void)
{
	int is_reaper = 0;

	return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &is_reaper) == 0 && is_reaper);
}

/* A child of whose end the kernel sends no signal is none that wait(2) finds. It has to stay what it is: no other program, and no orphan. */
static pid_t fork_unseen(void)
{
	return (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
}

/* Stands between the program and its keeper until that ends. */
_Noreturn static void wait_unseen(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "ksmalloc-wait");
	close_all();
	if (chdir("/"))
		_exit(1);
	/* What the keeper was doing when it was killed comes here, too. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	_exit(0);
}

/* unseen: where its parent must not end. Else it does: nobody has to wait for the keeper. */
_Noreturn static void fork_keeper(const char *group, const char *path, bool unseen)
{
	pid_t keeper;

	setsid();
	keeper = fork();
	if (keeper == 0)
		become_keeper(group, path);
	if (keeper > 0 && unseen)
		wait_unseen();
	_exit(0);
}

/* Workers let the one trace them that they find at their start, where only those may that were let. */
static void wait_for_keeper(const struct ksr_post *post)
{
	char scope = '0';
	int file = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);

	if (file >= 0) {
		if (read(file, &scope, 1) != 1)
			scope = '0';
		close(file);
	}
	for (int i = 0; scope != '0' && i < WAIT_TIMES && ksr_post_ask(post) == 0; i++)
		usleep(5000);
}

static int start(const char *group, const char *seed, bool given)
{
	struct ksr_post post;
	bool unseen = gets_orphans();
	pid_t holder;
	pid_t child;
	int error = ksr_post_name(&post, seed);

	if (error)
		return error;
	holder = ksr_post_ask(&post);
	if (holder)
		return holder < 0 ? holder : 0;
	child = unseen ? fork_unseen() : fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		fork_keeper(group, given ? seed : NULL, unseen);
	while (!unseen && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	wait_for_keeper(&post);
	return 0;
}

void ksr_start_keeper(const struct ksr_command *command, const struct ksr_seed_request *request,
		      const struct ksr_seed_file *seed)
{
	int error = start(request->group, seed->path, request->path);

	if (error)
		ksr_failure(command, "there is no keeper, so that only workers of one thread share: %s", strerror(-error));
}
