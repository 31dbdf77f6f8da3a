/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc keep`: workers of a group are stopped and share, as long as there are some, or once. */
#define _GNU_SOURCE
#include "keeper/keeper.h"

#include <errno.h>
#include <inttypes.h>
#include <ksmalloc/seed.h>
#include <ksmalloc/store.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "commands.h"
#include "seed_file.h"

#define IDLE_SECONDS 15
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define ROUNDS 2 /* in the second one those before share what those after them have published */

struct keep_options {
	const char *seed_file;
	uint64_t idle_seconds;
	uint64_t every_ms;
	bool once;
	bool quiet;
};

static void say(const struct ksr_pass_news *news)
{
	if (news->reason != KSMALLOC_KEEPER_NONE)
		printf("process %d is left alone: %s\n", (int)news->pid, ksr_member_words(news->reason));
	else
		printf("process %d: %" PRIu64 " pages of its own less, %u stops, %.1f ms in all, %.1f ms the longest\n",
		       (int)news->pid, news->gained, news->steps, (double)news->stood_ns / 1e6,
		       (double)news->longest_ns / 1e6);
	fflush(stdout);
}

/* The group's seed and all that follows from it. 0 or an exit code. */
static int prepare(const struct ksr_command *command, const struct keep_options *chosen, const char *group,
		   struct ksr_seed_file *seed, struct ksr_keep *keep)
{
	const struct ksr_seed_request request = {.group = group, .path = chosen->seed_file};
	char why[2 * PATH_MAX];
	int status = ksr_group_check(command, group);

	if (status)
		return status;
	if (ksr_seed_get(seed, &request, why, sizeof(why)))
		return ksr_failure(command, "%s", why);
	*keep = (struct ksr_keep){
		.group = {.name = group, .stores = {ksr_group_store(&seed->seed)}},
		.seed = seed->path,
		.idle_ns = (chosen->idle_seconds ? chosen->idle_seconds : IDLE_SECONDS) * SECOND,
		.every_ns = chosen->every_ms * MS,
		.say = chosen->quiet ? NULL : say,
	};
	if (ksr_post_name(&keep->post, seed->path) ||
	    !ksmalloc_seed_beside(seed->path, KSMALLOC_STORE_TABLE, keep->table, sizeof(keep->table)))
		return ksr_failure(command, "the path of the seed is too long");
	return 0;
}

/* Each worker takes two of them. */
static void raise_limit_of_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int keep_all_the_time(const struct ksr_command *command, struct ksr_keep *keep)
{
	pid_t holder;
	int error = ksr_post_take(&keep->post, &holder);

	if (error == -EAGAIN)
		return ksr_failure(command, "the group '%s' has a keeper, process %d", keep->group.name, (int)holder);
	if (error)
		return ksr_failure(command, "%s: %s", keep->post.path, strerror(-error));
	error = ksr_keep(keep);
	return error ? ksr_failure(command, "%s", strerror(-error)) : ksr_output_end(command, 0);
}

static int keep_main(const struct ksr_command *command, int argc, char **argv)
{
	struct keep_options chosen = {0};
	struct ksr_seed_file seed;
	struct ksr_keep keep;
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, NULL, &chosen, &status);
	int error;

	if (first < 0)
		return status;
	if (first + 1 != argc)
		return first == argc ? ksr_usage_error(command, "the name of a group is missing") :
				       ksr_usage_error(command, "'%s' is one argument too many; it takes one group",
						       argv[first + 1]);
	status = prepare(command, &chosen, argv[first], &seed, &keep);
	if (status)
		return status;
	raise_limit_of_descriptors();
	if (!chosen.once)
		return keep_all_the_time(command, &keep);
	error = ksr_keep_once(&keep, ROUNDS);
	return error ? ksr_failure(command, "%s", strerror(-error)) : ksr_output_end(command, 0);
}

static const struct ksr_option options[] = {
	{"seed-file", "PATH", "The group has this seed.", KSR_OPTION_TEXT, offsetof(struct keep_options, seed_file), 0},
	{"idle", "SECONDS", "End when there was no worker for so long; 15 by default.", KSR_OPTION_NUMBER,
	 offsetof(struct keep_options, idle_seconds), 1000000},
	{"once", NULL, "Make a pass in each worker now, and end.", KSR_OPTION_SWITCH, offsetof(struct keep_options, once),
	 0},
	{"every", "MS", "Stop each worker for a pass each time that so long has gone by, as tests want it.", KSR_OPTION_NUMBER,
	 offsetof(struct keep_options, every_ms), 3600000},
	{"quiet", NULL, "Do not tell of passes.", KSR_OPTION_SWITCH, offsetof(struct keep_options, quiet), 0},
};

const struct ksr_command ksr_command_keep = {
	.name = "keep",
	.arguments = "GROUP",
	.summary = "Have the workers of a group share pages, also those with threads",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.main = keep_main,
};
