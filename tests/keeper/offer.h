/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process of these tests offers to a keeper: a room, and functions to call in it.
 *
 * As a preloaded library it writes the offer to the file $KEEPER_OFFER/PID; a program of the tests
 * links it, and hands the offer over itself.
 */
#ifndef KEEPER_OFFER_H
#define KEEPER_OFFER_H

#include <stdint.h>

#include "ksmalloc/room.h"

enum offered {
	OFFERED_EMPTY, /* returns 7 */
	OFFERED_SCRIBBLE, /* changes every register and flag that it may; the sum of its arguments */
	OFFERED_FAULT, /* writes to address 0 */
	OFFERED_REPLACE, /* (address, pages): other pages with equal content, as sharing does it */
	OFFERED_ALONE, /* (counters, count, turns): how many of them changed meanwhile */
	OFFERED_LONG, /* (words): sets the first, spins until the second is set, and returns 9 */
	OFFERED_COUNT,
};

struct offer {
	struct ksr_room room;
	uint64_t functions[OFFERED_COUNT];
};

/* 0 or -errno. */
int offer_make(struct offer *offer);

/* How often OFFERED_ALONE found that others ran, also where nobody lived to be told. */
extern volatile uint64_t offer_not_alone;
/* How often each was called, and returned. */
extern volatile uint64_t offer_begun[OFFERED_COUNT];
extern volatile uint64_t offer_ended[OFFERED_COUNT];

#endif
