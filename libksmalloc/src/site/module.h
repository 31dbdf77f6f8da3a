/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module: which mapped file an address of code belongs to.
 *
 * What it is: the table of the segment's modules seen from the process: it
 * turns a return address into (module, link-time address), which is the same
 * in all processes that map the same file, wherever they map it.
 * What it is not: a symboliser.
 *
 * Invariants: an index stays the module's for the life of the process; a module
 * that is unloaded keeps its entry but no address resolves to it any more.
 * Locking: the module lock, taken inside the loader's lock (the callback of
 * dl_iterate_phdr(3)) and never the other way round.
 * Failure: addresses outside of every file, and those in modules beyond the
 * table's size, do not resolve.
 */
#ifndef KSM_MODULE_H
#define KSM_MODULE_H

#include "base.h"
#include "system/lock.h"

/* Where an address lies. */
struct ksm_module_address {
	uint32_t module; /* index in the segment's table */
	uint64_t offset; /* link-time address */
};

/*
 * Looks up the program's path, which is KSMALLOC_PROGRAM_PATH else: for patterns of modules, when
 * the library is loaded, since a sandbox may forbid it later.
 */
void ksm_module_name_program(void);

/*
 * Resolves a return address. Returns 0, or -ENOENT if it is in no mapped file.
 * The loader's list is read again when the address is not known.
 */
int ksm_module_resolve(uintptr_t address, struct ksm_module_address *result);

/* False if a file found no room in the table, so that its addresses do not resolve. */
bool ksm_module_has_room(void);

/* To be called when files may have been loaded or unloaded since. */
void ksm_module_invalidate(void);

/*
 * Around dlclose(3). A signal handler that interrupts it would find files in the loader's list whose memory is gone, and
 * other threads an interpreter: to begin waits until nobody reads, a second at most.
 */
void ksm_module_begin_unload(void);
void ksm_module_end_unload(void);

/* Around what reads memory of files beyond the loader's list. False while one is unloaded: nothing may be read then. */
bool ksm_module_begin_reading(void);
void ksm_module_end_reading(void);

/* Grows with each ksm_module_invalidate(); what was resolved before may be stale. */
KSM_INLINE uint32_t ksm_module_generation(void)
{
	extern uint32_t ksm_module_generations __attribute__((visibility("hidden")));

	return __atomic_load_n(&ksm_module_generations, __ATOMIC_RELAXED);
}

/*
 * The bytes that identify a module in a site's id: its build-id, or a hash of
 * its path and its first page if it has none. Returns their number.
 */
size_t ksm_module_identity(uint32_t module, const uint8_t **bytes);

/* The path of the module's file, as the loader knows it. */
const char *ksm_module_path(uint32_t module);

/* Who has the lock. */
enum ksm_lock_holder ksm_module_lock_holder(void);

void ksm_module_prefork(void);
void ksm_module_postfork_parent(void);
void ksm_module_postfork_child(void);

#endif
