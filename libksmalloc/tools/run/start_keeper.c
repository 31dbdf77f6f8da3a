/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "run/start_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	sigset_t none;

	setsid();
	/* Its parent ends: nobody has to wait for the keeper. */
	if (fork() != 0)
		_exit(0);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	clean_environment();
	close_all();
	snprintf(option, sizeof(option), "--seed-file=%s", path ? path : "");
	if (chdir("/") == 0)
		execl("/proc/self/exe", "ksmalloc", "keep", "--quiet", path ? option : "--", group, NULL);
	_exit(1);
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
	pid_t holder;
	pid_t child;
	int error = ksr_post_name(&post, seed);

	if (error)
		return error;
	holder = ksr_post_ask(&post);
	if (holder)
		return holder < 0 ? holder : 0;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		become_keeper(group, given ? seed : NULL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
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
