/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order: everything that can fail is tried before the environment says that
 * the layout is shared, since a library that finds itself elsewhere than the
 * environment says executes itself once more.
 */
#define _GNU_SOURCE
#include "run/layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "personality.h"

/* personality(2) only answers what the personality is. */
#define ASK_ONLY 0xffffffffu
/* Each of these gives libraries a place that the stack limit does not move. */
#define OTHER_LAYOUTS (ADDR_COMPAT_LAYOUT | ADDR_LIMIT_32BIT | ADDR_LIMIT_3GB)

static const char *const variables[] = {
	"KSMALLOC_LAYOUT",
	"KSMALLOC_SEED",
	"KSMALLOC_STACK_LIMIT",
	"KSMALLOC_LAYOUT_PID",
};

int ksr_layout_find_seed(const struct ksr_command *command, struct ksr_layout *layout)
{
	char why[PATH_MAX + 200] = "out of memory";

	return ksr_seed_get(&layout->file, &layout->request, why, sizeof(why))
		       ? ksr_failure(command, "%s", why)
		       : 0;
}

int ksr_layout_leave(const struct ksr_command *command, const struct ksr_layout *layout)
{
	for (size_t i = 0; i < KSM_COUNT_OF(variables); i++)
		unsetenv(variables[i]);
	if (layout->shares && setenv("KSMALLOC_SEED", layout->file.path, 1))
		return ksr_failure(command, "out of memory");
	return 0;
}

/* --- the limit and the personality ------------------------------------------------------ */

static bool is_legacy_machine(void)
{
	FILE *file = fopen("/proc/sys/vm/legacy_va_layout", "re");
	int value = 0;

	if (!file)
		return false;
	if (fscanf(file, "%d", &value) != 1)
		value = 0;
	fclose(file);
	return value != 0;
}

/* Returns NULL, or why this process cannot give the layout, for a sentence after "runs unshared:".
 */
static const char *refused_limit(const struct rlimit *stack, uint64_t wanted)
{
	struct rlimit space;

	if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
		return "the size of its address space is limited (ulimit -v)";
	/* Memory that one kind of objects has used and freed stays theirs, and counts. */
	if (getrlimit(RLIMIT_DATA, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
		return "the size of its data is limited (ulimit -d)";
	if (stack->rlim_max != RLIM_INFINITY && stack->rlim_max < wanted)
		return "the hard limit of the stack is too low for the group's layout; set it to "
		       "unlimited (ulimit -Hs unlimited, or LimitSTACK=8M:infinity in a unit)";
	if (is_legacy_machine())
		return "vm.legacy_va_layout is set, under which all programs have the same layout";
	return NULL;
}

static const char *refused_personality(int error)
{
	if (error == EPERM || error == ENOSYS || error == EACCES)
		return "personality(ADDR_NO_RANDOMIZE) is forbidden here, as in the default "
		       "seccomp "
		       "profile of docker and podman; start the container with the profile of "
		       "examples/container";
	return "personality(ADDR_NO_RANDOMIZE) failed";
}

static const char *change_process(const struct rlimit *old, uint64_t wanted)
{
	struct rlimit stack = {.rlim_cur = wanted, .rlim_max = old->rlim_max};
	int now = personality(ASK_ONLY);
	int error;

	if (now != -1 && (now & OTHER_LAYOUTS))
		return "its personality (setarch) asks for another layout";
	if (setrlimit(RLIMIT_STACK, &stack))
		return "the limit of the stack cannot be changed";
	error = ksr_personality_fix();
	if (!error)
		return NULL;
	setrlimit(RLIMIT_STACK, old);
	return refused_personality(error);
}

/* --- the environment ---------------------------------------------------------------------- */

/* The library makes the pid 0 after it has been executed for its layout; hence the fixed width. */
static int tell_library(const struct ksr_command *command, const struct ksr_layout *layout,
			rlim_t old_limit, pid_t pid)
{
	char limit[24];
	char number[16];

	snprintf(limit, sizeof(limit), "%" PRIu64,
		 old_limit == RLIM_INFINITY ? UINT64_MAX : (uint64_t)old_limit);
	snprintf(number, sizeof(number), "%010d", (int)pid);
	if (setenv("KSMALLOC_LAYOUT", "shared", 1) ||
	    setenv("KSMALLOC_SEED", layout->file.path, 1) ||
	    setenv("KSMALLOC_STACK_LIMIT", limit, 1) || setenv("KSMALLOC_LAYOUT_PID", number, 1))
		return ksr_failure(command, "out of memory");
	return 0;
}

int ksr_layout_enter(const struct ksr_command *command, struct ksr_layout *layout,
		     const struct ksr_program *program)
{
	struct rlimit stack = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	uint64_t wanted = ksmalloc_seed_stack_limit(&layout->file.seed, (uintptr_t)&stack);
	const char *why;

	getrlimit(RLIMIT_STACK, &stack);
	layout->shared = false;
	why = refused_limit(&stack, wanted);
	if (!why && program->unfit) {
		ksr_failure(command, "%s runs unshared: it %s", program->unfit_path,
			    program->unfit);
		/*
		 * Children that load the library join the group by executing themselves once, unless
		 * the program has rights that its caller has not: it decides itself then.
		 */
		if (!program->raised_rights)
			return tell_library(command, layout, stack.rlim_cur, 0);
		return ksr_layout_leave(command, layout);
	}
	if (!why)
		why = change_process(&stack, wanted);
	if (why) {
		ksr_failure(command, "%s runs unshared: %s",
			    program->path[0] ? program->path : program->words[0], why);
		return ksr_layout_leave(command, layout);
	}
	layout->shared = true;
	return tell_library(command, layout, stack.rlim_cur, getpid());
}

/* --- through the loader ---------------------------------------------------------------------- */

/* The loader checks the program and ends with 0 if it knows the option; 2.33 was the first to. */
static bool knows_argv0(const struct ksr_program *program)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		/* It would say what it thinks of a foreign option. */
		if (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout))
			_exit(1);
		execl(program->loader, program->loader, "--argv0", program->words[0], "--verify",
		      program->path, (char *)NULL);
		_exit(1);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int ksr_layout_insert_loader(const struct ksr_command *command, struct ksr_program *program)
{
	const char *why = NULL;

	if (program->through_env)
		why = "it is started by env with options that are not understood";
	else if (!program->loader[0])
		why = "it names no loader";
	else if (!knows_argv0(program))
		why = "its loader does not know --argv0, which came with glibc 2.33";
	if (why) {
		ksr_failure(command, "%s is not started through its loader: %s", program->path,
			    why);
		return 0;
	}
	/* LOADER --argv0 NAME PROGRAM ARGUMENT...: NAME is there already, PROGRAM comes after it.
	 */
	if (ksr_program_insert(program, 1, program->path) ||
	    ksr_program_insert(program, 0, "--argv0") ||
	    ksr_program_insert(program, 0, program->loader))
		return ksr_failure(command, "out of memory");
	snprintf(program->path, sizeof(program->path), "%s", program->loader);
	program->changed = true;
	return 0;
}

/* --- what is random ------------------------------------------------------------------------------
 */

static void show_seed(const struct ksr_command *command, const struct ksr_layout *layout)
{
	time_t created = (time_t)layout->file.seed.created;
	uint64_t age = layout->request.age_seconds;
	char made[32] = "?";
	char renewed[48] = "never renewed by age";
	struct tm parts;

	if (gmtime_r(&created, &parts))
		strftime(made, sizeof(made), "%Y-%m-%d %H:%M UTC", &parts);
	if (age)
		snprintf(renewed, sizeof(renewed), "renewed after %" PRIu64 "%s",
			 age % 86400 ? age / 3600 : age / 86400, age % 86400 ? " hours" : " days");
	ksr_failure(command, "group %s: seed %s, made %s, %s", layout->request.group,
		    layout->file.path, made, renewed);
}

/* What of the program's addresses anybody may know; begin stands in front of it. */
static void show_known(const struct ksr_command *command, const struct ksr_layout *layout,
		       const struct ksr_program *program, const char *begin)
{
	if (program && !program->movable)
		ksr_failure(command,
			    "%snot random: stack and environment, brk; the program's own image, "
			    "which is linked to a fixed address",
			    begin);
	else if (program && layout->through_loader)
		ksr_failure(command,
			    "%ssecret too, through the loader: the program's own image; not "
			    "random: stack and environment, brk",
			    begin);
	else
		ksr_failure(command,
			    "%snot random: stack and environment, brk; the program's own image "
			    "(--through-loader moves it)",
			    begin);
}

void ksr_layout_show(const struct ksr_command *command, const struct ksr_layout *layout,
		     const struct ksr_program *program)
{
	show_seed(command, layout);
	ksr_failure(command,
		    "secret of the group (24 bits at least each): libraries and vdso; slots, "
		    "heap and anonymous mappings");
	show_known(command, layout, program, "");
}

void ksr_layout_warn(const struct ksr_command *command, const struct ksr_layout *layout,
		     const struct ksr_program *program)
{
	show_known(command, layout, program, "shared layout: ");
}
