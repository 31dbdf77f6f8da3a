/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perf_map: names of code that a process has made itself, as its runtime writes them for perf(1).
 *
 * What it is: /tmp/perf-PID.map as the process sees it: lines of address, size and name, which node writes with
 * --perf-basic-prof, and Java when `jcmd PID Compiler.perfmap` asks for it. Later lines are newer code in the place
 * of older.
 * What it is not: trusted. Whoever writes the file chooses the names of its own process's frames, and
 * nothing else: it is opened as files of the process are (fs.h), belongs to the process's user or to root, is not older than the
 * process, and no line is longer than a name may be.
 *
 * Locking and owner: one thread; names live as long as the map.
 * Failure: NULL; without a map addresses have no names.
 */
#ifndef KSR_NAMES_PERF_MAP_H
#define KSR_NAMES_PERF_MAP_H

#include "read/fs.h"

struct ksr_perf_map;

enum ksr_perf_kind {
	KSR_PERF_SCRIPT, /* a function of the program's, or of a package's */
	KSR_PERF_JAVA,	 /* a method, whose name is as short as it is to be */
	KSR_PERF_ENGINE, /* what the engine has generated for itself: its interpreter, what calls compiled code */
};

/* What a name stands for. Each is empty if it is not told. */
struct ksr_perf_name {
	enum ksr_perf_kind kind;
	const char *function;
	const char *place; /* "file:line" */
};

struct ksr_perf_map *ksr_perf_map_create(const struct ksr_fs *fs, pid_t pid);
void ksr_perf_map_destroy(struct ksr_perf_map *map);

/* From a text that the map takes over; for tests. */
struct ksr_perf_map *ksr_perf_map_parse(char *text, size_t bytes);

/* False if no code is known there. */
bool ksr_perf_map_find(const struct ksr_perf_map *map, uint64_t address, struct ksr_perf_name *name);

#endif
