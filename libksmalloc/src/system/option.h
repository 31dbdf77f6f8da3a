/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * option: what a user can set, declared once in the table below.
 *
 * What it is: the table, and the values in force. Names in the environment are
 * KSMALLOC_ and the name in capitals; KSMALLOC_CONF="name:value,name:value"
 * sets several at once and is read first, so that a variable of its own wins.
 * What it is not: a place that knows what an option does.
 * Invariants: a value in force is always within its bounds. Values do not
 * change after ksm_option_init(), which runs before there is a second thread.
 * Failure: an unknown name or a bad value is reported in one line and the
 * default is used. A program with AT_SECURE set reads nothing.
 */
#ifndef KSM_OPTION_H
#define KSM_OPTION_H

#include "base.h"

enum ksm_option_type {
	KSM_OPTION_SIZE,	/* a number with an optional suffix K, M, G */
	KSM_OPTION_NUMBER,
	KSM_OPTION_FLAG,	/* 0 or 1 */
	KSM_OPTION_CHOICE,	/* a word of the list in unit, separated by | */
	KSM_OPTION_TEXT,
	KSM_OPTION_NAME,	/* a text of letters, digits, '.', '_' and '-', or nothing */
};

/*
 * X(name, type, default, least, most, unit, help). For a choice the default is
 * the index of the word; for a text default, least and most are 0, most being
 * the longest length allowed (0: no limit).
 */
#define KSM_OPTIONS(X)										\
	X(threshold, SIZE, 16 * 1024, 16 * 1024, 1024 * 1024 * 1024, "bytes",			\
	  "Blocks of at least this size may be placed; smaller ones are jemalloc's")		\
	X(site_bytes, SIZE, 256 * 1024, 0, UINT64_C(1) << 40, "bytes",				\
	  "A site gets a slot of its own when it has held this much at once")			\
	X(max_sites, NUMBER, 1024, 1, 1024, "sites",						\
	  "Sites with a slot; blocks of later ones belong to the site other")			\
	X(advise, CHOICE, 0, 0, 2, "all|none|process",						\
	  "What is marked mergeable: all slots, narrowed by allow and deny; nothing; or the whole process")	\
	X(allow, TEXT, 0, 0, 0, "patterns",							\
	  "Advise only sites that match: function:GLOB, module:GLOB, label:GLOB, range:BUILDID:LO-HI") \
	X(deny, TEXT, 0, 0, 0, "patterns", "Keep sites that match out, small blocks too where the heap merges; stronger than allow") \
	X(huge_pages, CHOICE, 0, 0, 1, "never|keep",						\
	  "never: advised slots are marked MADV_NOHUGEPAGE, since huge pages do not merge")	\
	X(names, FLAG, 0, 0, 1, "",								\
	  "Name slots in /proc/PID/maps (a prctl(2), which sandboxes may forbid)")		\
	X(hint_priority, NUMBER, 8, 0, 15, "weight",						\
	  "How eagerly a kernel that takes hints scans slots; 0: like any other memory")	\
	X(hint_priorities, TEXT, 0, 0, 0, "patterns",						\
	  "Priorities of single sites, as in label:model*=15,function:parse=2; the first that matches") \
	X(stability, CHOICE, 0, 0, 2, "sample|unknown|settled",					\
	  "What hints say of a site's content: found by sampling it; nothing; or that it is not written again") \
	X(sample_ms, NUMBER, 1000, 1, 3600000, "milliseconds",					\
	  "Time between two samples of a site, at least")					\
	X(zero_reuse, FLAG, 0, 0, 1, "",							\
	  "Clear the whole of a reused block, not only its tail")				\
	X(keep_bytes, SIZE, 4 * 1024 * 1024, 0, UINT64_C(1) << 40, "bytes",			\
	  "Freed memory that all sites together may keep, if keep_percent is not more")		\
	X(keep_percent, NUMBER, 3, 0, 100, "percent",						\
	  "Freed memory that all sites together may keep, of what is live")			\
	X(cycle_bytes, SIZE, 256 * 1024 * 1024, 0, UINT64_C(1) << 40, "bytes",			\
	  "Freed memory beyond that which sites may keep if they take it again and again")	\
	X(cycle_percent, NUMBER, 25, 0, 100, "percent",						\
	  "The same, of what is live, if that is more than cycle_bytes")			\
	X(thread_bytes, SIZE, 8 * 1024 * 1024, 0, 1024 * 1024 * 1024, "bytes",			\
	  "Freed memory that a thread may keep at hand for the sites it uses")			\
	X(stats, FLAG, 1, 0, 1, "", "Publish the statistics segment")				\
	X(mark_bytes, SIZE, 64 * 1024, 0, UINT64_C(1) << 30, "bytes",				\
	  "Of small blocks one for so many bytes, at first, tells whose they are; 0: none")	\
	X(stats_dir, TEXT, 0, 0, 4000, "folder",						\
	  "Make the segment a file in this folder, for readers that may not look into memory")	\
	X(stats_group, NUMBER, UINT64_C(0xffffffff), 0, UINT64_C(0xffffffff), "gid",		\
	  "Make the segment a file that this group may read (mode 0640); 4294967295: none")	\
	X(group, NAME, 0, 0, 63, "name", "The group of processes that reports sum up")		\
	X(layout, CHOICE, 0, 0, 1, "private|shared",						\
	  "shared: equal addresses in all processes of a group; set by ksmalloc run")		\
	X(anchors, FLAG, 1, 0, 1, "",								\
	  "Shared layout: small blocks lie by size class, and go on elsewhere at "			\
	  "events that equal processes share")							\
	X(seed, TEXT, 0, 0, 4000, "file", "The seed of the group; set by ksmalloc run")	\
	X(stack_limit, NUMBER, 0, 0, UINT64_MAX, "bytes",					\
	  "The soft stack limit to put back in the shared layout, 0 for none; set by ksmalloc run") \
	X(layout_pid, NUMBER, 0, 0, UINT64_C(0xffffffff), "pid",				\
	  "The process that was executed for its layout, so that it is done once; set by ksmalloc run") \
	X(share, FLAG, 0, 0, 1, "",								\
	  "Map pages that workers of a group have in common from files, without KSM")		\
	X(share_huge, CHOICE, 0, 0, 1, "auto|off",						\
	  "Whole 2 MiB that are shared lie on huge pages, where the kernel allows it (shmem_enabled)") \
	X(share_mappings, TEXT, 0, 0, 0, "programs",						\
	  "Share own mappings of these programs, too, as in php*|node: all that they do with them is done by libc") \
	X(share_every_ms, NUMBER, 0, 0, 3600000, "ms",						\
	  "A pass each time that so long has gone by, whether passes gain anything or not, as tests want it; "	\
	  "0: when it may be worth it")								\
	X(language, CHOICE, 0, 0, 2, "auto|on|off",						\
	  "Name who asks for memory by the script that runs (Python, PHP, Ruby, Perl, Lua); auto: with a profile of these") \
	X(valgrind, FLAG, 0, 0, 1, "", "Place blocks under Valgrind too")			\
	X(verbose, FLAG, 0, 0, 1, "", "Say at start that the library is loaded, and how")	\
	X(dump_options, FLAG, 0, 0, 1, "", "Print this table and end the program")

enum ksm_advise {
	KSM_ADVISE_ALL,
	KSM_ADVISE_NONE,
	KSM_ADVISE_PROCESS,
};

/* The profiles of ksmalloc run say KSM_LANGUAGE_ON where the user has said nothing. */
enum ksm_language_option {
	KSM_LANGUAGE_AUTO,
	KSM_LANGUAGE_ON,
	KSM_LANGUAGE_OFF,
};

enum ksm_stability_option {
	KSM_STABILITY_SAMPLE,
	KSM_STABILITY_UNKNOWN,
	KSM_STABILITY_SETTLED,
};

enum ksm_layout {
	KSM_LAYOUT_PRIVATE,
	KSM_LAYOUT_SHARED,
};

enum ksm_huge_pages {
	KSM_HUGE_PAGES_NEVER,
	KSM_HUGE_PAGES_KEEP,
};

enum ksm_share_huge {
	KSM_SHARE_HUGE_AUTO,
	KSM_SHARE_HUGE_OFF,
};

#define KSM_OPTION_FIELD_SIZE(name)	uint64_t name;
#define KSM_OPTION_FIELD_NUMBER(name)	uint64_t name;
#define KSM_OPTION_FIELD_FLAG(name)	uint64_t name;
#define KSM_OPTION_FIELD_CHOICE(name)	uint64_t name;
#define KSM_OPTION_FIELD_TEXT(name)	const char *name; /* never NULL; in the environment's memory */
#define KSM_OPTION_FIELD_NAME(name)	KSM_OPTION_FIELD_TEXT(name)
#define KSM_OPTION_FIELD(name, type, ...) KSM_OPTION_FIELD_##type(name)

struct ksm_options {
	KSM_OPTIONS(KSM_OPTION_FIELD)
};

/* The values in force. Synchronization: written once before there are threads. */
extern struct ksm_options ksm_options __attribute__((visibility("hidden")));

/*
 * Reads the environment. With dump_options set it prints the table to standard
 * output, one option a line, fields separated by tabs (name in the environment,
 * type, default, least, most, unit, help), and ends the program with status 0.
 */
void ksm_option_init(char *const *environment);

/*
 * Reads a number with an optional suffix K, M or G (1024 each) from the first
 * length characters of text. Returns 0, -EINVAL if it is not one, -ERANGE if
 * it does not fit 64 bits.
 */
int ksm_option_parse_size(const char *text, size_t length, uint64_t *value);

#endif
