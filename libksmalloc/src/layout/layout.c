/* SPDX-License-Identifier: BSD-2-Clause */
#include "layout/layout.h"

#include "system/option.h"
#include "os/os.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ksm_layout_shared;

static struct {
	struct ksmalloc_seed seed;
	bool has_seed;
	bool wanted;	/* the seed was read and the process has not its layout */
	int error;	/* -errno */
} layout;

/* What the launcher and a second execution hand over; the values have a fixed length. */
#define PID_NAME   "KSMALLOC_LAYOUT_PID"
#define LIMIT_NAME "KSMALLOC_STACK_LIMIT"
#define LIMIT_VALUE_BYTES 24

static int read_seed(void)
{
	struct stat status;
	ssize_t length = ksm_os_read_owned(ksm_options.seed, &layout.seed, sizeof(layout.seed),
					   &status);

	if (length < 0)
		return (int)length;
	layout.has_seed = !ksmalloc_seed_problem(&layout.seed, (size_t)length, &status, ksm_os_user());
	return layout.has_seed ? 0 : -EINVAL;
}

static uint64_t wanted_limit(void)
{
	return ksmalloc_seed_stack_limit(&layout.seed, (uintptr_t)__builtin_frame_address(0));
}

/*
 * glibc has taken the size of new threads' stacks from the limit at its start; the rule is
 * the one of its __pthread_initialize_minimal_internal() (nptl/nptl-stack and pthread_getattr_default_np(3)).
 */
static void restore_thread_stacks(uint64_t limit)
{
	const size_t usual = 2 * KSM_MIB; /* glibc's size where there is no limit */
	pthread_attr_t attributes;
	size_t size = limit == UINT64_MAX ? usual : (size_t)ksm_align_up(limit, KSM_PAGE);

	if (pthread_getattr_default_np(&attributes) != 0)
		return;
	if (pthread_attr_setstacksize(&attributes, ksm_max(size, (size_t)PTHREAD_STACK_MIN)) == 0)
		pthread_setattr_default_np(&attributes);
	pthread_attr_destroy(&attributes);
}

static bool is_variable(const char *entry, const char *name)
{
	size_t length = strlen(name);

	return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

/*
 * This execution has done its work: what this process executes next, as shells and shims do,
 * has to be executed again in its turn. Written in place, so that no address changes.
 */
static void forget_execution(char *const *environment)
{
	for (; *environment; environment++) {
		if (is_variable(*environment, PID_NAME))
			memset(*environment + sizeof(PID_NAME), '0',
			       strlen(*environment) - sizeof(PID_NAME));
	}
}

/* Puts back what only the exec needed. */
static void restore(char *const *environment)
{
	uint64_t limit = ksm_options.stack_limit ? ksm_options.stack_limit : 8 * KSM_MIB;

	ksm_os_set_stack_limit(limit);
	ksm_os_randomise(true);
	restore_thread_stacks(limit);
	forget_execution(environment);
}

void ksm_layout_init(char *const *environment)
{
	bool executed, randomised;
	uint64_t limit;

	if (ksm_options.layout != KSM_LAYOUT_SHARED) {
		if (ksm_options.share && ksm_options.seed[0])
			read_seed();
		return;
	}
	executed = ksm_options.layout_pid == (uint64_t)ksm_os_pid();
	randomised = ksm_os_is_randomised();
	layout.error = read_seed();
	if (!layout.error)
		layout.error = ksm_os_stack_limit(&limit);
	ksm_layout_shared = !layout.error && !randomised && limit == wanted_limit();
	/*
	 * Also where the execution was in vain: the seed may have been renewed since the launcher
	 * read it, and the kernel keeps its own layout for a program with raised rights.
	 */
	if (executed || ksm_layout_shared)
		restore(environment);
	if (layout.error || ksm_layout_shared)
		return;
	/*
	 * Programs that want no randomisation say so and execute themselves, some until they
	 * have their way: they keep it, and no layout. What a loader or Valgrind was given as its
	 * argument cannot execute itself: this process's file and words are theirs.
	 */
	layout.wanted = randomised && !executed && !ksm_os_is_loaders_argument() &&
			!ksm_os_is_under_valgrind();
	layout.error = layout.wanted ? -EAGAIN : -EBUSY;
	/* The launcher, too, leaves such programs as they are: here freed memory of one kind serves no other. */
	if (layout.wanted && ksm_os_memory_is_limited()) {
		layout.wanted = false;
		layout.error = -ENOMEM;
	}
}

/* The environment with the two variables set anew; room is for all of environment and 3 more. */
static void copy_environment(char *const *environment, char *pid, char *limit, const char **room)
{
	size_t count = 0;

	for (; *environment; environment++) {
		if (!is_variable(*environment, PID_NAME) && !is_variable(*environment, LIMIT_NAME))
			room[count++] = *environment;
	}
	room[count++] = limit;
	room[count++] = pid;
	room[count] = NULL;
}

void ksm_layout_execute_again(char *const *argv, char *const *environment)
{
	char pid[sizeof(PID_NAME) + LIMIT_VALUE_BYTES];
	char limit_text[sizeof(LIMIT_NAME) + LIMIT_VALUE_BYTES];
	size_t entries = 3; /* the two, and the end */
	const char **copy = NULL;
	uint64_t limit;

	if (!layout.wanted || ksm_options.layout_pid == (uint64_t)ksm_os_pid())
		return;
	layout.error = ksm_os_stack_limit(&limit);
	if (layout.error)
		return;
	for (char *const *entry = environment; *entry; entry++)
		entries++;
	layout.error = ksm_os_map((void **)&copy, ksm_align_up(entries * sizeof(*copy), KSM_PAGE),
				  false);
	if (layout.error)
		return;
	snprintf(pid, sizeof(pid), PID_NAME "=%010d", ksm_os_pid());
	snprintf(limit_text, sizeof(limit_text), LIMIT_NAME "=%020llu", (unsigned long long)limit);
	copy_environment(environment, pid, limit_text, copy);
	layout.error = ksm_os_set_stack_limit(wanted_limit());
	if (layout.error)
		return;
	layout.error = ksm_os_randomise(false);
	if (!layout.error)
		layout.error = ksm_os_execute_self(argv, (char *const *)(uintptr_t)copy);
	ksm_os_randomise(true);
	ksm_os_set_stack_limit(limit);
}

uint64_t ksm_layout_word(enum ksmalloc_seed_word word)
{
	return ksm_layout_shared ? layout.seed.words[word] : 0;
}

uint64_t ksm_layout_group_word(enum ksmalloc_seed_word word)
{
	return layout.has_seed ? layout.seed.words[word] : 0;
}

bool ksm_layout_has_seed(void)
{
	return layout.has_seed;
}

int ksm_layout_error(void)
{
	return -layout.error;
}
