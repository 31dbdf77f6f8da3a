/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock: what time is it, as one number?
 *
 * What it is: one of the kernel's clocks. Those of the machine (CLOCK_MONOTONIC and its like) are read without a system call, where the
 * kernel shows them to programs; those of processor time (CLOCK_PROCESS_CPUTIME_ID and its like) take one each time. Header only,
 * since helpers that are loaded beside the library ask, too, and have nothing of os.
 * What it is not: for what decides where memory lies in the shared layout; that must not know of time.
 * Locking: none. Failure: a clock that the kernel does not have shows 0, and sets errno; no other does.
 */
#ifndef KSM_OS_CLOCK_H
#define KSM_OS_CLOCK_H

#include "base.h"

#include <time.h>

#define KSM_CLOCK_SECOND UINT64_C(1000000000)

/* In nanoseconds. */
KSM_INLINE uint64_t ksm_clock_of(clockid_t clock)
{
	struct timespec now = { 0 };

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * KSM_CLOCK_SECOND + (uint64_t)now.tv_nsec;
}

#endif
