// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whatever programs do to mergeable memory, they read back what they wrote, and when they are
 * gone and everything is unmerged, KSM counts nothing any more.
 *
 *   stress SECONDS [WORKERS [SEED [NAME=VALUE...]]]
 *
 * Runs as root in a guest; it starts workers (stress-worker.c) and changes KSM's settings at random,
 * but for those with a VALUE, which it sets once.
 *
 * A worker is an image of its own, and not only a child. What it shared with its parent, it would have
 * merged: in the parent, too, who asks for no merging, so that nothing unmerges it there. Until the
 * parent writes to it or ends, the kernel refuses all settings that want nothing to be merged.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#define KSM_FOLDER "/sys/kernel/mm/ksm/"
#define WORKER "--worker"	/* END SEED: how it calls itself */

/* ----------------------------------------------------------------- the machine */

static bool set_text(const char *name, const char *text)
{
	char path[128];
	bool done;
	int fd;

	snprintf(path, sizeof(path), KSM_FOLDER "%s", name);
	fd = open(path, O_WRONLY);
	/* A file that is not there, or a value that is refused at this moment, is no mistake. */
	if (fd < 0)
		return false;
	done = write(fd, text, strlen(text)) >= 0;
	if (!done && errno != EBUSY && errno != EINVAL)
		fprintf(stderr, "stress: %s = %s: %s\n", name, text, strerror(errno));
	close(fd);
	return done;
}

static void set(const char *name, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	set_text(name, text);
}

/* What is to stay as it is: NAME=VALUE, up to a NULL. */
static char **fixed;

/* NAME=VALUE, nothing of which is refused before the first page is merged. */
static bool fix_settings(char **settings)
{
	char name[64], *equals;

	for (fixed = settings; *settings; settings++) {
		equals = strchr(*settings, '=');
		if (!equals || (size_t)(equals - *settings) >= sizeof(name))
			return false;
		snprintf(name, sizeof(name), "%.*s", (int)(equals - *settings), *settings);
		if (!set_text(name, equals + 1)) {
			fprintf(stderr, "stress: %s is refused\n", *settings);
			return false;
		}
	}
	return true;
}

static bool is_fixed(const char *name)
{
	size_t length = strlen(name);
	char **setting;

	for (setting = fixed; *setting; setting++)
		if (!strncmp(*setting, name, length) && (*setting)[length] == '=')
			return true;
	return false;
}

static void change(const char *name, unsigned int value)
{
	if (!is_fixed(name))
		set(name, value);
}

static const char *const domains[] = {"system", "system", "user", "cgroup", "process"};

/* These cannot be changed while anything is merged. */
static void change_index(void)
{
	set("run", 2);
	if (!is_fixed("stable_index"))
		set_text("stable_index", chance(2) ? "hash" : "rbtree");
	change("hash_words", chance(2) ? 512 : 1 + chance(64));
	if (chance(2) && !is_fixed("hash_words"))
		set_text("hash_words", "auto");
	if (!is_fixed("merge_domain"))
		set_text("merge_domain", domains[chance(sizeof(domains) / sizeof(*domains))]);
}

static long get(const char *name)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), KSM_FOLDER "%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	if (fd >= 0)
		close(fd);
	return strtol(text, NULL, 10);
}

static void change_settings(void)
{
	switch (chance(18)) {
	case 0:
		set("run", 2);
		break;
	case 1:
		set("run", 0);
		break;
	case 2:
		change("use_zero_pages", chance(2));
		break;
	case 3:
		change("smart_scan", chance(2));
		break;
	case 4:
		change("max_page_sharing", 2 + chance(8));
		break;
	case 5:
		change("merge_across_nodes", chance(2));
		break;
	case 6:
		change("hints", chance(4) != 0);
		break;
	case 7:
		change("hint_share", chance(101));
		break;
	case 8:
		change("zero_first", chance(2));
		break;
	case 9:
		change("peers", chance(4) != 0);
		change("provenance", chance(4) != 0);
		break;
	case 10:
		change("probation_scans", chance(4) ? chance(4) : chance(16));
		break;
	case 11:
		change_index();
		break;
	case 12:
		change("ladder", chance(4) != 0);
		break;
	case 13:
		change("worklists", chance(4) != 0);
		break;
	default:
		change("pages_to_scan", 100 + chance(20000));
		change("sleep_millisecs", chance(10));
		break;
	}
	if (chance(3))
		set("run", 1);
}

static const char * const counters[] = { "pages_shared", "pages_sharing", "pages_unshared", "pages_volatile",
					 "ksm_zero_pages", "stable_node_dups", "stable_node_chains",
					 "list_new", "list_rescan", "list_del" };

static int count_left(void)
{
	int left = 0;
	size_t i;

	for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		left += get(counters[i]) != 0;
	return left;
}

/*
 * Is no merged page mapped any more? One that is mapped where nobody has asked for merging is in none of the
 * counters. The kernel does not take another max_page_sharing before it is gone.
 */
static bool none_mapped(void)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", get("max_page_sharing") + 1);
	return set_text("max_page_sharing", text);
}

/*
 * Nobody is left who has mergeable memory: two scans forget the rest, run=2 unmerges it. What a process that
 * has just ended still maps stays, so both are done again until nothing is left, for a while.
 */
static int check_counters(void)
{
	int left, tries;
	size_t i;

	set("sleep_millisecs", 1);
	set("pages_to_scan", 20000);
	for (tries = 0; tries < 100; tries++) {
		set("run", 1);
		usleep(100000);
		if (get("pages_shared") || get("pages_unshared"))
			continue;
		set("run", 2);
		if (!count_left() && none_mapped())
			break;
	}
	set("run", 2);
	set("run", 0);
	left = count_left();
	if (!none_mapped()) {
		fprintf(stderr, "stress: a merged page is still mapped after everything has ended\n");
		left++;
	}
	for (i = 0; left && i < sizeof(counters) / sizeof(counters[0]); i++) {
		if (get(counters[i]))
			fprintf(stderr, "stress: %s is %ld after everything has ended\n", counters[i],
				get(counters[i]));
	}
	return left > 0;
}

/* A worker that works until this time, and begins its random numbers here. */
static void start_worker(time_t end, uint64_t seed)
{
	char until[24], begin[24];

	snprintf(until, sizeof(until), "%lld", (long long)end);
	snprintf(begin, sizeof(begin), "%llu", (unsigned long long)seed);
	if (fork())
		return;
	execl("/proc/self/exe", "stress", WORKER, until, begin, NULL);
	die("exec: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 0, workers = argc > 2 ? atoi(argv[2]) : 4, i, status, bad = 0;
	uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 0) : (uint64_t)time(NULL);
	time_t end = time(NULL) + seconds;
	unsigned long most = 0;

	if (argc == 4 && !strcmp(argv[1], WORKER)) {
		chance_begin(strtoull(argv[3], NULL, 10));
		work(strtoll(argv[2], NULL, 10));
	}
	if (seconds < 1 || workers < 1) {
		fprintf(stderr, "usage: stress SECONDS [WORKERS [SEED [NAME=VALUE...]]]\n");
		return 2;
	}
	if (access(KSM_FOLDER "run", W_OK)) {
		fprintf(stderr, "stress: %s: %s\n", KSM_FOLDER "run", strerror(errno));
		return 77;
	}
	if (!fix_settings(argv + (argc > 4 ? 4 : argc)))
		return 2;
	printf("stress: %d workers, %d seconds, seed %llu\n", workers, seconds, (unsigned long long)seed);
	fflush(stdout);
	for (i = 0; i < workers; i++)
		start_worker(end, seed + i * 0x9e3779b97f4a7c15ULL);
	chance_begin(~seed);
	while (time(NULL) < end) {
		unsigned long sharing = get("pages_sharing");

		most = sharing > most ? sharing : most;
		change_settings();
		usleep(50000);
	}
	while (wait(&status) > 0)
		bad |= !WIFEXITED(status) || WEXITSTATUS(status);
	if (bad)
		fprintf(stderr, "stress: a worker failed\n");
	if (!most) {
		fprintf(stderr, "stress: nothing was ever merged, so that nothing was tested\n");
		bad = 1;
	}
	printf("stress: at most %lu pages were sharing\n", most);
	return bad | check_counters();
}
