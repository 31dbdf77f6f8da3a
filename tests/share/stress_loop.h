/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_loop: operations at random for some seconds, while passes are made all the time: between them, and from a signal handler
 * that interrupts them anywhere.
 *
 * What the operations are, and what memory should be then, the program knows. Workers draw equal numbers, but for one
 * operation in so many, which does not change what all of them will draw.
 */
#ifndef STRESS_LOOP_H
#define STRESS_LOOP_H

#include <stdint.h>

struct stress_loop {
	void (*operate)(void);
	void (*operate_alone)(void); /* what this worker does alone */
	void (*fork_once)(void);
	void (*check_all)(const char *when);
	/* One in so many operations comes before an alarm, a pass, and a fork. */
	uint32_t per_alarm;
	uint32_t per_pass;
	uint32_t per_fork;
};

/* Bytes that were compared. */
extern uint64_t stress_checked;

uint32_t stress_draw(uint32_t below);

/* Makes a pass, and counts what it gains. */
void stress_pass(int number);

/* arguments: SECONDS OWN, one operation in OWN is done alone. 0 for main() if passes were made, and have gained something. */
int stress_run(const struct stress_loop *loop, int argc, char **argv);

#endif
