/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What differs between two workers of an interpreter that run the same program was
 * found by comparing their memory page by page at equal addresses; the table
 * says what of it can be told from the outside. docs/profiles.md has the
 * measurements.
 */
#define _GNU_SOURCE
#include "run/profile.h"

#include "profile_name.h"
#include "run/preload.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum where {
	VARIABLE,   /* of the environment, unless the user has set it */
	LUA_CODE,   /* the same, and unless the user has set LUA_INIT, which Lua would not look at then */
	WORDS,	    /* put behind what a variable of the environment holds */
	ARGUMENT,   /* put behind the program's name */
	NAMES,	    /* the same, by which the program writes the names of its functions to /tmp: if they are wanted, and it can */
	HELPER,	    /* a library beside ours, to be loaded too */
	SAME_STACK, /* the environment is made so long that stacks begin at equal addresses */
};

enum value {
	AS_IT_IS,
	SECRET_32,  /* 1 to 4294967295 */
	SECRET_31,  /* 1 to 2147483647 */
	SECRET_HEX, /* 48 digits: where perl has fewer, it takes zeros for the rest, and keys have few orders */
};

struct setting {
	enum where where;
	enum value value;
	const char *name;
	const char *text; /* the value, or what stands before a secret one */
};

#define MOST_SETTINGS 8

struct ksr_profile {
	const char *name;
	const char *programs[3]; /* a program's name begins with one of these */
	struct setting settings[MOST_SETTINGS];
	const char *cost;
};

static const struct ksr_profile profiles[] = {
	{"python",
	 {"python", NULL},
	 /* Each file that is imported leaves a buffer, and workers differ in what was last in it. */
	 {{VARIABLE, SECRET_32, "PYTHONHASHSEED", ""},
	  {VARIABLE, AS_IT_IS, "KSMALLOC_KEEP_BYTES", "1M"},
	  {HELPER, AS_IT_IS, "libksmalloc-python.so", ""},
	  {VARIABLE, AS_IT_IS, "KSMALLOC_SHARE_MAPPINGS", "python*|uwsgi*"},
	  {VARIABLE, AS_IT_IS, "KSMALLOC_LANGUAGE", "on"}},
	 "the hashes of str and bytes are equal in the group: who finds colliding keys in one "
	 "worker has them for all; children of os.fork() collect their young garbage first"},
	{"lua",
	 {"lua", NULL},
	 /* Where the helper was not loaded, or is another one, nothing happens. */
	 {{HELPER, AS_IT_IS, "libksmalloc-lua.so", ""},
	  {LUA_CODE, AS_IT_IS, "LUA_INIT_5_4",
	   "pcall(package.loadlib('libksmalloc-lua.so','ksmalloc_lua_follow'))"},
	  {SAME_STACK, AS_IT_IS, NULL, ""},
	  /* The helper's tables are mappings. LuaJIT has code in its own. */
	  {VARIABLE, AS_IT_IS, "KSMALLOC_SHARE_MAPPINGS", "lua|lua5*"},
	  {VARIABLE, AS_IT_IS, "KSMALLOC_LANGUAGE", "on"}},
	 "the hashes of strings are equal in the group; time(2) takes one comparison more; a "
	 "script sees LUA_INIT_5_4"},
	{"php",
	 {"php", NULL},
	 {{HELPER, AS_IT_IS, "libksmalloc-php.so", ""}, {VARIABLE, AS_IT_IS, "KSMALLOC_SHARE_MAPPINGS", "php*"},
	  {VARIABLE, AS_IT_IS, "KSMALLOC_LANGUAGE", "on"}},
	 "workers of php-fpm give back what their last request left after a second without a "
	 "connection, and get it anew with the next one"},
	{"node",
	 {"node", "nodejs", NULL},
	 {{ARGUMENT, AS_IT_IS, "--predictable", ""},
	  {ARGUMENT, AS_IT_IS, "--single-threaded", ""},
	  {ARGUMENT, SECRET_31, "--random-seed", "--random-seed="},
	  {ARGUMENT, SECRET_31, "--hash-seed", "--hash-seed="},
	  {NAMES, AS_IT_IS, "--perf-basic-prof-only-functions", ""},
	  {NAMES, AS_IT_IS, "--interpreted-frames-native-stack", ""},
	  {VARIABLE, AS_IT_IS, "KSMALLOC_SHARE_MAPPINGS", "node|nodejs"}},
	 "collector and compiler run in the main thread, which takes longer; Math.random() gives the same numbers in "
	 "every worker (crypto does not); names of functions stay in /tmp/perf-PID.map (not with KSMALLOC_LANGUAGE=off)"},
	{"java",
	 {"java", NULL},
	 /*
	  * Threads of the JVM race with the main thread at its start for who initialises a class.
	  * With buffers of their own the one that loses has its heap shifted by the class's
	  * objects.
	  */
	 {{WORDS, AS_IT_IS, "JAVA_TOOL_OPTIONS",
	   "-XX:+UseSerialGC -Xbatch -XX:-UseTLAB -XX:-UsePerfData -XX:+PreserveFramePointer"},
	  {VARIABLE, AS_IT_IS, "KSMALLOC_SHARE_MAPPINGS", "java"}},
	 "one thread collects while all others wait, methods wait for their compiler, threads that "
	 "allocate share one buffer; jps and jstat do not see the process"},
	{"ruby",
	 {"ruby", NULL},
	 /* Pages of objects, and stacks of fibers. */
	 {{HELPER, AS_IT_IS, "libksmalloc-ruby.so", ""}, {VARIABLE, AS_IT_IS, "KSMALLOC_SHARE_MAPPINGS", "ruby*"},
	  {VARIABLE, AS_IT_IS, "KSMALLOC_LANGUAGE", "on"}},
	 "the hashes of objects are equal in the group: who finds colliding keys in one worker has "
	 "them for all; children of fork collect garbage first, which takes some 20 ms"},
	{"perl",
	 {"perl", NULL},
	 {{VARIABLE, SECRET_HEX, "PERL_HASH_SEED", "0x"},
	  /* With DETERMINISTIC each collision of two keys, also of two variables, turns all later orders. */
	  {VARIABLE, AS_IT_IS, "PERL_PERTURB_KEYS", "NO"},
	  {HELPER, AS_IT_IS, "libksmalloc-perl.so", ""},
	  {VARIABLE, AS_IT_IS, "KSMALLOC_LANGUAGE", "on"}},
	 "hashes of the same keys have the same order in every worker of the group: who finds colliding keys "
	 "in one has them for all, and an order that is shown tells more of the seed; values go on in new arenas now and then, which takes a percent or two of memory"},
};

_Static_assert(KSM_COUNT_OF(profiles) == KSR_PROFILES, "profile_name.c has other names");

static const struct ksr_profile automatic = {.name = "auto"};

const struct ksr_profile *ksr_profile_lookup(const char *name)
{
	for (size_t i = 0; i < KSM_COUNT_OF(profiles); i++) {
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	}
	return strcmp(name, automatic.name) == 0 ? &automatic : NULL;
}

/* python3.11 and php-fpm8.2 are of their kind; luajit and javac are not. */
static bool is_of(const struct ksr_profile *profile, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < KSM_COUNT_OF(profile->programs) && profile->programs[i]; i++) {
		size_t bytes = strlen(profile->programs[i]);

		if (strncmp(name, profile->programs[i], bytes) == 0 &&
		    !isalpha((unsigned char)name[bytes]))
			return true;
	}
	return false;
}

static const struct ksr_profile *of_program(const char *path)
{
	for (size_t i = 0; i < KSM_COUNT_OF(profiles); i++) {
		if (is_of(&profiles[i], path))
			return &profiles[i];
	}
	return NULL;
}

/* --- values ------------------------------------------------------------------------------ */

static uint64_t secret(const struct ksmalloc_seed *seed, uint64_t number)
{
	return ksmalloc_seed_derive(seed, KSMALLOC_SEED_HASHES, number);
}

/* Seeds of 0 mean "none" to all of them. */
static void write_value(char *text, size_t bytes, const struct setting *setting, uint64_t number,
			const struct ksmalloc_seed *seed)
{
	uint64_t first = secret(seed, 2 * number);
	uint64_t second = secret(seed, 2 * number + 1);
	uint64_t third = secret(seed, (UINT64_C(1) << 32) + number);

	switch (setting->value) {
	case AS_IT_IS:
		snprintf(text, bytes, "%s", setting->text);
		break;
	case SECRET_32:
		snprintf(text, bytes, "%s%" PRIu64, setting->text, 1 + first % UINT32_MAX);
		break;
	case SECRET_31:
		snprintf(text, bytes, "%s%" PRIu64, setting->text, 1 + first % INT32_MAX);
		break;
	case SECRET_HEX:
		snprintf(text, bytes, "%s%016" PRIx64 "%016" PRIx64 "%016" PRIx64, setting->text, first, second, third);
		break;
	}
}

/* --- setting ------------------------------------------------------------------------------- */

static int set_variable(const struct setting *setting, const char *value, const char **note)
{
	if (getenv(setting->name) || (setting->where == LUA_CODE && getenv("LUA_INIT"))) {
		*note = " (left as it was set)";
		return 0;
	}
	return setenv(setting->name, value, 1) ? -ENOMEM : 0;
}

static int add_words(const struct setting *setting, const char *value)
{
	const char *before = getenv(setting->name);
	char *both = NULL;
	int error;

	/* A run inside of a run has them already. */
	if (before && strstr(before, value))
		return 0;
	if (asprintf(&both, "%s%s%s", before && before[0] ? before : "",
		     before && before[0] ? " " : "", value) < 0)
		return -ENOMEM;
	error = setenv(setting->name, both, 1) ? -ENOMEM : 0;
	free(both);
	return error;
}

/* V8 ends the program where it cannot write the file. */
static bool wants_names(void)
{
	const char *language = getenv("KSMALLOC_LANGUAGE");

	return !(language && strcmp(language, "off") == 0) && access("/tmp", W_OK | X_OK) == 0;
}

static int set_one(const struct ksr_command *command, const struct setting *setting,
		   const char *value, size_t *arguments, struct ksr_program *program,
		   const char *library, const char **note)
{
	switch (setting->where) {
	case VARIABLE:
	case LUA_CODE:
		return set_variable(setting, value, note);
	case WORDS:
		return add_words(setting, value);
	case NAMES:
		if (!wants_names()) {
			*note = " (left out)";
			return 0;
		}
		/* fall through */
	case ARGUMENT:
		program->changed = true;
		return ksr_program_insert(program, ++*arguments, value[0] ? value : setting->name);
	case HELPER:
		return ksr_preload_helper(command, library, setting->name, "the profile works", note);
	case SAME_STACK:
		program->level_stack = true;
		return 0;
	}
	return 0;
}

static bool has_arguments(const struct ksr_profile *profile)
{
	return profile->settings[0].name && profile->settings[0].where == ARGUMENT;
}

/* Secrets are not shown. */
static void describe(char *text, size_t bytes, const struct setting *setting, const char *note)
{
	size_t used = strlen(text);

	if (setting->where == SAME_STACK || used >= bytes)
		return;
	snprintf(text + used, bytes - used, "%s%s%s%s%s", used ? ", " : "", setting->name,
		 setting->value != AS_IT_IS ? "=(secret)"
		 : setting->text[0]	    ? "="
					    : "",
		 setting->value == AS_IT_IS ? setting->text : "", note);
}

static int apply(const struct ksr_command *command, const struct ksr_profile *profile,
		 const struct ksmalloc_seed *seed, struct ksr_program *program, const char *library,
		 char *said, size_t said_bytes)
{
	size_t arguments = 0;

	for (size_t i = 0; i < MOST_SETTINGS; i++) {
		const struct setting *setting = &profile->settings[i];
		uint64_t number = (uint64_t)(profile - profiles) * MOST_SETTINGS + i;
		const char *note = "";
		char value[160];

		if (!setting->name && setting->where != SAME_STACK)
			break;
		write_value(value, sizeof(value), setting, number, seed);
		if (set_one(command, setting, value, &arguments, program, library, &note))
			return ksr_failure(command, "out of memory");
		describe(said, said_bytes, setting, note);
	}
	return 0;
}

int ksr_profile_apply(const struct ksr_command *command, const struct ksr_profile *profile,
		      const struct ksmalloc_seed *seed, struct ksr_program *program,
		      const char *library, bool quiet)
{
	char said[400] = "";
	int status;

	if (profile == &automatic) {
		profile = of_program(program->path);
		if (!profile) {
			if (!quiet && program->path[0])
				ksr_failure(command,
					    "there is no profile for %s; give --profile "
					    "if it starts an interpreter",
					    program->path);
			return 0;
		}
	}
	/* Arguments can be given to the interpreter only, not to what starts it. */
	if (has_arguments(profile) && (program->through_env || !is_of(profile, program->path)))
		return ksr_usage_error(
			command,
			"--profile=%s puts arguments behind the name of %s, and '%s' "
			"is %s; start %s itself",
			profile->name, profile->programs[0], program->words[0], program->path,
			profile->programs[0]);
	status = apply(command, profile, seed, program, library, said, sizeof(said));
	if (!status && !quiet)
		ksr_failure(command, "profile %s: %s%s%s", profile->name, said, said[0] ? "; " : "",
			    profile->cost);
	return status;
}
