/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `ksmalloc sidecar`: what runs beside the workers in a pod, an exporter and a keeper, each a process of its own that is started
 * again when it ends. The workers need neither: they go on when all of it is killed.
 */
#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "beside.h"
#include "keeper/post.h"
#include "read/clock.h"
#include "seed_file.h"
#include "sidecar/fill.h"
#include "sidecar/member.h"
#include "sidecar/secret.h"

#define DEFAULT_LISTEN	"0.0.0.0:9838"
#define EXPORTER	"ksmalloc-exporter"
#define POST_IS_TAKEN	100 /* as the exit code of a child: the workers have a keeper already */
#define MAY_NOT		101 /* the same: the workers have rights that the sidecar has not */
#define NOT_THAT_USER	102 /* the same, of either child: it cannot become the user whose the workers are */
#define FAILURES_MOST	5
#define SECONDS_BETWEEN 2
#define IDLE_FOREVER	"--idle=1000000"

struct sidecar_options {
	const char *group;
	const char *listen;
	const char *interval;
	const char *token_file;
	const char *fill;
	const char *only;
	bool end_with_group;
	bool no_keeper;
	bool no_exporter;
	bool strict;
};

#define AT(member) offsetof(struct sidecar_options, member)

static const struct ksr_option options[] = {
	{"group", "NAME", "The group whose workers are in this pod.", KSR_OPTION_TEXT, AT(group), 0},
	{"listen", "ADDRESS", "Where the exporter listens (default " DEFAULT_LISTEN ").", KSR_OPTION_TEXT, AT(listen), 0},
	{"interval", "SECONDS", "How often the exporter measures.", KSR_OPTION_TEXT, AT(interval), 0},
	{"token-file", "FILE", "The exporter answers only who sends the token in this file.", KSR_OPTION_TEXT, AT(token_file), 0},
	{"no-exporter", NULL, "Only keep the group's store.", KSR_OPTION_SWITCH, AT(no_exporter), 0},
	{"no-keeper", NULL, "Only export.", KSR_OPTION_SWITCH, AT(no_keeper), 0},
	{"end-with-group", NULL, "End when the other processes of the pod have ended, as a job's sidecar has to.", KSR_OPTION_SWITCH,
	 AT(end_with_group), 0},
	{"fill", "FOLDER", "Copy the library and what belongs to it into a volume, and end.", KSR_OPTION_TEXT, AT(fill), 0},
	{"only", "FILE", "With --fill, copy this file alone.", KSR_OPTION_TEXT, AT(only), 0},
	{"strict", NULL, "With --fill, fail where there is no room; else programs run without the library.", KSR_OPTION_SWITCH,
	 AT(strict), 0},
};

struct crew_member {
	pid_t pid; /* 0: does not run */
	uint64_t next;
	unsigned int failures; /* in a row, each soon after its start */
	uint64_t started;
};

struct crew {
	const struct ksr_command *command;
	const struct sidecar_options *chosen;
	struct crew_member exporter;
	struct crew_member keeper;
	struct ksr_pod_user user;
	bool has_user;
	bool had_others;
	bool said_rights;
	bool is_stuck; /* it cannot become this user, which was said: nothing is started as another one */
	uid_t foreign; /* said already */
	struct stat token; /* of the file whose token the exporter has */
	bool said_token;
	sigset_t before;
	pid_t self;
};

/* --- what the processes become ------------------------------------------------------- */

/* The rights of the workers: no more are needed to read them and to stop them. */
static bool become(const struct crew *crew)
{
	if (!crew->has_user || crew->user.user == geteuid())
		return true;
	/* Not allowed in a namespace with one user only, where there are none. */
	(void)setgroups(0, NULL);
	return !setgid(crew->user.group) && !setuid(crew->user.user);
}

/* After the change of user, which would clear what is asked for here. */
static void prepare(const struct crew *crew)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != crew->self)
		_exit(0);
	sigprocmask(SIG_SETMASK, &crew->before, NULL);
}

_Noreturn static void run_exporter(const struct crew *crew)
{
	const struct sidecar_options *chosen = crew->chosen;
	const char *listen = chosen->listen ? chosen->listen : DEFAULT_LISTEN;
	const char *line[8] = {EXPORTER, "--listen", listen};
	int token = 0;
	char path[KSR_SECRET_PATH];
	char why[KSR_SECRET_WHY];
	size_t used = 3;

	if (chosen->token_file)
		token = ksr_secret_open(chosen->token_file, why);
	if (!become(crew))
		_exit(NOT_THAT_USER);
	prepare(crew);
	if (chosen->interval) {
		line[used++] = "--interval";
		line[used++] = chosen->interval;
	}
	if (chosen->token_file) {
		/* Without its token it answers nobody. Somebody may still mend the file: that is no reason to end. */
		if (token < 0 || ksr_secret_hand_on(token, path, why)) {
			ksr_failure(crew->command, "--token-file '%s': %s", chosen->token_file, why);
			_exit(MAY_NOT);
		}
		line[used++] = "--token-file";
		line[used++] = path;
	}
	_exit(ksr_beside_execute(crew->command, EXPORTER, (char **)(uintptr_t)line));
}

/* Where the workers have a keeper of their own it is left to them, without a word. */
_Noreturn static void run_keeper(const struct crew *crew)
{
	const struct ksr_seed_request request = {.group = crew->chosen->group, .existing = true};
	struct ksr_seed_file seed;
	struct ksr_post post;
	char why[2 * PATH_MAX];

	if (!become(crew))
		_exit(NOT_THAT_USER);
	if (!ksr_pod_may_trace())
		_exit(MAY_NOT);
	if (ksr_seed_get(&seed, &request, why, sizeof(why)) || ksr_post_name(&post, seed.path) || ksr_post_ask(&post) > 0)
		_exit(POST_IS_TAKEN);
	prepare(crew);
	execl("/proc/self/exe", "ksmalloc", "keep", "--quiet", IDLE_FOREVER, "--", crew->chosen->group, NULL);
	_exit(KSR_EXIT_FAILED);
}

static void start(struct crew *crew, struct crew_member *member, void (*run)(const struct crew *crew))
{
	pid_t pid;

	if (member->pid || ksr_clock_seconds() < member->next)
		return;
	member->started = ksr_clock_seconds();
	pid = fork();
	if (pid == 0) {
		unsetenv("XDG_RUNTIME_DIR");
		run(crew);
	}
	member->pid = pid > 0 ? pid : 0;
}

/* --- the loop -------------------------------------------------------------------------- */

static void end(struct crew_member *member)
{
	if (!member->pid)
		return;
	kill(member->pid, SIGTERM);
	waitpid(member->pid, NULL, 0);
	member->pid = 0;
}

/* One that has ended is started again a while later; longer each time that it did not get far. */
static void note_end(struct crew_member *member, int status)
{
	bool soon = ksr_clock_seconds() - member->started < 10;

	member->pid = 0;
	member->failures = soon && !(WIFEXITED(status) && WEXITSTATUS(status) >= POST_IS_TAKEN && WEXITSTATUS(status) <= NOT_THAT_USER) ?
				   member->failures + 1 : 0;
	member->next = ksr_clock_seconds() + SECONDS_BETWEEN * (1 + member->failures);
}

/* A keeper that may not stop the workers would be in the way of one of their own. */
static void note_keeper(struct crew *crew, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == MAY_NOT && !crew->said_rights) {
		crew->said_rights = true;
		ksr_failure(crew->command, "the workers have capabilities that this container has not, so that it can neither read nor "
			    "keep them; give it theirs");
	}
	note_end(&crew->keeper, status);
}

/* As who it is it would read nobody: then it is better to have no metrics than those of nothing. The workers run on. */
static void note_user(struct crew *crew, int status)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status) != NOT_THAT_USER || crew->is_stuck)
		return;
	crew->is_stuck = true;
	ksr_failure(crew->command, "cannot become user %u, whose the workers are, so that there is neither an exporter nor a keeper; start the "
		    "sidecar as that user, or as root with the capabilities SETUID and SETGID", (unsigned int)crew->user.user);
}

static void reap(struct crew *crew)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		note_user(crew, status);
		if (pid == crew->exporter.pid)
			note_end(&crew->exporter, status);
		else if (pid == crew->keeper.pid)
			note_keeper(crew, status);
	}
}

static void find_user(struct crew *crew)
{
	struct ksr_pod_user user;
	uid_t foreign = 0;

	if (ksr_pod_find_user(crew->chosen->group, &user, &foreign) && (!crew->has_user || crew->user.user != user.user)) {
		crew->user = user;
		crew->has_user = true;
		crew->is_stuck = false;
		/* Both become this user. */
		if (user.user != geteuid()) {
			end(&crew->exporter);
			crew->exporter.next = 0;
		}
		end(&crew->keeper);
	}
	if (foreign && foreign != crew->foreign) {
		crew->foreign = foreign;
		ksr_failure(crew->command, "/dev/shm/ksmalloc-%u is not that user's alone, and left alone", (unsigned int)foreign);
	}
}

/* Whether the exporter may run: its token is there. One that has changed takes the place of the former. */
static bool has_token(struct crew *crew)
{
	const char *path = crew->chosen->token_file;
	int changed = path ? ksr_secret_changed(path, &crew->token) : 0;

	if (changed) {
		end(&crew->exporter);
		crew->exporter.next = 0;
	}
	if (changed < 0 && !crew->said_token)
		ksr_failure(crew->command, "there is no exporter before its token is there: %s: %s", path, strerror(-changed));
	crew->said_token = changed < 0;
	return changed >= 0;
}

/* Whether there is nobody left to wait for. */
static bool is_over(struct crew *crew)
{
	bool others = crew->chosen->end_with_group && ksr_pod_has_others();
	bool over = crew->had_others && !others;

	crew->had_others = crew->had_others || others;
	return over;
}

static int watch(struct crew *crew)
{
	const struct timespec second = {.tv_sec = 1};
	sigset_t waited;
	int signal = 0;

	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGCHLD);
	sigprocmask(SIG_BLOCK, &waited, &crew->before);
	while (signal != SIGTERM && signal != SIGINT && !is_over(crew)) {
		reap(crew);
		find_user(crew);
		if (crew->exporter.failures > FAILURES_MOST)
			break;
		if (!crew->is_stuck && !crew->chosen->no_exporter && has_token(crew))
			start(crew, &crew->exporter, run_exporter);
		if (!crew->is_stuck && crew->has_user && !crew->chosen->no_keeper)
			start(crew, &crew->keeper, run_keeper);
		signal = sigtimedwait(&waited, NULL, &second);
	}
	end(&crew->keeper);
	end(&crew->exporter);
	return crew->exporter.failures > FAILURES_MOST ? ksr_failure(crew->command, "the exporter does not start; that is over") : 0;
}

/* --- the command ------------------------------------------------------------------------- */

/* A program without the library is better than none: so a volume without room is no failure unless that is asked for. */
static int fill(const struct ksr_command *command, const struct sidecar_options *chosen)
{
	char why[KSR_FILL_WHY];

	if (!ksr_fill(chosen->fill, chosen->only, why))
		return ksr_output_end(command, 0);
	if (chosen->only)
		return ksr_failure(command, "nothing was copied to %s: %s", chosen->fill, why);
	ksr_failure(command, "the volume %s was not filled: %s; programs run without libksmalloc", chosen->fill, why);
	return chosen->strict ? KSR_EXIT_FAILED : 0;
}

static int sidecar_main(const struct ksr_command *command, int argc, char **argv)
{
	struct sidecar_options chosen = {0};
	struct crew crew = {.command = command, .chosen = &chosen, .self = getpid()};
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, NULL, &chosen, &status);

	if (first < 0)
		return status;
	if (first < argc)
		return ksr_usage_error(command, "'%s' is one argument too many; the group is named by --group", argv[first]);
	if (chosen.only && !chosen.fill)
		return ksr_usage_error(command, "--only is for --fill=FOLDER");
	if (chosen.fill)
		return fill(command, &chosen);
	if (!chosen.group)
		return ksr_usage_error(command, "--group=NAME is missing, the group whose workers are here");
	status = ksr_group_check(command, chosen.group);
	if (status)
		return status;
	if (getpid() == 1)
		ksr_failure(command, "this container shares no processes with others (shareProcessNamespace, --pid): it sees no workers");
	/* What is in it is told from the workers' processes by that. */
	setpgid(0, 0);
	return watch(&crew);
}

const struct ksr_command ksr_command_sidecar = {
	.name = "sidecar",
	.arguments = "",
	.summary = "Export and keep the workers of a pod, from a container beside them",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.main = sidecar_main,
};
