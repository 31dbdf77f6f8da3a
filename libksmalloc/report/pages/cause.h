/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cause: why a word, or a whole page, is not equal in two processes.
 *
 * What it is: a list of causes, with their keys and what they are called.
 * What it is not: a choice among them (value.h, words.h).
 * Locking and owner: pure.
 * Failure: none.
 */
#ifndef KSR_PAGES_CAUSE_H
#define KSR_PAGES_CAUSE_H

#include "base.h"

/* X(name, key, text): what a word is, the most telling first. */
#define KSR_CAUSES(X)                                                                              \
	X(POINTER_LAYOUT, "layout", "pointers that differ by the layouts of the processes only")   \
	X(POINTER_SHIFTED, "pointer_offset", "pointers by a constant offset")                      \
	X(POINTER_MOVED, "pointer_moved", "pointers to other places")                              \
	X(POINTER_OTHER, "pointer_other", "pointers to something else")                            \
	X(MANGLED, "pointer_guard", "pointers mangled by the pointer guard (AT_RANDOM)")           \
	X(RANDOM, "at_random", "canary or other random bytes of AT_RANDOM")                        \
	X(ID, "id", "process or thread id")                                                        \
	X(ID_TEXT, "id_text", "process or thread id as text")                                      \
	X(TIME, "time", "time")                                                                    \
	X(REFERENCES, "reference_count", "reference counts of objects")                            \
	X(LOCK, "lock", "locks, and the threads that hold them")                                   \
	X(COUNTER, "counter", "small difference, such as a counter")                               \
	X(SET, "set_in_one", "set in one process, zero in the other")                              \
	X(NOISE, "random", "random words: hashes, keys, seeds")                                    \
	X(VALUE, "value", "other values")                                                          \
	X(ZERO_PAGE, "zero_page", "page that is all zero in one process")                          \
	X(SHIFTED, "shifted", "content that lies at another place")                                \
	X(OTHER, "different", "simply different content")

enum ksr_cause {
#define KSR_CAUSE_ID(name, key, text) KSR_CAUSE_##name,
	KSR_CAUSES(KSR_CAUSE_ID)
#undef KSR_CAUSE_ID
		KSR_CAUSE_COUNT,
};

const char *ksr_cause_key(enum ksr_cause cause);
const char *ksr_cause_text(enum ksr_cause cause);

#endif
