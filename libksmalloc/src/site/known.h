/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * known: from the hash of something that was seen before to the number that it got.
 *
 * What it is: a table with open addressing that is read without a lock. It is replaced by a larger one when it fills,
 * and then started anew.
 * What it is not: a place that remembers for ever, or one that tells equal hashes apart: 47 bits are compared.
 *
 * Locking: who adds holds a lock of the owner's.
 * Failure: -ENOMEM from ksm_known_init(); a table that cannot grow is emptied.
 */
#ifndef KSM_KNOWN_H
#define KSM_KNOWN_H

#include "base.h"

#include <stdatomic.h>

struct ksm_known_table {
	uint32_t size;	/* a power of two */
	uint32_t count;	/* Synchronization: the owner's lock */
	/* The hash, its low 16 bits replaced by the number; 0 is empty. */
	_Atomic uint64_t entries[];
};

struct ksm_known {
	_Atomic(struct ksm_known_table *) table; /* replaced under the owner's lock, read without */
	char *reserve;				 /* for larger ones; NULL: they are made when they are needed */
};

/*
 * Synchronization: before anybody looks. One with a reserve has memory for all sizes from the start, which it does not
 * touch before: no memory is mapped for it later, which would move what the kernel places afterwards. 0 or -ENOMEM.
 */
int ksm_known_init(struct ksm_known *known, bool has_reserve);

/* Remembers a number of 16 bits; the owner's lock is held. */
void ksm_known_add_locked(struct ksm_known *known, uint64_t hash, uint32_t number);

/* An entry is never 0. */
KSM_INLINE uint64_t ksm_known_hash(uint64_t hash)
{
	return (hash | UINT64_C(1) << 63) & ~UINT64_C(0xffff);
}

/* False if nothing with this hash was added, or that was forgotten. */
KSM_INLINE bool ksm_known_find(const struct ksm_known *known, uint64_t hash, uint32_t *number)
{
	const struct ksm_known_table *table = atomic_load_explicit(&known->table, memory_order_acquire);
	uint64_t wanted = ksm_known_hash(hash);
	uint32_t at = (uint32_t)(wanted >> 40) & (table->size - 1);
	uint64_t entry;

	while ((entry = atomic_load_explicit(&table->entries[at], memory_order_acquire)) != 0) {
		if (((entry ^ wanted) & ~UINT64_C(0xffff)) == 0) {
			*number = (uint32_t)(entry & 0xffff);
			return true;
		}
		at = (at + 1) & (table->size - 1);
	}
	return false;
}

#endif
