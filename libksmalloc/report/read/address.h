/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * address: may a word of a process's memory be an address?
 *
 * What it is: a comparison, which tells most words apart before anybody looks what lies there.
 * What it is not: a look at what is mapped.
 * Invariants: 0 is none.
 * Locking and owner: none.
 * Failure: none.
 */
#ifndef KSR_READ_ADDRESS_H
#define KSR_READ_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base.h"

/* Below are numbers of programs, above no process has memory. */
static inline bool ksr_may_be_address(uint64_t word)
{
	return word >= UINT64_C(1) << 20 && word < UINT64_C(1) << KSM_ADDRESS_BITS;
}

#endif
