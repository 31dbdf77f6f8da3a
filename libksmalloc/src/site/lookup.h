/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lookup: from the hash of something to the number that it got.
 *
 * What it is: a table with open addressing over numbers that are given in order, from 1 on. It is as large as it has to
 * be, in memory that is reserved for its largest size: what is not used of that is never touched, and no memory is
 * mapped later, which would move what the kernel places afterwards.
 * What it is not: a place for the things themselves. The owner has them, and tells whether one is what is wanted.
 *
 * Locking: the owner's. Failure: -ENOMEM from ksm_lookup_init(); a number beyond the last one is not found again.
 */
#ifndef KSM_LOOKUP_H
#define KSM_LOOKUP_H

#include "base.h"

struct ksm_lookup {
	uint16_t *cells; /* a number, 0 is empty */
	uint32_t size;	 /* cells that are in use, a power of two */
	uint32_t most;	 /* numbers, at most */
	uint32_t count;	 /* numbers that were added */
};

/* The hash of what has this number, and whether it is what is wanted. */
typedef uint64_t ksm_lookup_hash(uint32_t number);
typedef bool ksm_lookup_is(uint32_t number, const void *wanted);

/* For so many numbers, at most 32768. 0 or -ENOMEM. */
int ksm_lookup_init(struct ksm_lookup *lookup, uint32_t most);

/* The number of what is wanted, which has this hash; 0 if it has none. */
uint32_t ksm_lookup_find(const struct ksm_lookup *lookup, uint64_t hash, ksm_lookup_is *is, const void *wanted);

/* Adds what got the next number: 1 at first. Its hash and those of all before can be asked for. */
void ksm_lookup_add(struct ksm_lookup *lookup, ksm_lookup_hash *hash_of);

#endif
