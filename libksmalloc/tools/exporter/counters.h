/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counters: what the process that serves counts, for the one that writes metrics.
 *
 * What it is: a page of memory that both have.
 * What it is not: a way to anything else.
 * Locking and owner: Synchronization: the server alone writes, by relaxed atomics; the reader reads so. The memory
 * is there until both have ended.
 * Failure: none.
 */
#ifndef KSR_EXPORTER_COUNTERS_H
#define KSR_EXPORTER_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

struct ksr_exporter_counters {
	_Atomic uint64_t requests;
	_Atomic uint64_t refused;
	_Atomic uint64_t connections; /* that are open */
	_Atomic uint64_t ended;
	_Atomic uint64_t server; /* its process id; 0 before it serves */
};

static inline void ksr_counter_add(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static inline uint64_t ksr_counter_read(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
