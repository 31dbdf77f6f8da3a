/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc run`: starts a program with the library preloaded and its options set. */
#define _GNU_SOURCE
#include "commands.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "library.h"
#include "profile_name.h"
#include "run/layout.h"
#include "run/list.h"
#include "run/preload.h"
#include "run/profile.h"
#include "run/filter.h"
#include "run/stats.h"
#include "run/start_keeper.h"
#include "run/without.h"

enum option_id {
	OPTION_GROUP,
	OPTION_LAYOUT,
	OPTION_THROUGH_LOADER,
	OPTION_SHOW_LAYOUT,
	OPTION_SHARE,
	OPTION_NO_KEEPER,
	OPTION_PROFILE,
	OPTION_QUIET,
	OPTION_OR_WITHOUT,
	OPTION_RENEW_SEED,
	OPTION_SEED_AGE,
	OPTION_SEED_FILE,
	OPTION_THRESHOLD,
	OPTION_SITE_BYTES,
	OPTION_ADVISE,
	OPTION_ALLOW,
	OPTION_DENY,
	OPTION_ZERO_REUSE,
	OPTION_STATS_DIR,
	OPTION_VERBOSE,
	OPTION_SET,
	OPTION_ARGV0,
	OPTION_LIBRARY,
	OPTION_LIST_OPTIONS,
};

static const struct ksr_option options[] = {
	[OPTION_GROUP] = {"group", "NAME", "Name the group of processes for reports."},
	[OPTION_LAYOUT] = {"layout", "private|shared", "Equal addresses in the group, or not."},
	[OPTION_THROUGH_LOADER] = {"through-loader", NULL, "Move the program's own image too; "
				   "/proc/self/exe is the loader then."},
	[OPTION_SHOW_LAYOUT] = {"show-layout", NULL, "Say what is random, and what is not."},
	[OPTION_SHARE] = {"share", "[=on|off]", "Map pages that the group has in common from files, without KSM."},
	[OPTION_NO_KEEPER] = {"no-keeper", NULL, "Start no keeper: only workers of one thread share."},
	[OPTION_PROFILE] = {"profile", "NAME", "Make heaps of this interpreter equal; or auto."},
	[OPTION_QUIET] = {"quiet", NULL, "Do not say what is not random, and what a profile sets."},
	[OPTION_OR_WITHOUT] = {"or-without", NULL, "Run the program without the library where it cannot have it."},
	[OPTION_RENEW_SEED] = {"renew-seed", NULL, "Give the group new addresses from now on."},
	[OPTION_SEED_AGE] = {"seed-age", "DURATION", "Renew the seed from this age on; 0: never."},
	[OPTION_SEED_FILE] = {"seed-file", "PATH", "Use this seed."},
	[OPTION_THRESHOLD] = {"threshold", "SIZE", "Place blocks from this size on."},
	[OPTION_SITE_BYTES] = {"site-bytes", "SIZE", "Give a site a slot when it has held this."},
	[OPTION_ADVISE] = {"advise", "all|none|process", "What is offered to KSM."},
	[OPTION_ALLOW] = {"allow", "LIST", "Offer only sites that match a pattern."},
	[OPTION_DENY] = {"deny", "LIST", "Never offer sites that match a pattern."},
	[OPTION_ZERO_REUSE] = {"zero-reuse", NULL, "Clear the whole of a reused block."},
	[OPTION_STATS_DIR] = {"stats-dir", "DIR", "Make the statistics segment in DIR."},
	[OPTION_VERBOSE] = {"verbose", NULL, "Let the library say that it is loaded."},
	[OPTION_SET] = {"set", "KEY=VALUE", "Set any option of the library."},
	[OPTION_ARGV0] = {"argv0", "NAME", "Call the program so, as a login shell is called by a dash."},
	[OPTION_LIBRARY] = {"library", "PATH", "Preload this libksmalloc.so."},
	[OPTION_LIST_OPTIONS] = {"list-options", NULL, "Show the options of the library and exit."},
};

struct run_options {
	const char *library;
	const char *argv0;
	const char *lists[2]; /* allow, deny */
	bool list_options;
	bool shared;
	bool private; /* asked for by name, not only by default */
	bool show_layout;
	bool no_keeper;
	bool age_given;
	bool quiet;
	bool or_without;
	const struct ksr_profile *profile;
	const char *layout_option; /* the last one that means nothing without the shared layout */
	const char *seed_option;   /* the last one that means nothing where the group has no seed */
	struct ksr_layout layout;
};

/* The library knows KSMALLOC_ and the name of an option in capitals. */
static int set_variable(const struct ksr_command *command, const char *key, size_t key_bytes,
			const char *value)
{
	char name[80] = "KSMALLOC_";
	size_t used = strlen(name);

	if (key_bytes > used && strncasecmp(key, name, used) == 0) {
		key += used;
		key_bytes -= used;
	}
	if (key_bytes == 0 || key_bytes >= sizeof(name) - used)
		return ksr_usage_error(command, "--set '%.*s': no such option; see 'ksmalloc run --list-options'",
				       (int)key_bytes, key);
	for (size_t i = 0; i < key_bytes; i++) {
		unsigned char c = (unsigned char)key[i];

		name[used++] = c == '-' ? '_' : (char)toupper(c);
	}
	name[used] = '\0';
	/* --set may take the group away, but not give it a name that no report can be asked for. */
	if (strcmp(name, "KSMALLOC_GROUP") == 0 && value[0] && ksr_group_check(command, value))
		return KSR_EXIT_USAGE;
	return setenv(name, value, 1) ? ksr_failure(command, "out of memory") : 0;
}

static int set_size(const struct ksr_command *command, size_t option, const char *value)
{
	size_t digits = strspn(value, "0123456789");
	const char *name = options[option].name;

	if (digits == 0 ||
	    (value[digits] && (!strchr("kKmMgG", value[digits]) || value[digits + 1])))
		return ksr_usage_error(command, "--%s '%s' is not a size; give a number, with K, M or G behind it if wanted",
				       name, value);
	return set_variable(command, name, strlen(name), value);
}

static int set_assignment(const struct ksr_command *command, const char *value)
{
	const char *equal = strchr(value, '=');

	if (!equal)
		return ksr_usage_error(command, "--set '%s' has no '='; give KEY=VALUE", value);
	return set_variable(command, value, (size_t)(equal - value), equal + 1);
}

static int set_advise(const struct ksr_command *command, const char *value)
{
	if (strcmp(value, "all") != 0 && strcmp(value, "none") != 0 &&
	    strcmp(value, "process") != 0)
		return ksr_usage_error(command, "--advise '%s' is not known; give all, none or process", value);
	return set_variable(command, "advise", 6, value);
}

/* The program may start elsewhere, and its children too: the folder must be an absolute one. */
static int set_folder(const struct ksr_command *command, const char *value)
{
	char *path = realpath(value, NULL);
	int status;

	if (!path)
		return ksr_usage_error(command, "--stats-dir '%s': %s; give a folder that exists", value, strerror(errno));
	status = set_variable(command, "stats_dir", 9, path);
	free(path);
	return status;
}

static int set_layout(const struct ksr_command *command, struct run_options *chosen,
		      const char *value)
{
	chosen->shared = strcmp(value, "shared") == 0;
	chosen->private = strcmp(value, "private") == 0;
	if (!chosen->shared && !chosen->private)
		return ksr_usage_error(command, "--layout '%s' is not known; give private or shared", value);
	return 0;
}

/* Options that mean something in the shared layout only. */
static int set_shared(const struct ksr_command *command, struct run_options *chosen, size_t option,
		      const char *value)
{
	chosen->layout_option = options[option].name;
	if (option == OPTION_THROUGH_LOADER)
		chosen->layout.through_loader = true;
	else if (option == OPTION_SHOW_LAYOUT)
		chosen->show_layout = true;
	else
		chosen->profile = ksr_profile_lookup(value);
	if (option == OPTION_PROFILE && !chosen->profile)
		return ksr_usage_error(command, "--profile '%s' is not known; give %s", value, ksr_profile_names());
	return 0;
}

/* Options that mean something where the group has a seed: in the shared layout, or where memory is shared. */
static int set_seeded(const struct ksr_command *command, struct run_options *chosen, size_t option,
		      const char *value)
{
	struct ksr_seed_request *request = &chosen->layout.request;

	chosen->seed_option = options[option].name;
	switch ((enum option_id)option) {
	case OPTION_NO_KEEPER:
		chosen->no_keeper = true;
		break;
	case OPTION_RENEW_SEED:
		request->renew = true;
		break;
	case OPTION_SEED_AGE:
		chosen->age_given = true;
		if (!ksr_parse_duration(value, &request->age_seconds))
			return ksr_usage_error(command, "--seed-age '%s' is not a duration; give a number with s, m, h, d "
							"or w behind it, or 0", value);
		break;
	default:
		request->path = value;
		break;
	}
	return 0;
}

/* The last one counts, also against what is in the environment. */
static int set_share(const struct ksr_command *command, struct run_options *chosen, const char *value)
{
	bool off = value && strcmp(value, "off") == 0;

	if (value && !off && strcmp(value, "on") != 0)
		return ksr_usage_error(command, "--share '%s' is not known; give on or off", value);
	chosen->layout.shares = !off;
	return set_variable(command, "share", 5, off ? "0" : "1");
}

static int set(const struct ksr_command *command, size_t option, const char *value, void *user)
{
	struct run_options *chosen = user;

	switch ((enum option_id)option) {
	case OPTION_GROUP:
		chosen->layout.request.group = value;
		return value[0] ? set_variable(command, "group", 5, value)
				: ksr_group_check(command, value);
	case OPTION_LAYOUT:
		return set_layout(command, chosen, value);
	case OPTION_THROUGH_LOADER:
	case OPTION_SHOW_LAYOUT:
	case OPTION_PROFILE:
		return set_shared(command, chosen, option, value);
	case OPTION_NO_KEEPER:
	case OPTION_RENEW_SEED:
	case OPTION_SEED_AGE:
	case OPTION_SEED_FILE:
		return set_seeded(command, chosen, option, value);
	case OPTION_SHARE:
		return set_share(command, chosen, value);
	case OPTION_THRESHOLD:
	case OPTION_SITE_BYTES:
		return set_size(command, option, value);
	case OPTION_ADVISE:
		return set_advise(command, value);
	case OPTION_ALLOW:
	case OPTION_DENY:
		chosen->lists[option - OPTION_ALLOW] = value;
		break;
	case OPTION_ZERO_REUSE:
		return set_variable(command, "zero_reuse", 10, "1");
	case OPTION_STATS_DIR:
		return set_folder(command, value);
	case OPTION_VERBOSE:
		chosen->show_layout = true;
		return set_variable(command, "verbose", 7, "1");
	case OPTION_QUIET:
		chosen->quiet = true;
		break;
	case OPTION_OR_WITHOUT:
		chosen->or_without = true;
		break;
	case OPTION_SET:
		return set_assignment(command, value);
	case OPTION_ARGV0:
		chosen->argv0 = value;
		break;
	case OPTION_LIBRARY:
		chosen->library = value;
		break;
	case OPTION_LIST_OPTIONS:
		chosen->list_options = true;
		break;
	}
	return 0;
}

/* --- the library --------------------------------------------------------------- */

/* The loader would wait for somebody to write to a pipe. */
static bool is_file(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* The caller frees the path. */
static int choose_library(const struct ksr_command *command, const char *given, char **library)
{
	*library = given ? realpath(given, NULL) : ksr_library_find();
	if (!*library)
		return given ? ksr_usage_error(command,
					       "--library '%s': %s; give the path of "
					       "libksmalloc.so",
					       given, strerror(errno))
			     : ksr_failure(command, "libksmalloc.so was not found beside the "
						    "command; give --library PATH");
	if (given && !is_file(*library))
		return ksr_usage_error(command, "--library '%s' is no file; give the path of libksmalloc.so", given);
	/* The loader splits its list at these and knows no way to quote them. */
	if (!strpbrk(*library, ": "))
		return 0;
	return ksr_usage_error(
		command,
		"the path '%s' has a blank or a colon, which LD_PRELOAD cannot hold; "
		"copy the library elsewhere",
		*library);
}

/*
 * A library that puts limit and personality not back would leave the program with a stack of some
 * TiB and without randomisation. Ours has the name of the variable in it.
 */
static bool knows_layout(const char *library)
{
	static const char name[] = "KSMALLOC_LAYOUT_PID";
	struct ksr_text text = {0};
	int fd = open(library, O_RDONLY | O_CLOEXEC);
	bool found;

	if (fd < 0)
		return false;
	found = ksr_fs_read_fd(fd, 256 * KSM_MIB, &text) == 0 &&
		memmem(text.data, text.size, name, sizeof(name)) != NULL;
	close(fd);
	ksr_text_free(&text);
	return found;
}

/* --- starting --------------------------------------------------------------------- */

static int set_filters(const struct ksr_command *command, const struct run_options *chosen,
		       const struct ksr_program *program)
{
	static const enum option_id ids[] = {OPTION_ALLOW, OPTION_DENY};
	char why[256] = "";

	for (size_t i = 0; i < KSM_COUNT_OF(ids); i++) {
		const char *name = options[ids[i]].name;
		char *list;
		int status;

		if (!chosen->lists[i])
			continue;
		list = ksr_run_filter(chosen->lists[i], program, why, sizeof(why));
		if (!list)
			return ksr_usage_error(command, "--%s %s", name, why);
		status = set_variable(command, name, strlen(name), list);
		free(list);
		if (status)
			return status;
	}
	return 0;
}

static int check_layout(const struct ksr_command *command, struct run_options *chosen)
{
	struct ksr_seed_request *request = &chosen->layout.request;
	bool shares = chosen->layout.shares;
	const char *option = chosen->layout_option ? chosen->layout_option : shares ? NULL : chosen->seed_option;

	/* What lies at equal addresses can all be shared. */
	chosen->shared = chosen->shared || (shares && !chosen->private);
	if (!chosen->shared && option)
		return ksr_usage_error(command, "--%s is for the shared layout; add --layout=shared --group=NAME", option);
	if (shares && !request->group)
		return ksr_usage_error(command, "--share needs --group=NAME: the processes of a group share with each other");
	if (chosen->shared && !request->group)
		return ksr_usage_error(command, "--layout=shared needs --group=NAME: the processes of a group have the same "
						"addresses");
	/* Who names a file takes care of it. */
	if (!chosen->age_given)
		request->age_seconds = request->path ? 0 : KSR_SEED_AGE;
	return 0;
}

/* All that only the shared layout has, but for what the question about a group needs. */
static int enter_layout(const struct ksr_command *command, struct run_options *chosen,
			struct ksr_program *program, const char *library)
{
	struct ksr_layout *layout = &chosen->layout;
	int status = ksr_layout_enter(command, layout, program);

	/* What an operator must know of the option, at each start, unless it was shown in full. */
	if (!status && layout->shared && !chosen->show_layout && !chosen->quiet)
		ksr_layout_warn(command, layout, program);
	if (!status && layout->shared)
		status = ksr_preload_helper(command, library, "libksmalloc-anchors.so", "the layout works", NULL);
	/* Equal hashes are worth their price where equal addresses are. */
	if (!status && layout->shared && chosen->profile)
		status = ksr_profile_apply(command, chosen->profile, &layout->file.seed, program, library, chosen->quiet);
	if (!status && layout->shared && layout->through_loader)
		status = ksr_layout_insert_loader(command, program);
	return status;
}

/* Memory of sites is shared in the private layout, too, also where the shared one was refused. */
static int enter_store(const struct ksr_command *command, const struct run_options *chosen, const char *library)
{
	if (chosen->shared && !chosen->layout.shared)
		ksr_failure(command, "only large blocks are shared, by the code that allocates them");
	return ksr_preload_helper(command, library, "libksmalloc-share.so", "pages are shared on request only", NULL);
}

static int find_seed(const struct ksr_command *command, struct run_options *chosen,
		     const struct ksr_program *program)
{
	int status = ksr_layout_find_seed(command, &chosen->layout);

	if (!status && chosen->show_layout)
		ksr_layout_show(command, &chosen->layout, program);
	return status;
}

static int execute(const struct ksr_command *command, char **argv, struct ksr_program *program)
{
	int error = ksr_program_execute(program, argv);

	if (error == ENOENT || error == ENOTDIR) {
		ksr_failure(command, "%s: command not found", argv[0]);
		return KSR_EXIT_NOT_FOUND;
	}
	ksr_failure(command, "%s: %s", argv[0], strerror(error));
	return KSR_EXIT_CANNOT_EXECUTE;
}

/* A program that the library does not reach runs as without it; one that it would end is not run.
 */
static int check_program(const struct ksr_command *command, const struct run_options *chosen,
			 const struct ksr_program *program)
{
	if (program->ends_preloaded) {
		ksr_failure(command, "%s is not started: it %s, for which libksmalloc is built; run it without ksmalloc, or "
				     "install a build for glibc", program->unfit_path, program->unfit);
		return KSR_EXIT_CANNOT_EXECUTE;
	}
	/* The shared layout says so, too, in its own words. */
	if (program->is_static && !chosen->shared && !chosen->quiet)
		ksr_failure(command, "%s runs without libksmalloc: it is linked statically", program->path);
	return 0;
}

static int start(const struct ksr_command *command, struct run_options *chosen, char **argv,
		 const char *library)
{
	struct ksr_program program;
	int status;

	if (ksr_program_look(&program, argv) || (chosen->argv0 && ksr_program_rename(&program, argv, chosen->argv0)))
		return ksr_failure(command, "out of memory");
	status = check_program(command, chosen, &program);
	if (!status)
		status = set_filters(command, chosen, &program);
	if (!status && (chosen->shared || chosen->layout.shares))
		status = find_seed(command, chosen, &program);
	/* Before the layout is entered: the keeper has the usual one. */
	if (!status && chosen->layout.shares && !chosen->no_keeper)
		ksr_start_keeper(command, &chosen->layout.request, &chosen->layout.file);
	if (!status && chosen->private)
		status = ksr_layout_leave(command, &chosen->layout);
	if (!status && chosen->shared)
		status = enter_layout(command, chosen, &program, library);
	if (!status && chosen->layout.shares)
		status = enter_store(command, chosen, library);
	if (!status) {
		ksr_run_stats();
		status = ksr_preload(command, library);
	}
	if (!status)
		status = execute(command, argv, &program);
	ksr_program_free(&program);
	return status;
}

static int prepare_and_start(const struct ksr_command *command, struct run_options *chosen, int argc, char **argv, int first)
{
	char *library = NULL;
	int status = check_layout(command, chosen);

	if (status)
		return status;
	/* Without a program these are questions about the group. */
	if (first == argc && chosen->shared && (chosen->show_layout || chosen->layout.request.renew))
		return find_seed(command, chosen, NULL);
	if (first == argc && !chosen->list_options)
		return ksr_usage_error(command, "a program is missing; give it and its arguments after the options");
	status = choose_library(command, chosen->library, &library);
	if (!status && chosen->shared && chosen->library && !knows_layout(library))
		status = ksr_usage_error(command, "--library '%s' does not know the shared layout", chosen->library);
	if (!status && chosen->list_options)
		status = ksr_preload(command, library);
	if (!status)
		status = chosen->list_options ? ksr_list_library_options(command) : start(command, chosen, argv + first, library);
	free(library);
	return status;
}

static int run_main(const struct ksr_command *command, int argc, char **argv)
{
	struct run_options chosen = {0};
	char **before = ksr_without_remember();
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, set, &chosen, &status);

	if (first >= 0)
		status = prepare_and_start(command, &chosen, argc, argv, first);
	if (status && chosen.or_without)
		status = ksr_without_run(command, argv, first, before, chosen.argv0);
	free(before);
	return status;
}


static const char *values_of(const struct ksr_option *option)
{
	return option == &options[OPTION_PROFILE] ? ksr_profile_names() : NULL;
}

const struct ksr_command ksr_command_run = {
	.name = "run",
	.arguments = "[--] PROGRAM [ARGUMENT...]",
	.summary = "Run a program with libksmalloc preloaded",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.values = values_of,
	.stop_at_argument = true,
	.main = run_main,
};
