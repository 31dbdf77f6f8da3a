/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hash tables whose seeds differ have their entries in other places: nothing
 * that holds one is equal then. What each interpreter takes its seed from is
 * known; whether it was given one shows in its environment, its arguments or
 * the files that it has mapped. The profiles of `ksmalloc run` set the same.
 */
#define _GNU_SOURCE
#include "doctor/language.h"

#include <stdlib.h>
#include <string.h>

struct language {
	const char *name;
	const char *program; /* what the program's name begins with */
	const char *seed;    /* variable that holds the seed; NULL: there is none */
	/* Alternatives are separated by blanks; one of each must be given. NULL ends the list. */
	const char *flags[5];
	const char *flags_variable; /* where flags may also stand */
	const char *library;	    /* mapped where the seed is equal */
	const char *objects;	    /* mapped where forked workers have equal objects */
	const char *choice;	    /* variable that keeps it from that */
	const char *remedy;
	const char *known; /* where nothing can be told from outside */
};

static const struct language languages[] = {
	{.name = "Python",
	 .program = "python",
	 .seed = "PYTHONHASHSEED",
	 .objects = "libksmalloc-python.so",
	 .choice = "PYTHONMALLOC",
	 .remedy = "use 'ksmalloc run --profile=python', which gives the group a secret seed"},
	{.name = "Perl",
	 .program = "perl",
	 .seed = "PERL_HASH_SEED",
	 .remedy = "use 'ksmalloc run --profile=perl', which gives the group a secret seed"},
	{.name = "V8",
	 .program = "node",
	 .flags = {"--predictable", "--single-threaded", "--random-seed", "--hash-seed"},
	 .remedy = "use 'ksmalloc run --profile=node'; NODE_OPTIONS does not take these flags"},
	{.name = "the JVM",
	 .program = "java",
	 .flags = {"-XX:+UseSerialGC", "-Xbatch -XX:-BackgroundCompilation",
		   "-XX:-UseTLAB -XX:-ResizeTLAB", "-XX:-UsePerfData"},
	 .flags_variable = "JAVA_TOOL_OPTIONS",
	 .remedy = "use 'ksmalloc run --profile=java', which sets JAVA_TOOL_OPTIONS"},
	{.name = "Lua",
	 .program = "lua",
	 .library = "libksmalloc-lua.so",
	 .remedy = "use 'ksmalloc run --profile=lua'; else the clock and an address are the seed, "
		   "and only workers of the same second are equal"},
	{.name = "PHP",
	 .program = "php",
	 .known = "PHP has no seeds in its hash tables: nothing to set"},
	{.name = "Ruby",
	 .program = "ruby",
	 .library = "libksmalloc-ruby.so",
	 .remedy = "use 'ksmalloc run --profile=ruby'; else Ruby draws the seed of its hashes from the kernel"},
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* --- seeds in the environment ------------------------------------------------------------ */

static bool is_no_seed(const char *value)
{
	return !value || !value[0] || strcmp(value, "random") == 0;
}

static bool is_zero_seed(const char *value)
{
	return value[strspn(value, "0x")] == '\0';
}

static void check_seed(const struct language *language, const struct ksr_workers *members,
		       struct ksr_findings *findings)
{
	const char *first = ksr_worker_variable(&members->list[0], language->seed);
	size_t without = 0;
	size_t others = 0;

	for (size_t i = 0; i < members->count; i++) {
		const char *value = ksr_worker_variable(&members->list[i], language->seed);

		if (!members->list[i].environment.data)
			return;
		without += is_no_seed(value);
		others += value && first && strcmp(value, first) != 0;
	}
	if (without)
		ksr_find(findings, KSR_LEVEL_BAD, "hash_seed", language->remedy,
			 "%s is not set in %zu of %zu processes: each has a hash seed of its own",
			 language->seed, without, members->count);
	else if (others)
		ksr_find(findings, KSR_LEVEL_BAD, "hash_seed", language->remedy,
			 "%s has different values: hash tables differ", language->seed);
	else if (is_zero_seed(first))
		ksr_find(findings, KSR_LEVEL_WARN, "hash_seed", language->remedy,
			 "%s is 0 in all processes: hash tables are equal, and everybody can "
			 "choose keys that collide",
			 language->seed);
	else
		ksr_find(findings, KSR_LEVEL_OK, "hash_seed", "", "%s is equal in all processes",
			 language->seed);
}

/* --- flags --------------------------------------------------------------------------------- */

/* V8 takes a_b for a-b. */
static bool is_flag(const char *word, const char *flag, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char c = word[i] == '_' ? '-' : word[i];

		if (c != flag[i])
			return false;
	}
	return word[length] == '\0' || word[length] == '=' || word[length] == ' ';
}

static bool has_word(const struct ksr_worker *member, const char *variable, const char *flag,
		     size_t length)
{
	const char *value = variable ? ksr_worker_variable(member, variable) : NULL;
	size_t position = 0;
	const char *word;

	while ((word = ksr_text_entry(&member->arguments, &position))) {
		if (is_flag(word, flag, length))
			return true;
	}
	for (word = value; word; word = strchr(word, ' ')) {
		word += strspn(word, " ");
		if (is_flag(word, flag, length))
			return true;
		if (!word[0])
			break;
	}
	return false;
}

/* One of the alternatives. */
static bool has_flag(const struct ksr_worker *member, const char *variable, const char *flags)
{
	while (flags[0]) {
		size_t length = strcspn(flags, " ");

		if (has_word(member, variable, flags, length))
			return true;
		flags += length;
		flags += strspn(flags, " ");
	}
	return false;
}

static void check_flags(const struct language *language, const struct ksr_workers *members,
			struct ksr_findings *findings)
{
	char missing[256] = "";
	size_t used = 0;

	for (size_t f = 0; language->flags[f] && used < sizeof(missing); f++) {
		bool all = true;

		for (size_t i = 0; i < members->count; i++)
			all = all && has_flag(&members->list[i], language->flags_variable,
					      language->flags[f]);
		if (!all)
			used += (size_t)snprintf(
				missing + used, sizeof(missing) - used, "%s%.*s", used ? ", " : "",
				(int)strcspn(language->flags[f], " "), language->flags[f]);
	}
	if (missing[0])
		ksr_find(findings, KSR_LEVEL_BAD, "flags", language->remedy,
			 "%s runs without %s: equal work makes different heaps", language->name,
			 missing);
	else
		ksr_find(findings, KSR_LEVEL_OK, "flags", "",
			 "%s has the flags that make equal heaps", language->name);
}

/* --- libraries ------------------------------------------------------------------------------- */

static bool maps_file(const struct ksr_worker *member, const char *name)
{
	for (uint32_t i = 0; i < member->space.region_count; i++) {
		const struct ksr_region *region = &member->space.regions[i];

		if (region->kind == KSR_REGION_FILE && strcmp(base_name(region->name), name) == 0)
			return true;
	}
	return false;
}

static void check_library(const struct language *language, const struct ksr_workers *members,
			  struct ksr_findings *findings)
{
	size_t without = 0;

	for (size_t i = 0; i < members->count; i++)
		without += !maps_file(&members->list[i], language->library);
	if (without)
		ksr_find(findings, KSR_LEVEL_BAD, "hash_seed", language->remedy,
			 "%zu of %zu processes run %s with a hash seed of their own", without,
			 members->count, language->name);
	else
		ksr_find(findings, KSR_LEVEL_OK, "hash_seed", "",
			 "%s has the same hash seed in all processes", language->name);
}

/* Whether children of one master can have their objects at equal addresses. */
static void check_objects(const struct language *language, const struct ksr_workers *members,
			  struct ksr_findings *findings)
{
	size_t without = 0;
	size_t chosen = 0;

	for (size_t i = 0; i < members->count; i++) {
		const char *choice = ksr_worker_variable(&members->list[i], language->choice);

		without += !maps_file(&members->list[i], language->objects);
		chosen += choice && choice[0];
	}
	if (without)
		ksr_find(findings, KSR_LEVEL_WARN, "objects", language->remedy,
			 "%zu of %zu processes run without %s: workers that one master forked have "
			 "their objects at different addresses",
			 without, members->count, language->objects);
	else if (chosen)
		ksr_find(findings, KSR_LEVEL_WARN, "objects", "leave it unset",
			 "%s is set in %zu of %zu processes, which keeps %s from its work",
			 language->choice, chosen, members->count, language->objects);
	else
		ksr_find(findings, KSR_LEVEL_OK, "objects", "",
			 "%s places the objects of forked workers (%s 3.8 to 3.11)",
			 language->objects, language->name);
}

static void check_language(const struct language *language, const struct ksr_workers *members,
			   struct ksr_findings *findings)
{
	if (language->seed)
		check_seed(language, members, findings);
	if (language->flags[0])
		check_flags(language, members, findings);
	if (language->library)
		check_library(language, members, findings);
	if (language->objects)
		check_objects(language, members, findings);
	if (language->known)
		ksr_find(findings, KSR_LEVEL_OK, "hash_seed",
			 "",
			 "%s", language->known);
}

void ksr_check_languages(const struct ksr_workers *members, struct ksr_findings *findings)
{
	const char *program = base_name(members->list[0].program);

	for (size_t i = 0; i < KSM_COUNT_OF(languages); i++) {
		if (strncmp(program, languages[i].program, strlen(languages[i].program)) == 0)
			check_language(&languages[i], members, findings);
	}
}
