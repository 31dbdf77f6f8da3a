/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two parts of the stress share: the machine with its settings (stress.c), and the
 * workers (stress-worker.c).
 */
#ifndef KSM_TESTS_STRESS_H
#define KSM_TESTS_STRESS_H

#include <stdint.h>
#include <time.h>

/* Say so, with the process's number before it, and end the process with 1. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The random numbers of this process: the same ones for the same seed. */
void chance_begin(uint64_t seed);

/* One of them, from 0 to below - 1. */
uint32_t chance(uint32_t below);

/* Be a worker until this time: ends the process, with 0 if all that was written was read back. */
void work(time_t end) __attribute__((noreturn));

#endif
