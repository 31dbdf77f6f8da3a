/* SPDX-License-Identifier: BSD-2-Clause */
#include "obstacle.h"

#include <string.h>

struct rule {
	struct ksr_obstacle obstacle;
	bool of_sharing; /* nothing to the private layout without the store */
	bool (*holds)(const char *value);
};

static bool is_yes(const char *value)
{
	return strcmp(value, "yes") == 0;
}

static bool is_set(const char *value)
{
	return value[0] != '\0';
}

static bool is_limited(const char *value)
{
	return value[0] && strcmp(value, "infinity") != 0;
}

static bool is_other_architecture(const char *value)
{
	return value[0] && !strstr(value, "native") && !strstr(value, "x86-64") && !strstr(value, "arm64");
}

/* systemd writes out which calls a filter has; '~' is in front of those that it forbids. */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = strstr(list, word); at; at = strstr(at + 1, word)) {
		if ((at == list || at[-1] == ' ' || at[-1] == '~') && (at[length] == '\0' || at[length] == ' ' || at[length] == ':'))
			return true;
	}
	return false;
}

static bool forbids_any(const char *list, const char *const *calls, size_t count)
{
	bool denies = list[0] == '~';

	for (size_t i = 0; list[0] && i < count; i++) {
		if (has_word(list, calls[i]) == denies)
			return true;
	}
	return false;
}

static bool forbids_memory(const char *list)
{
	static const char *const calls[] = {"madvise", "mremap", "memfd_create", "futex"};

	return forbids_any(list, calls, KSM_COUNT_OF(calls));
}

static bool forbids_layout(const char *list)
{
	static const char *const calls[] = {"personality", "prlimit64", "flock", "linkat", "fcntl"};

	return forbids_any(list, calls, KSM_COUNT_OF(calls));
}

static const struct rule rules[] = {
	{{"RootDirectory", "the library does not lie below that folder", "install the packages there, too, and write the drop-in by hand",
	  true}, false, is_set},
	{{"RootImage", "the library does not lie in that image", "install the packages there, too, and write the drop-in by hand",
	  true}, false, is_set},
	{{"SystemCallArchitectures", "the library has another architecture", "set SystemCallArchitectures=native", true}, false,
	 is_other_architecture},
	{{"SystemCallFilter", "it ends a process that asks for memory as the library does",
	  "add a drop-in with SystemCallFilter=madvise mremap memfd_create futex", true}, false, forbids_memory},
	{{"SystemCallFilter", "equal addresses cannot be had without these calls",
	  "add a drop-in with SystemCallFilter=personality prlimit64 flock linkat fcntl", true}, true, forbids_layout},
	{{"LockPersonality", "equal addresses need personality(ADDR_NO_RANDOMIZE)",
	  "add a drop-in with LockPersonality=no, or leave --share away", true}, true, is_yes},
	{{"DynamicUser", "the group's seed belongs to a user that another service may have next",
	  "give the service a user of its own (User=), or leave --share away", true}, true, is_yes},
	{{"LimitAS", "places of the shared layout need address space", "set LimitAS=infinity; MemoryMax= limits memory", true}, true,
	 is_limited},
	{{"LimitDATA", "freed memory of the shared layout counts", "set LimitDATA=infinity; MemoryMax= limits memory", true}, true,
	 is_limited},
	{{"LimitSTACK", "the layout is told to the kernel by the limit of the stack",
	  "set LimitSTACK=8M:infinity", true}, true, is_limited},
	{{"PrivateUsers", "workers of this service share, but not with those of another one", "set PrivateUsers=no if they shall", false}, true,
	 is_yes},
};

/* --- paths ----------------------------------------------------------------------------------- */

#define STORE "/dev/shm"

struct path_rule {
	struct ksr_obstacle obstacle;
	bool of_store;		/* where the group's seed and table are; else of the library */
	const char *against[3]; /* settings that give back what lies deeper */
	const char *(*paths)(const char *value);
};

static const char *as_they_are(const char *value)
{
	return value;
}

static const char *of_home(const char *value)
{
	return strcmp(value, "yes") == 0 || strcmp(value, "tmpfs") == 0 ? "/home /root /run/user" : "";
}

static const char *of_temporary(const char *value)
{
	return strcmp(value, "yes") == 0 ? "/tmp /var/tmp" : "";
}

/* One that is read-only is said by the rule before. */
static const char *writable(const char *value)
{
	return strstr(value, STORE ":ro") ? "" : value;
}

static const char *only_read(const char *value)
{
	return strstr(value, STORE ":ro") ? STORE : "";
}

static const struct path_rule path_rules[] = {
	{{"NoExecPaths", "code of the library may not be executed there", "add a drop-in with ExecPaths= of its folder and of ksmalloc's",
	  true}, false, {"ExecPaths"}, as_they_are},
	{{"InaccessiblePaths", "the library lies below it", "leave its folder out, or install ksmalloc elsewhere", true}, false, {NULL},
	 as_they_are},
	{{"TemporaryFileSystem", "it hides the library", "add a drop-in with BindReadOnlyPaths= of its folder and of ksmalloc's", true},
	 false, {"BindReadOnlyPaths", "BindPaths"}, as_they_are},
	{{"ProtectHome", "it hides the library", "install ksmalloc elsewhere, or add a drop-in with BindReadOnlyPaths= of its folder", true},
	 false, {"BindReadOnlyPaths", "BindPaths"}, of_home},
	{{"PrivateTmp", "it hides the library", "install ksmalloc elsewhere", true}, false, {"BindReadOnlyPaths", "BindPaths"}, of_temporary},
	{{"ReadOnlyPaths", "the group's seed is written to " STORE, "add a drop-in with ReadWritePaths=" STORE, true}, true,
	 {"ReadWritePaths", "TemporaryFileSystem", "BindPaths"}, as_they_are},
	{{"InaccessiblePaths", "the group's seed lies in " STORE, "leave it out, or leave --share away", true}, true, {NULL}, as_they_are},
	{{"TemporaryFileSystem", "the group's seed is written to " STORE, "leave the :ro away", true}, true, {"BindPaths"}, only_read},
	{{"TemporaryFileSystem", "workers of this service share, but not with those of another one",
	  "leave " STORE " out if they shall", false}, true, {"BindPaths"}, writable},
};

/* How much of the path one word of a list covers: its length, or -1. */
static int covered(const char *word, size_t bytes, const char *path)
{
	while (bytes > 1 && word[bytes - 1] == '/')
		bytes--;
	if (bytes == 1 && word[0] == '/')
		return 0;
	return strncmp(word, path, bytes) == 0 && (path[bytes] == '/' || path[bytes] == '\0') ? (int)bytes : -1;
}

/*
 * The deepest of the list that covers the path, -1 for none. In front of a word may be letters; behind a colon are options,
 * or, of a path that is bound, what it is bound to.
 */
static int deepest(const char *list, const char *path, bool is_bound)
{
	int most = -1;

	for (const char *at = list + strspn(list, " "); *at; at += strspn(at, " ")) {
		const char *word = at + strspn(at, "+-");
		size_t bytes = strcspn(word, ": ");
		int depth;

		if (is_bound && word[bytes] == ':') {
			word += bytes + 1;
			bytes = strcspn(word, ": ");
		}
		depth = bytes ? covered(word, bytes, path) : -1;
		most = depth > most ? depth : most;
		at += strcspn(at, " ");
	}
	return most;
}

/* value has room for the setting that stays in it. */
static bool is_hidden(const struct path_rule *rule, const struct ksr_text *shown, const char *library, char *value, size_t bytes)
{
	const char *path = rule->of_store ? STORE : library;
	char other[4096];
	int depth;

	depth = deepest(rule->paths(ksr_service_value(shown, rule->obstacle.key, value, bytes)), path, false);
	if (depth < 0)
		return false;
	for (size_t i = 0; i < KSM_COUNT_OF(rule->against) && rule->against[i]; i++) {
		bool is_bound = strncmp(rule->against[i], "Bind", 4) == 0;

		if (deepest(ksr_service_value(shown, rule->against[i], other, sizeof(other)), path, is_bound) > depth)
			return false;
	}
	return true;
}

const struct ksr_obstacle *ksr_obstacle_next(const struct ksr_text *shown, bool shares, const char *library, size_t *position,
					     char *value, size_t bytes)
{
	while (*position < KSM_COUNT_OF(rules)) {
		const struct rule *rule = &rules[(*position)++];

		if (rule->of_sharing && !shares)
			continue;
		if (rule->holds(ksr_service_value(shown, rule->obstacle.key, value, bytes)))
			return &rule->obstacle;
	}
	while (library && *position < KSM_COUNT_OF(rules) + KSM_COUNT_OF(path_rules)) {
		const struct path_rule *rule = &path_rules[(*position)++ - KSM_COUNT_OF(rules)];

		if ((shares || !rule->of_store) && is_hidden(rule, shown, library, value, bytes))
			return &rule->obstacle;
	}
	return NULL;
}
