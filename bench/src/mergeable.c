/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mergeable PROGRAM ARGUMENTS...: runs a program whose whole memory KSM may merge.
 *
 * prctl(PR_SET_MEMORY_MERGE) survives exec and needs no privilege. It is what
 * one does without ksmalloc, and therefore what the merge benchmark compares with.
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: mergeable PROGRAM ARGUMENTS...\n");
		return 2;
	}
	if (prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0)) {
		perror("mergeable: prctl(PR_SET_MEMORY_MERGE)");
		return 1;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
