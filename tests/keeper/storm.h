/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The threads that are stopped again and again, and that check themselves. Each kind is a function
 * that runs until storm_ended(), and ends the process with a message where something is wrong.
 */
#ifndef KEEPER_STORM_H
#define KEEPER_STORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORM_COUNTERS 16
#define STORM_PAGES 64
#define STORM_PAGE_WORDS 512

/* Memory that the keeper has mapped too. */
struct storm {
	volatile uint32_t ready;
	volatile uint32_t end;
	volatile uint64_t rounds[32]; /* by kind: what was done and checked */
	volatile uint64_t retried; /* restartable sequences */
	volatile uint64_t queued_sent, queued_got; /* signals from a process that is not stopped */
	volatile uint32_t sender_done;
};

extern struct storm *storm;
/* Counted up without a pause by the threads of storm_count(); in memory of the process itself. */
extern volatile uint64_t storm_counters[STORM_COUNTERS];
/* Each word is counted up by one thread of storm_write(), which knows what it must be. */
extern uint64_t (*storm_pages)[STORM_PAGE_WORDS];

bool storm_ended(void);
void storm_failed(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

struct storm_kind {
	const char *name;
	void (*run)(unsigned int number);
	unsigned int threads;
	bool of_signals;
};

/* Ends with a kind that has no name. */
extern const struct storm_kind storm_kinds[];

void storm_threads_prepare(void);

/* storm_registers.c: one turn; 0, or what was wrong, as the line of a label. */
int storm_check_registers(uint64_t base, uint64_t turns);

/* storm_signals.c */
void storm_signals_prepare(void);
void storm_send(unsigned int number);
void storm_receive(unsigned int number);
void storm_suspend(unsigned int number);
void storm_signals_check(void);

/* storm_sequence.c */
void storm_sequence(unsigned int number);
void storm_sequence_check(void);

#endif
