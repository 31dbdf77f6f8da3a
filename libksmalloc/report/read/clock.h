/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock: what time is it, as one number?
 *
 * What it is: the kernel's clocks, read once for all stages and commands. Without another word it is the machine's clock that only
 * goes on, which nobody sets and which stands while the machine sleeps. Header only, since those ask, too, that link nothing of
 * this side.
 * What it is not: dates.
 * Locking and owner: pure but for the clock.
 * Failure: none; a clock that the kernel does not have shows 0.
 */
#ifndef KSR_READ_CLOCK_H
#define KSR_READ_CLOCK_H

#include <time.h>

#include "base.h"

#define KSR_CLOCK_SECOND UINT64_C(1000000000) /* in ns */
#define KSR_CLOCK_MS	 UINT64_C(1000000)

KSM_INLINE uint64_t ksr_clock_of(clockid_t clock)
{
	struct timespec now = {0};

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * KSR_CLOCK_SECOND + (uint64_t)now.tv_nsec;
}

KSM_INLINE uint64_t ksr_clock_ns(void)
{
	return ksr_clock_of(CLOCK_MONOTONIC);
}

KSM_INLINE uint64_t ksr_clock_us(void)
{
	return ksr_clock_ns() / 1000;
}

KSM_INLINE uint64_t ksr_clock_ms(void)
{
	return ksr_clock_ns() / KSR_CLOCK_MS;
}

KSM_INLINE uint64_t ksr_clock_seconds(void)
{
	return ksr_clock_ns() / KSR_CLOCK_SECOND;
}

/* What calls that wait until then are given. */
KSM_INLINE struct timespec ksr_clock_time(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / KSR_CLOCK_SECOND), .tv_nsec = (long)(ns % KSR_CLOCK_SECOND)};
}

#endif
