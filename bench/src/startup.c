/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * startup ROUNDS PRELOAD... -- PROGRAM ARGUMENTS...: the time from exec to exit.
 *
 * Runs the program ROUNDS times with each preloaded library in turn; PRELOAD
 * "-" stands for none. Prints one line of ROUNDS microsecond values per preload,
 * in the order of the arguments.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_PRELOADS 16

static double run_once(char **arguments, char **environment)
{
	uint64_t begin = bench_now_ns();
	pid_t pid;
	int status;

	if (posix_spawnp(&pid, arguments[0], NULL, NULL, arguments, environment)) {
		fprintf(stderr, "startup: cannot run %s\n", arguments[0]);
		exit(1);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "startup: %s failed, status %d\n", arguments[0], status);
		exit(1);
	}
	return (double)(bench_now_ns() - begin) / 1e3;
}

/* The caller's environment, and LD_PRELOAD as wanted in front of it. */
static char **make_environment(const char *preload)
{
	size_t count = 0;
	char **result;

	while (environ[count])
		count++;
	result = bench_alloc((count + 2) * sizeof(*result));
	memcpy(result + 1, environ, (count + 1) * sizeof(*result));
	if (!strcmp(preload, "-"))
		return result + 1;
	if (asprintf(&result[0], "LD_PRELOAD=%s", preload) < 0)
		exit(1);
	return result;
}

int main(int argc, char **argv)
{
	unsigned long rounds = bench_argument(argc, argv, 1, 0);
	char **environments[MAX_PRELOADS];
	int preloads = 0;
	double *times;

	while (2 + preloads < argc && strcmp(argv[2 + preloads], "--"))
		preloads++;
	if (!rounds || !preloads || preloads > MAX_PRELOADS || 3 + preloads >= argc) {
		fprintf(stderr, "usage: startup ROUNDS PRELOAD... -- PROGRAM ARGUMENTS...\n");
		return 2;
	}
	unsetenv("LD_PRELOAD");
	for (int i = 0; i < preloads; i++)
		environments[i] = make_environment(argv[2 + i]);
	times = bench_alloc(rounds * (size_t)preloads * sizeof(*times));
	for (unsigned long round = 0; round < rounds; round++) {
		for (int i = 0; i < preloads; i++)
			times[(size_t)i * rounds + round] =
				run_once(argv + 3 + preloads, environments[i]);
	}
	for (int i = 0; i < preloads; i++) {
		for (unsigned long round = 0; round < rounds; round++)
			printf("%.1f ", times[(size_t)i * rounds + round]);
		putchar('\n');
	}
	return 0;
}
