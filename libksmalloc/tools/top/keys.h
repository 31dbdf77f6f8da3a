/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keys: which key does what.
 *
 * What it is: a table, from which keys are looked up, and from which help and the manual come. The letters that sort are
 * those of the columns.
 * What it is not: a terminal: it has numbers of its own for keys that are no letters.
 * Locking and owner: constants.
 * Failure: none.
 */
#ifndef KSR_TOP_KEYS_H
#define KSR_TOP_KEYS_H

#include "top/columns.h"

/* Above all characters. */
enum ksr_top_code {
	KSR_TOP_CODE_ESCAPE = 0x1b,
	KSR_TOP_CODE_ENTER = 0x200000,
	KSR_TOP_CODE_BACKSPACE,
	KSR_TOP_CODE_UP,
	KSR_TOP_CODE_DOWN,
	KSR_TOP_CODE_PAGE_UP,
	KSR_TOP_CODE_PAGE_DOWN,
	KSR_TOP_CODE_HOME,
	KSR_TOP_CODE_END,
	KSR_TOP_CODE_BACK_TAB,
	KSR_TOP_CODE_F1,
	KSR_TOP_CODE_NONE,
};

enum ksr_top_action {
	KSR_TOP_DO_NOTHING,
	KSR_TOP_DO_VIEW, /* argument: enum ksr_top_view */
	KSR_TOP_DO_NEXT_VIEW, /* argument: how many further */
	KSR_TOP_DO_MOVE,      /* argument: rows */
	KSR_TOP_DO_PAGE,      /* argument: pages */
	KSR_TOP_DO_ENDS,      /* argument: below 0 for the first row */
	KSR_TOP_DO_ENTER,
	KSR_TOP_DO_LEAVE,
	KSR_TOP_DO_FILTER,
	KSR_TOP_DO_SORT, /* argument: enum ksr_top_column */
	KSR_TOP_DO_MOVE_SORT, /* argument: columns */
	KSR_TOP_DO_REVERSE,
	KSR_TOP_DO_PAUSE,
	KSR_TOP_DO_INTERVAL, /* argument: above 0 for a longer one */
	KSR_TOP_DO_HELP,
	KSR_TOP_DO_REDRAW,
	KSR_TOP_DO_QUIT,
};

/* X(action, argument, what the keys are called, a code, another one or the same, help) */
#define KSR_TOP_KEYS(X)                                                                                                \
	X(VIEW, KSR_TOP_VIEW_GROUPS, "1", '1', '1', "Show groups.")                                                    \
	X(VIEW, KSR_TOP_VIEW_PROCESSES, "2", '2', '2', "Show processes.")                                              \
	X(VIEW, KSR_TOP_VIEW_PLACES, "3", '3', '3', "Show places: who has asked for the memory.")                      \
	X(NEXT_VIEW, 1, "Tab", '\t', '\t', "Show the next view.")                                                      \
	X(NEXT_VIEW, 2, "Shift-Tab", KSR_TOP_CODE_BACK_TAB, KSR_TOP_CODE_BACK_TAB, "Show the view before.")            \
	X(MOVE, -1, "Up", KSR_TOP_CODE_UP, KSR_TOP_CODE_UP, "Choose the row above.")                                   \
	X(MOVE, 1, "Down", KSR_TOP_CODE_DOWN, KSR_TOP_CODE_DOWN, "Choose the row below.")                              \
	X(PAGE, -1, "Page-Up", KSR_TOP_CODE_PAGE_UP, KSR_TOP_CODE_PAGE_UP, "Go a page up.")                            \
	X(PAGE, 1, "Page-Down", KSR_TOP_CODE_PAGE_DOWN, KSR_TOP_CODE_PAGE_DOWN, "Go a page down.")                     \
	X(ENDS, -1, "Home", KSR_TOP_CODE_HOME, KSR_TOP_CODE_HOME, "Go to the first row.")                              \
	X(ENDS, 1, "End", KSR_TOP_CODE_END, KSR_TOP_CODE_END, "Go to the last row.")                                   \
	X(ENTER, 0, "Enter", KSR_TOP_CODE_ENTER, '\r', "Show the processes of the chosen group.")                      \
	X(LEAVE, 0, "Esc", KSR_TOP_CODE_ESCAPE, KSR_TOP_CODE_ESCAPE, "End help, the filter, or the choice of a group.") \
	X(FILTER, 0, "/", '/', '/', "Show only rows with a text in their name, group or process id.")                  \
	X(MOVE_SORT, -1, "<", '<', ',', "Sort by the column at the left of the one that sorts.")                       \
	X(MOVE_SORT, 1, ">", '>', '.', "Sort by the column at the right of it.")                                       \
	X(REVERSE, 0, "r", 'r', 'R', "Reverse the order.")                                                             \
	X(PAUSE, 0, "Space", ' ', ' ', "Pause: measure nothing, until it is pressed again.")                           \
	X(INTERVAL, 1, "+", '+', '=', "Measure more seldom.")                                                          \
	X(INTERVAL, -1, "-", '-', '_', "Measure more often.")                                                          \
	X(REDRAW, 0, "Ctrl-L", 0x0c, 0x0c, "Draw the screen anew.")                                                    \
	X(HELP, 0, "?", '?', 'h', "Show this text.")                                                                   \
	X(HELP, 0, "F1", KSR_TOP_CODE_F1, KSR_TOP_CODE_F1, "The same.")                                                \
	X(QUIT, 0, "q", 'q', 'Q', "Quit.")

struct ksr_top_key {
	enum ksr_top_action action;
	int argument;
	const char *name;
	uint32_t codes[2];
	const char *help;
};

extern const struct ksr_top_key ksr_top_keys[];
extern const size_t ksr_top_key_count;

/* What is to be done; NOTHING for keys without a meaning. */
struct ksr_top_key ksr_top_key_find(uint32_t code);

#endif
