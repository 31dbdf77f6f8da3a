/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * columns: what a row of a view shows.
 *
 * What it is: a table: of each column its head, its width, the views that have it, the letter that sorts by it, and what
 * it means. Frames, keys, --sort, help and the manual come from it.
 * What it is not: the figures.
 * Invariants: columns stand in the order of the table; where a line has no room for all, those of the highest rank go first.
 * Locking and owner: constants.
 * Failure: none.
 */
#ifndef KSR_TOP_COLUMNS_H
#define KSR_TOP_COLUMNS_H

#include "base.h"

/* X(name, key of --view, title) */
#define KSR_TOP_VIEWS(X)                                                                                               \
	X(GROUPS, "groups", "groups")                                                                                  \
	X(PROCESSES, "processes", "processes")                                                                         \
	X(PLACES, "places", "places")

#define KSR_TOP_VIEW_ID(name, key, title) KSR_TOP_VIEW_##name,
enum ksr_top_view {
	KSR_TOP_VIEWS(KSR_TOP_VIEW_ID)
	KSR_TOP_VIEW_COUNT,
};

#define KSR_TOP_IN_GROUPS (1u << KSR_TOP_VIEW_GROUPS)
#define KSR_TOP_IN_PROCESSES (1u << KSR_TOP_VIEW_PROCESSES)
#define KSR_TOP_IN_PLACES (1u << KSR_TOP_VIEW_PLACES)
#define KSR_TOP_IN_ALL (KSR_TOP_IN_GROUPS | KSR_TOP_IN_PROCESSES | KSR_TOP_IN_PLACES)

/* X(name, key, head, width, rank, views, letter, help) */
#define KSR_TOP_COLUMNS(X)                                                                                             \
	X(PID, "pid", "PID", 7, 0, KSR_TOP_IN_PROCESSES, 'P', "Process id")                                             \
	X(NEEDS, "needs", "NEEDS", 6, 0, KSR_TOP_IN_ALL, 'm',                                                          \
	  "Memory that is needed: Pss, and a part of the group's store")                                    \
	X(WITHOUT, "without", "WITHOUT", 7, 1, KSR_TOP_IN_ALL, 'w',                                                    \
	  "What would be needed if nothing was merged and nothing shared")                                             \
	X(ERROR, "error", "+/-", 4, 9, KSR_TOP_IN_PLACES, 0,                                                           \
	  "By how much NEEDS and WITHOUT may be off, in percent, where samples tell whose memory it is; right in 19 of 20 cases") \
	X(SAVED, "saved", "SAVED", 6, 0, KSR_TOP_IN_ALL, 's', "What is saved: WITHOUT less NEEDS")                     \
	X(PERCENT, "percent", "%", 4, 0, KSR_TOP_IN_ALL, 'p', "SAVED of WITHOUT, in percent")                          \
	X(KSM, "ksm", "KSM", 6, 2, KSR_TOP_IN_ALL, 'k', "Saved by the kernel, which merges equal pages (KSM)")          \
	X(STORE, "store", "STORE", 6, 3, KSR_TOP_IN_ALL, 't',                                                          \
	  "Saved by the group's store (ksmalloc run --share)")                                                         \
	X(PRIVATE, "private", "PRIVATE", 7, 7, KSR_TOP_IN_GROUPS | KSR_TOP_IN_PROCESSES, 'v',                          \
	  "Memory that nobody else maps")                                                                              \
	X(SWAP, "swap", "SWAP", 6, 8, KSR_TOP_IN_ALL, 'x', "Memory that is swapped out")                               \
	X(PROCESSES, "processes", "PROCS", 5, 6, KSR_TOP_IN_GROUPS | KSR_TOP_IN_PLACES, 'c', "How many processes")     \
	X(HISTORY, "history", "HISTORY", 8, 4, KSR_TOP_IN_ALL, 0, "SAVED over time, the newest at the right")         \
	X(GROUP, "group", "GROUP", 8, 5, KSR_TOP_IN_PROCESSES, 'g', "Group of the process")                           \
	X(NAME, "name", "NAME", 0, 0, KSR_TOP_IN_ALL, 'n', "Group, command, or place that has asked for the memory")

#define KSR_TOP_COLUMN_ID(name, key, head, width, rank, views, letter, help) KSR_TOP_COLUMN_##name,
enum ksr_top_column {
	KSR_TOP_COLUMNS(KSR_TOP_COLUMN_ID)
	KSR_TOP_COLUMN_COUNT,
};

struct ksr_top_column_rule {
	const char *key;
	const char *head;
	uint32_t width; /* 0: what is left of the line */
	uint32_t rank;	/* 0: always shown */
	uint32_t views;
	char letter; /* 0: nothing sorts by it */
	const char *help;
};

extern const struct ksr_top_column_rule ksr_top_columns[KSR_TOP_COLUMN_COUNT];
extern const char *const ksr_top_view_keys[KSR_TOP_VIEW_COUNT];
extern const char *const ksr_top_view_titles[KSR_TOP_VIEW_COUNT];

/* Is there such a column in the view, and can it sort? */
bool ksr_top_column_sorts(enum ksr_top_column column, enum ksr_top_view view);
/* What the last column is called there. */
const char *ksr_top_column_head(enum ksr_top_column column, enum ksr_top_view view);

#endif
