/* SPDX-License-Identifier: BSD-2-Clause */
/* deny RULE... -- PROGRAM ARGUMENT...: runs a program whose system calls fail as the rules say. */
#include "seccomp.h"
#include "test.h"

int main(int argc, char **argv)
{
	int at = 1;

	for (; at < argc && strcmp(argv[at], "--") != 0; at++)
		deny_calls(argv[at]);
	CHECK_MSG(at + 1 < argc, "usage: deny RULE... -- PROGRAM ARGUMENT...");
	/* The library is for the program, not for this one, whose calls would be denied too early. */
	if (getenv("DENY_PRELOAD"))
		setenv("LD_PRELOAD", getenv("DENY_PRELOAD"), 1);
	execvp(argv[at + 1], argv + at + 1);
	test_fail(__FILE__, __LINE__, "cannot run %s: %s", argv[at + 1], strerror(errno));
}
