/* SPDX-License-Identifier: BSD-2-Clause */
/* A process of a case, and what is expected of it; cases.c has main(). */
#ifndef KEEPER_CASES_H
#define KEEPER_CASES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "offer.h"
#include "keeper/stop.h"

#define MS UINT64_C(1000000)
/* Nothing that comes to an end by itself takes so long. */
#define LONG_NS (60000 * MS)

/* What the processes of a case tell each other. */
struct cases_shared {
	struct offer offer;
	volatile uint32_t ready, leave, entered;
	volatile uint32_t words[2]; /* of OFFERED_LONG */
	volatile uint64_t turns; /* of the process: it runs */
	pid_t child;
	volatile pid_t inner; /* of another namespace */
	uint64_t limit_ns;
	int64_t result;
	int stop, call;
	size_t threads;
};

extern struct cases_shared *shared;
extern struct ksr_image image;
/* What expect() calls: set by begin(), to be changed after it. */
extern enum offered function;
extern uint64_t argument, call_limit;

/* In the process: runs until the case is over. */
void ready_and_wait(void);
/* Makes the process and waits until it is ready. */
void begin(void (*in_child)(void));
/* The process goes on, and ends as it wants to; nobody traces it. */
void end_well(void);
/* A hand's work. */
int stop_and_call(void *data);
void expect(int stop, int call);
bool in_state(char state);

/* cases_refused.c */
void cannot_be_stopped(void);
void not_in_time(void);
void traced_already(void);
void hand_stopped(void);
void filters_added(void);
void filter_of_one(void);
void strict_mode(void);
void no_room_below(void);
void marks(void);
void other_user(void);

#endif
