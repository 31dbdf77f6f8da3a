/* SPDX-License-Identifier: BSD-2-Clause */
#include "personality.h"

#include <errno.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASK_ONLY 0xffffffffu

int ksr_personality_fix(void)
{
	int now = personality(ASK_ONLY);

	if (now == -1)
		return errno;
	return personality((unsigned long)now | ADDR_NO_RANDOMIZE) == -1 ? errno : 0;
}

int ksr_personality_try(void)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return errno;
	if (child == 0)
		_exit(ksr_personality_fix());
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	/* A filter may end the process that calls it. */
	return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}
