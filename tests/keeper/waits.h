/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KEEPER_WAITS_H
#define KEEPER_WAITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "offer.h"

#define WAIT_MS 60

/* Of the process that waits and of the one that stops it. */
struct waits_shared {
	struct offer offer;
	volatile uint32_t ready;
	volatile uint32_t stopped; /* it has been, as often as it is to be */
	volatile uint32_t leave;
	volatile uint32_t word; /* a futex */
	volatile pid_t helper;
	long result;
	int error;
	uint64_t elapsed_ns;
};

extern struct waits_shared *waits_shared;

struct wait {
	const char *name;
	long (*wait)(void); /* 0 where it ended as it should, after WAIT_MS at the earliest */
	bool notices; /* any stop, whoever stops it */
};

/* Ends with one that has no name. */
extern const struct wait waits[];

#endif
