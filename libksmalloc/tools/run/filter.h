/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter: patterns of --allow and --deny that need debug information.
 *
 * What it is: replaces each file:GLOB of a list by the range: patterns of the
 * code that comes from such source files, in the program and in the libraries
 * that the loader says it needs. The library itself can not read DWARF.
 * What it is not: a check of the other patterns; those pass unchanged.
 * Invariants: addresses are link-time, so the ranges hold in every process.
 * Locking and owner: one thread; the caller frees the list.
 * Failure: NULL and what is wrong in `why`.
 */
#ifndef KSR_RUN_FILTER_H
#define KSR_RUN_FILTER_H

#include "run/program.h"

char *ksr_run_filter(const char *list, const struct ksr_program *program, char *why,
		     size_t why_bytes);

#endif
