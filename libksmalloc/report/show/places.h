/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * places: who holds the memory, one row for each name.
 *
 * What it is: the origins of a report, named, with those of equal names joined; the data of programs and libraries, file by
 * file; what the files themselves have in memory, the stacks of first threads, and shared mappings, a row each; and what is
 * left, so that the rows add up to the balance.
 *
 * What it is not: computing of what is saved (join).
 *
 * Invariants: saved and held of all rows, with the rest, are those of the balance but for rounding, and where KSM's part is
 * an estimate. What fork shares is taken off what a place holds, and shown apart.
 *
 * Locking and owner: one thread; rows own their names, and point into the symbolizer.
 *
 * Failure: -ENOMEM.
 */
#ifndef KSR_SHOW_PLACES_H
#define KSR_SHOW_PLACES_H

#include "join/balance.h"
#include "join/files.h"
#include "join/origin.h"
#include "names/symbols.h"
#include "show/emitter.h"

/* What makes two origins one row: X(name, key). */
#define KSR_PLACE_KEYS(X)                                                                          \
	X(FUNCTION, "function")                                                                    \
	X(STACK, "stack")                                                                          \
	X(FILE, "file")                                                                            \
	X(MODULE, "module")                                                                        \
	X(LANGUAGE, "language")

enum ksr_place_key {
#define KSR_PLACE_KEY_ID(name, key) KSR_PLACE_##name,
	KSR_PLACE_KEYS(KSR_PLACE_KEY_ID)
#undef KSR_PLACE_KEY_ID
		KSR_PLACE_KEY_COUNT,
};

/* A place. */
struct ksr_place {
	char *name;
	const struct ksr_origin *largest; /* of those that were joined */
	const struct ksr_stack *stack;	  /* its stack, may be NULL */
	struct ksr_memory memory;
	uint64_t held;	 /* without what fork shares */
	uint64_t merged; /* saved by KSM */
	uint64_t shared; /* saved by stores */
	uint64_t live;	 /* bytes that the program holds there */
	uint64_t live_error;
	uint64_t held_error; /* held is right to so many bytes more or less, in 19 of 20 cases */
	const char *kind; /* what it is, where no stack says so: "data", "files"; NULL: it is an origin's */
	uint32_t kinds;
	uint32_t processes;
	uint32_t stacks;
};

struct ksr_places {
	struct ksr_place *rows; /* what holds most first */
	size_t count;
	struct ksr_place rest; /* without a name */
};

const char *ksr_place_key_name(enum ksr_place_key key);
int ksr_places_create(const struct ksr_report *report, const struct ksr_balance *total, struct ksr_symbols *symbols,
		      enum ksr_place_key by, struct ksr_places *places);
void ksr_places_destroy(struct ksr_places *places);
/* "list", "mapping", "small blocks": what the memory is. */
const char *ksr_place_what(const struct ksr_place *place);

#endif
